// One request and its response on a stream of a link: credits, what waits for credit, and how it ends.
//
// The link calls what the front did (data, endOfBody, wasReset, grant), the patched methods of the response call what the
// application does (send, endNow, endStream), the socket what happens to it (wantBody, socketDestroyed). Application code
// runs in the exchange's own AsyncResource, so that no context leaks from one request into another.
//
// Invariants: nothing is sent on a stream whose local half is done; body bytes beyond the front's credit, or while the
// link is backed up, wait in `queue`; the exchange leaves the link's table when both halves are done.
'use strict';

const { CODE, FLAG, UnsendableError } = require('../pipe/wire.cjs');
const { kNeedDrain, nop } = require('./hidden.cjs');
const { goneByClient, kGone, kReal } = require('./socket.cjs');
const { RawText } = require('./rawtext.cjs');
const { settleSoon } = require('./settle.cjs');

/** Chunks from here on are written from where they are. */
const COPY_BYTES_MAX = 8 * 1024;

class Exchange {
  constructor(link, id, head) {
    this.link = link;
    this.id = id;
    this.head = head;
    this.server = link.server;
    this.req = null;
    this.res = null;
    this.socket = null;
    this.resource = null;
    this.bytesIn = 0;
    this.bytesOut = 0;
    /** Body bytes that may be sent and received, and those received that were not granted again. */
    this.credit = link.creditInitial;
    this.creditIn = link.windowOwn;
    this.owed = 0;
    this.localDone = false;
    this.remoteDone = false;
    /** What the response's head became: see response.cjs. */
    this.headSent = false;
    this.head2 = null;
    /** Chunks and callbacks in turn, and the bytes in them. */
    this.queue = null;
    this.queued = 0;
    this.onFlushed = null;
    /** end() by the long way: it runs; it has run, and what waits is all there is. */
    this.inEnd = false;
    this.ending = false;
    /** There is no body; its end is held back until somebody reads. */
    this.isBodiless = false;
    this.eofPending = false;
    this.isRaw = false;
    this.areHeadersMade = false;
    this.settled = false;
    /** Whether the link and the server count it as in flight. */
    this.isCounted = false;
    this.raw = null;
  }

  inScope(run, self, ...args) {
    return this.resource === null ? run.apply(self, args) : this.resource.runInAsyncScope(run, self, ...args);
  }

  // What the front did.

  /** A part of the request's body. */
  data(chunk) {
    this.owed += chunk.length;
    this.bytesIn += chunk.length;
    if (this.isRaw) return this.raw.received(chunk);
    const { req } = this;
    if (req !== null && !req._dumped && !req.destroyed) {
      this.socket.timeout && this.socket._unrefTimer();
      this.inScope(req.push, req, chunk);
    }
    this.grantBack();
    return undefined;
  }

  /** The request's body has ended. */
  endOfBody(trailers) {
    if (this.isRaw) return this.raw.ended();
    const { req } = this;
    if (req === null || req.destroyed) return undefined;
    req.complete = true;
    if (trailers.length > 0) req._addHeaderLines(trailers, trailers.length);
    this.inScope(req.push, req, null);
    return undefined;
  }

  /** The front gave up: the client has gone. Its frames were answered already; this is the application's part. */
  wasReset() {
    this.dropQueue();
    const { socket } = this;
    if (this.settled) return;
    // It was given up before the application saw it.
    if (socket === null) this.socketClosed();
    else this.inScope(closedByClient, this, socket);
  }

  /** More credit. */
  grant(bytes) {
    this.credit += bytes;
    if (this.queued > 0) this.pump();
  }

  // The socket, where it carries raw bytes.

  wantRaw() {
    if (this.isRaw) this.raw.grantBack();
  }

  writeRaw(chunk, callback) {
    this.raw ??= new RawText(this);
    this.raw.write(chunk, callback);
  }

  endRaw(callback) {
    if (this.raw === null) this.raw = new RawText(this);
    this.raw.end(callback);
  }

  // The request's body.

  /** Somebody reads: hands out the end that was held back, or grants what was read. */
  wantBody() {
    if (this.eofPending) {
      this.eofPending = false;
      if (!this.req.destroyed) this.req.push(null);
    } else if (this.owed > 0) {
      this.grantBack(0);
    }
  }

  /**
   * Grants what the application has used up, once that is half of the window. A stream asks for more before it hands out
   * what it holds, and not again until more came: what it holds then counts as used, else nobody would grant it.
   */
  grantBack(held = this.held()) {
    if (this.remoteDone || this.isRaw) return;
    const { link } = this;
    const used = this.owed - held;
    if (used < link.windowOwn / 2) return;
    this.owed = held;
    this.creditIn += used;
    link.encoder.window(this.id, used);
    link.wrote();
  }

  /** Bytes of the body that the application has not read. */
  held() {
    const { req } = this;
    return req === null || req._dumped || req.destroyed ? 0 : req.readableLength;
  }

  // The response.

  /** Sends the head, with what of the body is at hand. */
  sendHead(flags, body, encoding) {
    const head = this.head2;
    // Without END the front would not know the length.
    if ((flags & FLAG.END) === 0 && head.length >= 0) head.fields.push('Content-Length', `${head.length}`);
    this.headSent = true;
    // An informational status is none for a response; node would leave the client waiting.
    if (head.status < 200) return this.refuse(CODE.PROTOCOL);
    try {
      return this.link.encoder.response(this.id, head.flags | flags, head.status, head.reason, head.fields, body, encoding);
    } catch (error) {
      if (!(error instanceof UnsendableError)) throw error;
      process.emitWarning(`a response cannot be sent: ${error.message}`, 'ForebayWarning');
      return this.refuse(CODE.INTERNAL);
    }
  }

  /** This head cannot be sent: the client gets an error, the application goes on. Returns the bytes of body sent: none. */
  refuse(code) {
    this.reset(code);
    return 0;
  }

  /** A whole body that fits: head, body and end in one go. False if it has to go the long way. */
  fits(chunk) {
    if (this.queued > 0 || this.headSent || this.localDone || this.raw !== null) return false;
    // A character is at most three bytes.
    const bytes = typeof chunk === 'string' ? chunk.length * 3 : chunk.byteLength;
    return bytes <= this.link.dataBytesMax && bytes <= this.credit && (typeof chunk === 'string' || bytes < COPY_BYTES_MAX);
  }

  /** Head, body (or undefined) and end, after fits(). */
  endNow(res, body, encoding) {
    const stop = this.stopFlag();
    if (this.head2.chunked) {
      this.bytesOut += this.sendHead(0, body, encoding);
      if (!this.localDone) this.link.encoder.end(this.id, stop, this.trailers(res));
    } else {
      this.bytesOut += this.sendHead(FLAG.END | stop, body, encoding);
    }
    if (!this.localDone) this.localEnded();
    settleSoon(this);
  }

  /** Body bytes on their way. Returns whether more are welcome, as write() does. */
  send(data, encoding, callback) {
    const { link, socket } = this;
    if (this.localDone || socket[kGone]) {
      // Refused, not aborted: it ends like any other.
      if (this.inEnd && !socket[kGone] && typeof callback === 'function') process.nextTick(callback);
      return false;
    }
    if (socket.timeout) socket._unrefTimer();
    if (data.length > 0) {
      const isString = typeof data === 'string';
      const bytes = isString ? data.length * 3 : data.byteLength;
      // With a strict length end() may throw after it has sent; so nothing leaves until it returns.
      const isHeld = this.inEnd && this.res.strictContentLength;
      const direct = this.queued === 0 && !isHeld && !link.blocked && bytes <= this.credit && bytes <= link.dataBytesMax;
      if (direct && (isString || bytes < COPY_BYTES_MAX)) {
        const sent = this.headSent
          ? link.encoder.data(this.id, data, encoding)
          : this.sendHead(0, data, encoding);
        this.credit -= sent;
        this.bytesOut += sent;
        link.wrote();
      } else {
        const chunk = isString ? Buffer.from(data, encoding) : data;
        if (this.queue === null) this.queue = [];
        this.queue.push(chunk, callback);
        this.queued += chunk.byteLength;
        callback = undefined;
        if (!isHeld) this.pump();
      }
    } else if (!this.inEnd && !this.headSent && this.head2 !== null) {
      this.sendHead(0);
      link.wrote();
    }
    if (typeof callback === 'function' && callback !== nop) {
      if (this.queued === 0) process.nextTick(callback);
      else if (this.inEnd) this.onFlushed = callback;
      else this.queue[this.queue.length - 1] = chain(this.queue[this.queue.length - 1], callback);
    }
    return this.queued < socket.writableHighWaterMark;
  }

  /** Sends of the queue what credit and the link allow. */
  pump() {
    const { link, queue } = this;
    if (this.queued === 0 || this.localDone) return;
    if (!this.headSent) {
      this.sendHead(0);
      link.wrote();
      if (this.localDone) return;
    }
    let at = 0;
    while (at < queue.length && !link.blocked && this.credit > 0) {
      const chunk = queue[at];
      const bytes = Math.min(chunk.byteLength, this.credit, link.dataBytesMax);
      if (bytes > 0) this.sendPart(bytes === chunk.byteLength ? chunk : chunk.subarray(0, bytes));
      if (bytes < chunk.byteLength) {
        queue[at] = chunk.subarray(bytes);
      } else {
        const callback = queue[at + 1];
        at += 2;
        if (typeof callback === 'function' && callback !== nop) process.nextTick(runCallback, this, callback);
      }
    }
    if (at > 0) queue.splice(0, at);
    if (this.queued > 0) link.waiting.add(this);
    else this.drained();
  }

  sendPart(part) {
    const { link } = this;
    const bytes = part.byteLength;
    if (bytes < COPY_BYTES_MAX) {
      link.encoder.data(this.id, part);
    } else {
      link.encoder.dataHeader(this.id, bytes);
      link.external(part);
    }
    this.credit -= bytes;
    this.queued -= bytes;
    this.bytesOut += bytes;
    link.wrote();
  }

  /** Nothing waits any more. */
  drained() {
    const { res } = this;
    this.link.waiting.delete(this);
    if (this.raw !== null) return undefined;
    if (this.ending) return this.finishStream();
    if (res[kNeedDrain] && !res.finished && !res.destroyed) {
      // In a turn of its own: write() has not even returned yet when everything was sent at once.
      process.nextTick(emitDrain, this);
    }
    return undefined;
  }

  /** The application has called end() by the long way; what waits is sent first. */
  endStream() {
    this.ending = true;
    if (this.queued === 0) this.finishStream();
    else this.pump();
  }

  finishStream() {
    if (this.localDone) return;
    const { res, link } = this;
    const stop = this.stopFlag();
    const isWhole = !this.headSent && !this.head2.chunked;
    if (!this.headSent) this.sendHead(isWhole ? FLAG.END | stop : 0);
    if (!this.localDone) {
      if (!isWhole) link.encoder.end(this.id, stop, this.trailers(res));
      this.localEnded();
    }
    const callback = this.onFlushed;
    this.onFlushed = null;
    if (callback !== null) process.nextTick(runCallback, this, callback);
  }

  /** Whether the rest of the request's body is of no use: the client's connection closes, and nobody reads. */
  stopFlag() {
    return !this.remoteDone && (this.head2.flags & FLAG.CLOSE) !== 0 && !this.req._consuming ? FLAG.STOP : 0;
  }

  /** Trailer fields, out of the text that node made of them. */
  trailers(res) {
    if (res._trailer === '' || !this.head2.chunked) return undefined;
    const list = [];
    for (const line of res._trailer.split('\r\n')) {
      const colon = line.indexOf(': ');
      if (colon > 0) list.push(line.slice(0, colon), line.slice(colon + 2));
    }
    return list;
  }

  // Ends.

  localEnded() {
    this.localDone = true;
    const { link } = this;
    link.wrote();
    if (this.remoteDone) link.release(this);
  }

  /** Gives the exchange up. */
  reset(code) {
    if (this.localDone) return;
    this.dropQueue();
    this.link.encoder.reset(this.id, code);
    this.localEnded();
  }

  dropQueue() {
    const { queue } = this;
    if (queue === null || queue.length === 0) return;
    this.queue = null;
    this.queued = 0;
    this.link.waiting.delete(this);
    const error = Object.assign(new Error('Cannot call write after a stream was destroyed'), { code: 'ERR_STREAM_DESTROYED' });
    for (let i = 1; i < queue.length; i += 2) {
      if (typeof queue[i] === 'function' && queue[i] !== nop) process.nextTick(runCallback, this, queue[i], error);
    }
  }

  /** The application has destroyed the socket: only this client is cut off. */
  socketDestroyed() {
    if (this.localDone) return;
    if (this.isRaw && !this.socket._hadError) {
      // What was sent arrives, as from a real socket; then the client's connection ends.
      this.dropQueue();
      this.link.encoder.end(this.id, this.remoteDone ? 0 : FLAG.STOP);
      this.localEnded();
    } else {
      this.reset(CODE.CANCELLED);
    }
  }

  /** The socket has closed: what node's server does on that. */
  socketClosed() {
    if (this.settled) return;
    this.settled = true;
    const { req, res } = this;
    if (req !== null && !req.upgrade) req.destroy(connectionReset());
    if (res !== null && !res._closed) {
      res.destroyed = true;
      res._closed = true;
      res.emit('close');
    }
    this.link.settled(this);
  }

  /** As node's server does on a socket's timeout. */
  timedOut() {
    this.inScope(onTimeout, this, this.req, this.res, this.socket, this.server);
  }
}

function onTimeout(req, res, socket, server) {
  const byReq = !req.upgrade && !req.complete && req.emit('timeout', socket);
  const byRes = socket._httpMessage !== null && res !== null && res.emit('timeout', socket);
  const byServer = !req.upgrade && server.emit('timeout', socket);
  socket.emit('timeout');
  if (!byReq && !byRes && !byServer && !req.upgrade) socket.destroy();
}

/** The other end of `socket` has gone. In the scope of its exchange, which is `this`. */
function closedByClient(socket) {
  if (socket[kReal]) {
    socket.destroy();
    return;
  }
  goneByClient(socket);
  this.socketClosed();
  socket.emit('close', false);
}

function emitDrain(exchange) {
  const { res } = exchange;
  if (exchange.queued > 0 || !res[kNeedDrain] || res.finished || res.destroyed) return;
  res[kNeedDrain] = false;
  exchange.inScope(res.emit, res, 'drain');
}

function runCallback(exchange, callback, error) {
  exchange.inScope(callback, undefined, error);
}

function chain(first, second) {
  if (typeof first !== 'function' || first === nop) return second;
  return (error) => {
    first(error);
    second(error);
  };
}

function connectionReset() {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
}

module.exports = { closedByClient, Exchange };
