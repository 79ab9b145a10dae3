// What node:http itself offers: framing, events, back-pressure, time-outs, contexts, upgrades.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { createHash } = require('node:crypto');
const channels = require('node:diagnostics_channel');
const http = require('node:http');
const { pipeline } = require('node:stream');

/** What happened, by the name that a client gave it. */
const events = new Map();
const context = new AsyncLocalStorage();
const published = { start: 0, finish: 0 };
channels.subscribe('http.server.request.start', () => published.start++);
channels.subscribe('http.server.response.finish', () => published.finish++);

function watch(req, res, name) {
  const list = [];
  events.set(name, list);
  for (const event of ['end', 'aborted', 'close']) req.on(event, () => list.push(`req ${event}`));
  req.on('error', (error) => list.push(`req error ${error.code}`));
  for (const event of ['prefinish', 'finish', 'close']) res.on(event, () => list.push(`res ${event}`));
  res.on('error', (error) => list.push(`res error ${error.code}`));
  res.on('close', () => {
    const { writableEnded, writableFinished, destroyed, headersSent } = res;
    list.push(JSON.stringify({ writableEnded, writableFinished, destroyed, headersSent, complete: req.complete }));
  });
}

const json = (res, value) => res.end(JSON.stringify(value));

const routes = {
  '/events': (req, res, query) => json(res, events.get(query.get('name')) ?? []),
  '/published': (req, res) => json(res, { both: published.finish > 0 && published.start > published.finish }),
  '/watched': (req, res, query) => {
    watch(req, res, query.get('name'));
    req.resume().on('end', () => res.end('watched'));
  },
  '/abandoned': (req, res, query) => {
    watch(req, res, query.get('name'));
    res.write('begun');
  },
  '/trailers': (req, res) => {
    req.resume().on('end', () => {
      res.writeHead(200, { Trailer: 'X-Sum' });
      res.write(JSON.stringify({ trailers: req.trailers, raw: req.rawTrailers }));
      res.addTrailers({ 'X-Sum': '42' });
      res.end();
    });
  },
  '/hints': (req, res) => {
    res.writeProcessing();
    res.writeEarlyHints({ link: ['</a.css>; rel=preload', '</b.js>; rel=preload'] }, () => res.end('after the hints'));
  },
  '/head-array': (req, res) => {
    res.writeHead(299, 'My Own Words', ['X-A', '1', 'x-a', '2', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']);
    res.end('array');
  },
  '/head-calls': (req, res) => {
    res.setHeader('X-List', ['1', '2']).setHeader('X-Gone', 'x');
    res.removeHeader('x-gone');
    res.appendHeader('X-List', '3');
    res.setHeader('X-Latin', 'caf\u00e9');
    res.sendDate = false;
    const facts = { names: res.getHeaderNames(), raw: res.getRawHeaderNames(), has: res.hasHeader('X-LIST'), date: res.sendDate };
    // Together with a string, and only then, node writes a head in UTF-8.
    res.end(Buffer.from(JSON.stringify(facts)));
  },
  '/status': (req, res, query) => {
    res.statusCode = Number(query.get('code'));
    res.setHeader('ETag', '"t"');
    res.end(res.statusCode === 204 || res.statusCode === 304 ? undefined : 'body');
  },
  '/length': (req, res) => {
    res.setHeader('Content-Length', 5);
    res.end('hello');
  },
  '/no-length': (req, res) => {
    res.write('hel');
    res.write(Buffer.from('lo'));
    res.end();
  },
  '/corked': (req, res) => {
    res.cork();
    for (const piece of ['a', 'b', 'c']) res.write(piece);
    process.nextTick(() => (res.uncork(), res.end('d')));
  },
  '/callbacks': (req, res) => {
    const order = [];
    res.on('finish', () => order.push('finish'));
    res.write('x', () => order.push('write'));
    res.end('y', () => order.push('end'));
    res.on('close', () => events.set('callbacks', [...order, 'close']));
  },
  '/after-end': (req, res) => {
    res.end('first');
    const list = [];
    events.set('after-end', list);
    res.on('error', (error) => list.push(error.code));
    res.write('second', (error) => list.push(`callback ${error.code}`));
    try {
      res.setHeader('X-Late', '1');
    } catch (error) {
      list.push(error.code);
    }
  },
  '/large': (req, res) => {
    // A reader that rests makes writing stop, and makes it go on later.
    const seen = { refused: 0, drained: 0 };
    let left = 200;
    const piece = Buffer.alloc(100_000, 'large');
    const more = () => {
      while (left-- > 0) {
        if (!res.write(piece)) {
          seen.refused++;
          return res.once('drain', () => (seen.drained++, more()));
        }
      }
      events.set('large', [seen.refused > 0, seen.refused === seen.drained]);
      return res.end();
    };
    more();
  },
  '/slow-reader': async (req, res) => {
    const hash = createHash('sha1');
    let turns = 0;
    for await (const chunk of req) {
      hash.update(chunk);
      if (++turns % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    json(res, { sha1: hash.digest('hex'), complete: req.complete, ended: req.readableEnded });
  },
  '/echo': (req, res) => pipeline(req, res, () => {}),
  '/destroy': (req, res) => {
    res.writeHead(200, { 'Content-Length': 100 });
    res.write('part', () => res.destroy());
  },
  '/destroy-first': (req, res) => res.destroy(),
  '/timeout': (req, res) => {
    res.setTimeout(50, () => {
      res.statusCode = 504;
      res.end('too late');
    });
  },
  '/delay': (req, res, query) => setTimeout(() => res.end(`delayed ${query.get('ms')} `), Number(query.get('ms'))),
  '/context': async (req, res) => {
    const store = context.getStore();
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
    json(res, { same: store === context.getStore(), url: store.url === req.url });
  },
  '/handed-on': (req, res) => {
    // As frameworks do, with prototypes of their own.
    Object.setPrototypeOf(req, Object.create(http.IncomingMessage.prototype, { mine: { value: 1 } }));
    Object.setPrototypeOf(res, Object.create(http.ServerResponse.prototype, { mine: { value: 2 } }));
    const facts = { req: req.mine, res: res.mine, is: [req instanceof http.IncomingMessage, res instanceof http.ServerResponse] };
    json(res, { ...facts, same: res.req === req, version: [req.httpVersion, req.httpVersionMajor, req.httpVersionMinor] });
  },
  '/socket': (req, res) => {
    const { socket } = req;
    const facts = { same: socket === res.socket && socket === req.connection, encrypted: socket.encrypted, destroyed: socket.destroyed };
    const calls = ['setKeepAlive', 'setNoDelay', 'setTimeout', 'ref', 'unref', 'address', 'pause', 'resume'];
    json(res, { ...facts, calls: calls.filter((name) => typeof socket[name] !== 'function'), parser: 'parser' in socket });
  },
};

const server = http.createServer((req, res) => {
  const { pathname, searchParams } = new URL(req.url, 'http://x');
  context.run({ url: req.url }, () => {
    const route = routes[pathname];
    if (route) return route(req, res, searchParams);
    res.statusCode = 404;
    return res.end();
  });
});
server.on('checkContinue', (req, res) => {
  if (req.url === '/refuse') {
    res.writeHead(403, { 'Content-Length': 7 });
    return res.end('refused');
  }
  res.writeContinue();
  return server.emit('request', req, res);
});
server.on('upgrade', (req, socket, head) => {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${req.headers.upgrade}\r\n\r\n`);
  socket.write(`head ${head} `);
  socket.on('data', (data) => (String(data) === 'bye' ? socket.end('end') : socket.write(String(data).toUpperCase())));
});
server.listen(process.env.PORT, '127.0.0.1');
