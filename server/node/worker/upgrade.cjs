// Exchanges that become something else than HTTP: Upgrade and CONNECT, as raw bytes both ways through a real Duplex.
'use strict';

/** The raw side of an exchange: what its socket reads and writes once RAW was answered. */
class Raw {
  constructor(exchange) {
    this.exchange = exchange;
    this.finalCallback = undefined;
  }

  /** Bytes of the client's. */
  received(chunk) {
    const { exchange } = this;
    const { socket } = exchange;
    if (socket.destroyed) {
      this.grantBack();
      return;
    }
    if (socket.timeout) socket._unrefTimer();
    exchange.inScope(socket.push, socket, chunk);
    this.grantBack();
  }

  /** The client sends no more. */
  ended() {
    const { exchange } = this;
    const { socket } = exchange;
    if (socket.destroyed) return;
    exchange.inScope(socket.push, socket, null);
    // As net.Socket: without a reader 'end' would never come, and nobody would hear that the client has gone.
    exchange.inScope(socket.read, socket, 0);
  }

  /** Grants what was read, once that is half of the window. */
  grantBack() {
    const { exchange } = this;
    const { link, socket } = exchange;
    if (exchange.remoteDone || link.isClosed) return;
    const held = socket.destroyed ? 0 : socket.readableLength;
    const used = exchange.owed - held;
    if (used < link.windowOwn / 2) return;
    exchange.owed = held;
    exchange.creditIn += used;
    link.encoder.window(exchange.id, used);
    link.wrote();
  }

  write(chunk, callback) {
    const { exchange } = this;
    if (exchange.localDone) {
      callback(Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' }));
      return;
    }
    const { socket } = exchange;
    if (socket.timeout) socket._unrefTimer();
    if (chunk.byteLength === 0) {
      callback();
      return;
    }
    exchange.queue ??= [];
    exchange.queue.push(chunk, undefined);
    exchange.queued += chunk.byteLength;
    exchange.pump();
    // As a real socket: what could be written at once is done when write() returns.
    if (exchange.queued === 0) callback();
    else exchange.queue[exchange.queue.length - 1] = callback;
  }

  end(callback) {
    const { exchange } = this;
    if (!exchange.localDone) {
      exchange.link.encoder.end(exchange.id);
      exchange.localEnded();
    }
    callback();
  }
}

/** Whether the application takes this upgrade; what it does not take is an ordinary request. */
function isWanted(server, req) {
  if (req.method === 'CONNECT') return true;
  // Newer versions let the server decide; by default it does by its listeners.
  if (typeof server.shouldUpgradeCallback === 'function') return Boolean(server.shouldUpgradeCallback(req));
  return server.listenerCount('upgrade') > 0;
}

/** Answers RAW and hands the socket to the application. */
function upgrade(exchange) {
  const { server, req, socket, link } = exchange;
  const event = req.method === 'CONNECT' ? 'connect' : 'upgrade';
  req.upgrade = true;
  req.complete = true;
  req.push(null);
  exchange.isRaw = true;
  exchange.raw = new Raw(exchange);
  exchange.headSent = true;
  link.encoder.raw(exchange.id);
  link.wrote();
  if (server.listenerCount(event) === 0) {
    socket.destroy();
    return;
  }
  socket.readableFlowing = null;
  server.emit(event, req, socket, Buffer.alloc(0));
}

module.exports = { isWanted, upgrade };
