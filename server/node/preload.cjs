// Forebay's preload: moves the application's HTTP server to the endpoint that Forebay gave this worker.
//
// Loaded with `node --require` before the application, which stays as it is: CommonJS, ESM, bundles and TypeScript see
// the real `http` module. One method is shadowed, `http.Server.prototype.listen`, and only what decides *where* it
// listens is changed; callbacks, events and errors are node's own.
//
// Which server is the application's:
// - the first that listens on a TCP port, whatever the port: `listen(3000)`, `listen({port, host})`, `listen()`, and
//   what becomes of `parseInt(process.env.PORT)` when PORT is a path;
// - or whichever listens on `process.env.PORT` itself. If that comes later, the earlier one gets its own port back;
// - `listen(0)` asks for any free port, as helpers and tests do: it gets one. Only if nothing else has listened a
//   second later does it serve the endpoint as well.
// Other servers, those on handles, file descriptors and paths of their own, and https servers really listen.
//
// With FOREBAY_PIPE the front feeds that server through frames as well (see worker/links.cjs); without FOREBAY_ENDPOINT every
// server on a path of its own is announced there and stays where it is (see worker/attach.cjs), in child processes too:
// whoever set the variables may mean a test runner's. With neither, the front's pipe is looked for beside that path.
//
// Deliberately does not: touch timeouts, replace modules, reach into child processes, worker threads or the workers of
// an application that uses `cluster` itself.
'use strict';

const endpoint = process.env.FOREBAY_ENDPOINT;
const pipe = process.env.FOREBAY_PIPE;
const isWindows = process.platform === 'win32';
if (require('worker_threads').isMainThread && !require('cluster').isWorker) {
  const inherit = process.env.FOREBAY_INHERIT === '1';
  const orders = process.env.FOREBAY_ORDERS;
  // Between Forebay and the application may be a launcher (npm, next start): then the variables have to live until the
  // process that really serves was found. Otherwise nobody else is meant.
  if (endpoint && !inherit) forget();
  // Attached processes may find the front's pipe later.
  if (pipe || !endpoint) require('./worker/links.cjs').prepare();
  // Whoever asks a worker for its inspector (SIGUSR1; Forebay does when one hangs) must not meet another one's port.
  const options = `${process.execArgv.join(' ')} ${process.env.NODE_OPTIONS}`;
  if (endpoint && process.debugPort === 9229 && !options.includes('--inspect')) process.debugPort = 0;
  if (orders && !inherit) require('./worker/orders.cjs').takeOrders(orders);
  if (endpoint && !orders) shutdownByMessage();
  if (endpoint) takeOver(endpoint, inherit, orders);
  else require('./worker/attach.cjs').announce({ pipe, worker: numberOf('FOREBAY_WORKER', 0xffff), generation: 0 });
}

/**
 * Once the application listens for messages, SIGTERM may become one (see worker/term.cjs). A process that has a parent to
 * talk to means its parent, and is left alone.
 */
function shutdownByMessage() {
  process.on('newListener', function onListener(name) {
    if (name !== 'message' || process.channel) return;
    process.removeListener('newListener', onListener);
    process.on('SIGTERM', require('./worker/term.cjs').onTerm);
  });
}

/** Removes Forebay's variables and its own `--require`, so that child processes start as if Forebay were not there. */
function forget() {
  delete process.env.FOREBAY_ENDPOINT;
  delete process.env.FOREBAY_INHERIT;
  delete process.env.FOREBAY_ORDERS;
  delete process.env.FOREBAY_PIPE;
  const options = process.env.NODE_OPTIONS;
  if (options === undefined) return;
  for (const own of ownOptions()) {
    const at = options.indexOf(own);
    if (at < 0) continue;
    // One space separated ours from the rest; the rest is the user's, to the letter.
    const before = options.slice(0, at);
    const after = options.slice(at + own.length);
    const rest = before === '' ? after.replace(/^ /, '') : before.replace(/ $/, '') + after;
    if (rest === '') delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = rest;
    return;
  }
}

/** The ways in which this file may have been named in NODE_OPTIONS: as Forebay writes it, then as a person might. */
function ownOptions() {
  const names = [__filename];
  // node resolves links; NODE_OPTIONS has the path as it was given.
  const options = process.env.NODE_OPTIONS || '';
  for (const match of options.matchAll(/--require[ =](?:"((?:[^"\\]|\\.)*)"|([^" ]+))/g)) {
    const name = match[1] === undefined ? match[2] : match[1].replace(/\\(.)/g, '$1');
    try {
      if (require('fs').realpathSync(name) === __filename) names.push(name);
    } catch {
      // Not a file: not ours.
    }
  }
  return names.flatMap((name) => {
    const quoted = `"${name.replace(/[\\"]/g, '\\$&')}"`;
    return [`--require ${quoted}`, `--require=${quoted}`, `--require ${name}`, `--require=${name}`, `-r ${name}`];
  });
}

function takeOver(endpoint, inherit, orders) {
  const http = require('http');
  const { errorMonitor } = require('events');
  const prototype = http.Server.prototype;
  const listen = prototype.listen;

  /** The server that has the endpoint, with what it asked for, and whether its 'listening' was emitted. */
  let taken = null;
  /** Whether some server ever had it, so that the environment is clean. */
  let everTaken = false;
  /** Servers that share the number of the one that was taken, as for `localhost` twice; they count up. */
  let twins = 0;

  function listenShadow(...args) {
    // Listening twice is an error that node words best.
    if (this._handle) return listen.apply(this, args);
    const request = understand(args, endpoint);
    if (request === null) return listen.apply(this, args);
    const mine = taken === null || taken.server === this;
    if (mine && inherit && !everTaken && exists(endpoint)) return reallyListen(this, args);
    if (request.byPath) {
      if (!mine && !taken.byPath) giveBack(taken);
      else if (!mine) return listen.apply(this, args);
      return take(this, request, args);
    }
    if (request.port === 0) {
      if (taken === null) setTimeout(serveToo, 1000, this).unref();
      return reallyListen(this, args);
    }
    if (mine) return take(this, request, args);
    if (request.port === taken.asked && !taken.byPath) return twin(this, request);
    return reallyListen(this, args);
  }

  /** Lets `server` listen on the endpoint in place of what it asked for. */
  function take(server, request, args) {
    const place = { server, asked: request.port, byPath: request.byPath, args, announced: false };
    taken = place;
    server.once('listening', () => (place.announced = true));
    if (!everTaken) {
      everTaken = true;
      if (inherit) forget();
      if (inherit && orders) require('./worker/orders.cjs').takeOrders(orders);
    }
    if (!request.byPath) {
      pretend(server, request);
      say(`${request.shown} was moved to this worker's endpoint; clients connect where Forebay listens`);
    }
    const release = () => {
      if (taken !== null && taken.server === server && !server.listening) taken = null;
    };
    server.once('close', release);
    server.once(errorMonitor, release);
    return afterStale(server, () => (pipe ? listenBeside(server, request) : listen.call(server, ...moved(request, endpoint))));
  }

  /**
   * Listens for HTTP, and lets the front feed the server through frames. The endpoint gets its name once that is ready
   * (or has failed): whoever sees it may use both. The application notices no difference, its server listens at once.
   */
  function listenBeside(server, request) {
    const about = { pipe, endpoint, worker: numberOf('FOREBAY_WORKER', 0xffff), generation: numberOf('FOREBAY_GENERATION', 0) };
    const fed = (isFed, reason) => {
      if (!isFed) say(`served over HTTP: ${reason || 'the pipe does not answer'}`);
    };
    const { feed } = require('./worker/links.cjs');
    const hidden = `${endpoint}~`;
    if (exists(endpoint) || Buffer.byteLength(hidden) > 103) {
      listen.call(server, ...moved(request, endpoint));
      if (server._handle) taken.links = feed(server, about, fed);
      return server;
    }
    if (isWindows) listenUnseen(server, request, hidden);
    else {
      remove(hidden);
      listen.call(server, ...moved(request, hidden));
    }
    const handle = server._handle;
    if (!handle) return server;
    server._pipeName = endpoint;
    server.once('close', () => {
      // Unless it is another one's by now.
      if (taken === null && !isWindows) remove(endpoint);
    });
    taken.links = feed(server, about, (isFed, reason) => {
      if (server._handle !== handle) return;
      if (isWindows) openDoor(server, handle);
      else require('fs').renameSync(hidden, endpoint);
      fed(isFed, reason);
    });
    return server;
  }

  /** Listens on a pipe that nobody will ask for: one instance of it will do. */
  function listenUnseen(server, request, hidden) {
    const { NODE_PENDING_PIPE_INSTANCES: instances } = process.env;
    process.env.NODE_PENDING_PIPE_INSTANCES = '1';
    listen.call(server, ...moved(request, hidden));
    if (instances === undefined) delete process.env.NODE_PENDING_PIPE_INSTANCES;
    else process.env.NODE_PENDING_PIPE_INSTANCES = instances;
  }

  /** A pipe cannot be renamed: another one is opened, whose connections are the server's, and closed with its own. */
  function openDoor(server, handle) {
    const door = require('net').createServer({ allowHalfOpen: true }, (socket) => {
      // The server waits for them when it closes.
      door._connections--;
      server._connections++;
      socket.server = socket._server = server;
      server.emit('connection', socket);
    });
    door.on('error', (error) => say(`the endpoint cannot be opened: ${error.message}`));
    const { close } = handle;
    handle.close = function (...args) {
      door.close();
      return close.apply(this, args);
    };
    if (server._unref) door.unref();
    door.listen(endpoint);
  }

  /** A later server wants the endpoint by name: the one that was there first goes to the port it had asked for. */
  function giveBack({ server, args, announced, links }) {
    taken = null;
    links?.close();
    delete server.address;
    const handle = server._handle;
    if (!handle || typeof handle.close !== 'function') return;
    // Not server.close(): the application would see a 'close' that it did not ask for.
    server._handle = null;
    handle.close();
    say(`another server listens on PORT: ${understand(args, endpoint).shown} really listens there`);
    const again = () => reallyListen(server, withoutCallback(args));
    // A 'listening' on its way is dropped by node, as there is no handle any more: listen after that.
    if (!announced) process.nextTick(again);
    else unannounced(server, again);
  }

  /** Listens again, but without a second 'listening'; an error is news. */
  function unannounced(server, again) {
    const own = Object.getOwnPropertyDescriptor(server, 'emit');
    const emit = server.emit;
    server.emit = function (name, ...rest) {
      if (name === 'listening' || name === 'error') {
        if (own) Object.defineProperty(server, 'emit', own);
        else delete server.emit;
      }
      return name === 'listening' || emit.call(this, name, ...rest);
    };
    again();
  }

  /** The same port on another address, as for both addresses of `localhost`: listens where nobody will ask. */
  function twin(server, request) {
    twins += 1;
    pretend(server, request);
    return listen.call(server, ...moved(request, `${endpoint}-${twins + 1}`));
  }

  /** Leaves the server as it is, and explains the error that several workers on one port must lead to. */
  function reallyListen(server, args) {
    server.once(errorMonitor, (error) => {
      if (error.code !== 'EADDRINUSE' || error.port === undefined) return;
      say(`port ${error.port} is taken, perhaps by another worker: only the first server of each worker is moved`);
    });
    return listen.apply(server, args);
  }

  /** Nothing but a server on a port of its choice: its endpoint is opened beside that. */
  function serveToo(server) {
    if (taken !== null || !server.listening || (inherit && exists(endpoint))) return;
    const door = require('net').createServer({ allowHalfOpen: true }, (socket) => server.emit('connection', socket));
    taken = { server, asked: 0, byPath: true, args: [0], announced: true };
    if (inherit) forget();
    server.once('close', () => door.close());
    door.on('error', (error) => say(`the endpoint cannot be opened: ${error.message}`));
    door.listen(endpoint);
    say('listen(0) serves this worker\'s endpoint too, as nothing else listens');
  }

  /** A socket file that nobody serves any more is removed; one that is served gives the error it should. */
  function afterStale(server, start) {
    if (isWindows || !exists(endpoint)) return start();
    const probe = require('net').connect(endpoint);
    const go = (stale) => {
      probe.destroy();
      if (stale) {
        try {
          require('fs').unlinkSync(endpoint);
        } catch {
          // Then listening says what is wrong.
        }
      }
      start();
    };
    probe.once('connect', () => go(false));
    probe.once('error', (error) => go(error.code === 'ECONNREFUSED'));
    return server;
  }

  Object.defineProperty(listenShadow, 'name', { value: listen.name, configurable: true });
  Object.defineProperty(listenShadow, 'length', { value: listen.length, configurable: true });
  Object.defineProperty(prototype, 'listen', {
    value: listenShadow,
    writable: true,
    configurable: true,
    enumerable: true,
  });

  setTimeout(() => {
    if (taken === null && hasTlsServer()) {
      say('an https server is left alone: let the application speak http, clients do not notice');
    }
  }, 5000).unref();
}

/**
 * What `listen(...args)` asks for, by node's own rules: null for handles, descriptors and other paths, else
 * {byPath, port, host, backlog, signal, callback, shown}; port is NaN where none can be told.
 */
function understand(args, endpoint) {
  const [first] = args;
  const last = args[args.length - 1];
  const callback = typeof last === 'function' ? last : undefined;
  const backlogs = args.slice(1, 3).map((arg) => (typeof arg === 'function' ? NaN : Number(arg)));
  const backlog = backlogs.find((number) => number > 0);
  if (typeof first === 'object' && first !== null) {
    if (first._handle || first.handle || typeof first.fd === 'number' || isHandle(first)) return null;
    const { port, path, host, signal } = first;
    const common = { host, backlog: first.backlog || backlog, signal, callback };
    if (path !== undefined && !('port' in first)) {
      return path === endpoint ? { ...common, byPath: true, port: NaN, shown: 'listen({path})' } : null;
    }
    if (!('port' in first)) return null;
    return port === endpoint || isPort(port) ? withPort(common, port, `listen({port: ${port}})`) : null;
  }
  if (first === endpoint) return { byPath: true, port: NaN, backlog, callback, shown: 'listen(path)' };
  const host = typeof args[1] === 'string' ? args[1] : undefined;
  const port = typeof first === 'function' ? undefined : first;
  return isPort(port) ? withPort({ host, backlog, callback }, port, `listen(${port === undefined ? '' : port})`) : null;
}

/** A port, or what is left of one when PORT was not a number. */
function isPort(port) {
  if (port === undefined || port === null) return true;
  if (typeof port === 'number') return Number.isNaN(port) || (Number.isInteger(port) && port >= 0 && port <= 65535);
  return typeof port === 'string' && port.trim() !== '' && isPort(Number(port)) && !Number.isNaN(Number(port));
}

function withPort(common, port, shown) {
  const number = port === undefined || port === null ? NaN : Number(port);
  return { ...common, byPath: false, port: number, shown };
}

/** A bare handle, as `cluster` and `child.send` pass them. */
function isHandle(value) {
  return typeof value.getsockname === 'function' || typeof value.onconnection === 'function';
}

/** The arguments for node's own listen. */
function moved(request, path) {
  const options = { path };
  if (request.backlog !== undefined) options.backlog = request.backlog;
  if (request.signal !== undefined) options.signal = request.signal;
  return request.callback === undefined ? [options] : [options, request.callback];
}

function withoutCallback(args) {
  return typeof args[args.length - 1] === 'function' ? args.slice(0, -1) : args;
}

/** Lets `address()` answer as if the server listened on the port it asked for; many print or parse it. */
function pretend(server, request) {
  const family = require('net').isIP(request.host || '');
  const address = family > 0 ? request.host : request.host ? '127.0.0.1' : '::';
  const answer = {
    address,
    family: family === 4 || (family === 0 && request.host) ? 'IPv4' : 'IPv6',
    port: request.port > 0 ? request.port : 80,
  };
  Object.defineProperty(server, 'address', {
    value: function address() {
      return this.listening ? { ...answer } : null;
    },
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

function numberOf(name, otherwise) {
  const number = Number(process.env[name]);
  return process.env[name] && Number.isInteger(number) ? number : otherwise;
}

function remove(path) {
  try {
    require('fs').unlinkSync(path);
  } catch {
    // Nothing there.
  }
}

function exists(path) {
  return require('fs').existsSync(path);
}

function hasTlsServer() {
  if (typeof process._getActiveHandles !== 'function') return false;
  const loaded = process.moduleLoadList || [];
  if (!loaded.includes('NativeModule tls')) return false;
  const { Server } = require('tls');
  return process._getActiveHandles().some((handle) => handle instanceof Server);
}

/** One line for Forebay's log, from the first worker only: the others would say the same. */
function say(text) {
  const worker = process.env.FOREBAY_WORKER;
  if (worker === undefined || worker === '0') process.stderr.write(`forebay: ${text}\n`);
}
