// What an application sees as `req.socket`: one object for each exchange, an instance of net.Socket without a handle.
//
// Most applications only ask it for facts (address, port, encrypted, readable) and listen for 'close'. So it begins as an
// object with hardly a field: defaults are on the prototype, facts are read out of the request's head. What needs the
// machinery of streams (data, writes, destroy) turns it into a real Duplex at that moment, once and for good.
//
// Deliberately does not: stand for a client's connection. The front multiplexes, so the next request of the same client
// has another socket; `remoteAddress` and `remotePort` are the client's.
'use strict';

const EventEmitter = require('events');
const net = require('net');
const { Duplex } = require('stream');
const { FLAG } = require('../pipe/wire.cjs');
const { kExchange } = require('./hidden.cjs');

const kReal = Symbol('forebay.real');
const kGone = Symbol('forebay.gone');
/** On servers: whether they listen on IPv4 and IPv6 alike. */
const kDual = Symbol('forebay.dual');
const kCorks = Symbol('forebay.corks');

const plain = EventEmitter.prototype;
const sample = new Duplex();
const HIGH_WATER_MARK = sample.readableHighWaterMark;

/** What node's end() sets on the socket's state; there is nothing behind it while the socket is light. */
const uncorked = { corked: 0 };
let ending;

function Socket(exchange, server) {
  this[kExchange] = exchange;
  this[kReal] = false;
  this[kGone] = false;
  this[kCorks] = 0;
  this.server = server;
  this._httpMessage = null;
}
Object.setPrototypeOf(Socket.prototype, net.Socket.prototype);

/** Makes the socket a Duplex. */
function makeReal(socket) {
  socket[kReal] = true;
  const state = { value: undefined, writable: true, enumerable: true, configurable: true };
  Object.defineProperty(socket, '_readableState', state);
  Object.defineProperty(socket, '_writableState', state);
  const highWaterMark = socket.server.highWaterMark;
  // 'close' is emitted by _destroy, with the argument that sockets have.
  const options = { allowHalfOpen: true, autoDestroy: true, emitClose: false, highWaterMark };
  Duplex.call(socket, options);
  if (socket[kGone]) {
    socket.on('error', () => {});
    Duplex.prototype.destroy.call(socket);
  }
}

/** The descriptor of what net.Socket or a stream has under this name. */
function inherited(name) {
  for (let at = net.Socket.prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function define(name, descriptor) {
  Object.defineProperty(Socket.prototype, name, { configurable: true, enumerable: false, ...descriptor });
}

/** A property of streams that is known while the socket is light. */
function light(name, read) {
  const own = inherited(name);
  if (own === undefined || own.get === undefined) return;
  define(name, {
    get() {
      return this[kReal] ? own.get.call(this) : read(this);
    },
    set(value) {
      if (own.set === undefined) return;
      if (!this[kReal]) makeReal(this);
      own.set.call(this, value);
    },
  });
}

/** A method of streams that means less while the socket is light. */
function method(name, lightly) {
  const own = inherited(name).value;
  const replacement = {
    [name](...args) {
      return this[kReal] ? own.apply(this, args) : lightly.call(this, own, ...args);
    },
  }[name];
  define(name, { value: replacement, writable: true });
}

for (const name of ['_readableState', '_writableState']) {
  define(name, {
    get() {
      if (ending === this) return uncorked;
      if (this === Socket.prototype) return undefined;
      makeReal(this);
      return this[name];
    },
    set(value) {
      Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
    },
  });
}

light('readable', (socket) => !socket[kGone]);
light('writable', (socket) => !socket[kGone]);
light('destroyed', (socket) => socket[kGone]);
light('closed', (socket) => socket[kGone]);
light('errored', () => null);
light('readableHighWaterMark', (socket) => socket.server.highWaterMark ?? HIGH_WATER_MARK);
light('writableHighWaterMark', (socket) => socket.server.highWaterMark ?? HIGH_WATER_MARK);
light('writableCorked', (socket) => socket[kCorks]);
light('writableEnded', () => false);
light('writableFinished', () => false);
light('writableNeedDrain', (socket) => socket[kExchange].queued > 0);
light('readableEnded', () => false);
light('readableLength', () => 0);
light('readableFlowing', () => null);
{
  const own = inherited('writableLength');
  define('writableLength', {
    get() {
      const { isRaw, queued } = this[kExchange];
      // A raw stream counts what waits itself.
      if (isRaw) return own.get.call(this);
      return (this[kReal] ? own.get.call(this) : 0) + queued;
    },
  });
}

method('cork', function () {
  this[kCorks]++;
});
method('uncork', function () {
  if (this[kCorks] > 0) this[kCorks]--;
});

// Streams look at their state for each listener; only these events need one.
const STREAMING = new Set(['data', 'readable', 'end', 'drain', 'finish', 'pipe', 'unpipe']);
for (const name of ['on', 'addListener', 'prependListener']) {
  const plainly = plain[name];
  method(name, function (own, event, listener) {
    if (STREAMING.has(event)) {
      makeReal(this);
      return own.call(this, event, listener);
    }
    return plainly.call(this, event, listener);
  });
}
for (const name of ['removeListener', 'off', 'removeAllListeners']) {
  const plainly = plain[name];
  method(name, function (own, ...args) {
    return plainly.apply(this, args);
  });
}

/** Reading: an IncomingMessage asks its socket to flow when somebody wants its body. */
define('resume', {
  writable: true,
  value: function resume() {
    const exchange = this[kExchange];
    if (exchange.isRaw) return Duplex.prototype.resume.call(this);
    exchange.wantBody();
    return this;
  },
});
define('pause', {
  writable: true,
  value: function pause() {
    return this[kExchange].isRaw ? Duplex.prototype.pause.call(this) : this;
  },
});
define('read', {
  writable: true,
  value: function read(size) {
    return Duplex.prototype.read.call(this, size);
  },
});

define('_read', {
  writable: true,
  value: function _read() {
    this[kExchange].wantRaw();
  },
});
define('_write', {
  writable: true,
  value: function _write(chunk, encoding, callback) {
    this[kExchange].writeRaw(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk, callback);
  },
});
define('_writev', { writable: true, value: null });
define('_final', {
  writable: true,
  value: function _final(callback) {
    this[kExchange].endRaw(callback);
  },
});
define('_destroy', {
  writable: true,
  value: function _destroy(error, callback) {
    this[kGone] = true;
    clearTimeout(this[kTimer]);
    this._hadError = Boolean(error);
    this[kExchange].socketDestroyed();
    callback(error);
    // A real socket closes its handle first: 'close' comes in a later turn.
    setImmediate(emitClose, this);
  },
});

function emitClose(socket) {
  const exchange = socket[kExchange];
  exchange.inScope(closed, undefined, exchange, socket);
}

function closed(exchange, socket) {
  exchange.socketClosed();
  socket.emit('close', socket._hadError);
}

/** The client has gone; whoever listens is told. */
function goneByClient(socket) {
  if (socket[kGone]) return;
  socket[kGone] = true;
  clearTimeout(socket[kTimer]);
}

// Timeouts: sockets keep their timer where only they know; this one keeps its own.
const kTimer = Symbol('forebay.timer');
define('setTimeout', {
  writable: true,
  value: function setTimeout(msecs, callback) {
    if (this.destroyed) return this;
    if (typeof msecs !== 'number' || !(msecs >= 0) || msecs === Infinity) {
      // The real one words the error.
      new net.Socket().setTimeout(msecs, callback);
      return this;
    }
    if (callback !== undefined && typeof callback !== 'function') new net.Socket().setTimeout(0, callback);
    this.timeout = msecs;
    clearTimeout(this[kTimer]);
    this[kTimer] = undefined;
    if (msecs === 0) {
      if (callback !== undefined) this.removeListener('timeout', callback);
      return this;
    }
    this[kTimer] = globalThis.setTimeout(onTimeout, Math.min(msecs, 2 ** 31 - 1), this).unref();
    if (callback !== undefined) this.once('timeout', callback);
    return this;
  },
});
define('_unrefTimer', {
  writable: true,
  value: function _unrefTimer() {
    this[kTimer]?.refresh();
  },
});

function onTimeout(socket) {
  if (socket.destroyed) return;
  socket[kExchange].timedOut();
}

define('resetAndDestroy', {
  writable: true,
  value: function resetAndDestroy() {
    return this.destroy();
  },
});

for (const name of ['setNoDelay', 'setKeepAlive', 'ref', 'unref']) {
  const { length } = net.Socket.prototype[name];
  const replacement = {
    [name]() {
      return this;
    },
  }[name];
  Object.defineProperty(replacement, 'length', { value: length, configurable: true });
  define(name, { value: replacement, writable: true });
}

// Facts. Nothing is known about the address that the client connected to but its port.
const facts = {
  remoteAddress: (head, exchange) => addressOf(head.clientAddress, exchange.server),
  remotePort: (head) => head.clientPort || undefined,
  remoteFamily: (head, exchange) => familyOf(addressOf(head.clientAddress, exchange.server)),
  localPort: (head) => head.localPort || undefined,
  localAddress: () => undefined,
  localFamily: () => undefined,
  encrypted: (head) => ((head.flags & FLAG.HTTPS) !== 0 ? true : undefined),
  bytesRead: (head, exchange) => exchange.bytesIn,
  bytesWritten: (head, exchange) => exchange.bytesOut,
  _bytesDispatched: (head, exchange) => exchange.bytesOut,
  connecting: () => false,
  pending: () => false,
};
for (const [name, fact] of Object.entries(facts)) {
  define(name, {
    get() {
      const exchange = this[kExchange];
      return fact(exchange.head, exchange);
    },
    set(value) {
      Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
    },
  });
}
define('readyState', {
  get() {
    return this.destroyed ? 'closed' : 'open';
  },
});
define('address', {
  writable: true,
  value: function address() {
    const { localPort } = this;
    return localPort === undefined ? {} : { port: localPort };
  },
});

/** Defaults that net.Socket's constructor would have set. */
const defaults = {
  _handle: null, _parent: null, _hadError: false, _host: null, _sockname: null, _peername: null, _server: null,
  _paused: false, allowHalfOpen: true, parser: null, _closeAfterHandlingError: false,
};
for (const [name, value] of Object.entries(defaults)) define(name, { value, writable: true });

/** An IPv4 client's address as it is seen on a socket for both families, where the application listens on such. */
function addressOf(address, server) {
  if (address === '') return undefined;
  if (server[kDual] === undefined) {
    const { address: own } = server.address() || {};
    server[kDual] = own === '::';
  }
  return server[kDual] && !address.includes(':') ? `::ffff:${address}` : address;
}

function familyOf(address) {
  if (address === undefined) return undefined;
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** Lets node's end() uncork a light socket without making it real. */
function whileEnding(socket, run) {
  const before = ending;
  ending = socket[kReal] ? undefined : socket;
  try {
    return run();
  } finally {
    ending = before;
  }
}

module.exports = { Socket, goneByClient, kGone, kReal, makeReal, whileEnding };
