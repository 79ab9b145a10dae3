// One connection to a shard of the front: reads frames, keeps the table of streams, writes all output of a turn at once.
//
// A read brings many frames. They are decoded first, which keeps the protocol's books; what concerns the application is
// noted and run afterwards, so that an exception in a handler leaves the rest intact and crashes (or not) as node does.
// Output collects in one buffer and leaves at the end of the read, or in the next tick for what is answered later.
//
// Writing goes straight to the descriptor where there is one: a synchronous write spares a request object and a callback.
// What the kernel does not take at once goes to the stream, and until it is gone the link is `blocked`: bodies wait in
// their exchanges, and what collects here is heads and small bodies, bounded by the number of streams.
'use strict';

const fs = require('fs');
const net = require('net');
const { Decoder } = require('../pipe/decode.cjs');
const { Encoder } = require('../pipe/encode.cjs');
const wire = require('../pipe/wire.cjs');
const { dispatch } = require('./dispatch.cjs');
const { Exchange } = require('./exchange.cjs');
const { Habits, Learned } = require('./learn.cjs');

const { CODE, FLAG, ProtocolError } = wire;
// The application may replace fs's functions later.
const { writeSync, writevSync } = fs;

const READ_BYTES = 256 * 1024;
/** One turn's output beyond this is written at once: memory, and the front need not wait. */
const OUTPUT_BYTES_MAX = 512 * 1024;
/** Reads are handled before the next one begins, so that all links can share a buffer; not where reads are overlapped. */
let shared;
function readBuffer() {
  if (process.platform === 'win32') return Buffer.allocUnsafeSlow(READ_BYTES);
  return (shared ??= Buffer.allocUnsafeSlow(READ_BYTES));
}

/** What there is to do for the application. */
const JOB = { REQUEST: 0, DATA: 1, END: 2, RESET: 3, GRANT: 4, PING: 5 };

class Link {
  /**
   * `owner` is told: greeted, began, finished, pinged, closed. `hello` is what HELLO says. `connect` makes the socket, if
   * it is not to be a real one.
   */
  constructor(owner, server, path, hello, connect = net.connect) {
    this.owner = owner;
    this.server = server;
    this.path = path;
    this.learned = owner.learned ?? new Learned(server);
    this.habits = new Habits();
    this.encoder = new Encoder();
    this.decoder = new Decoder(this);
    /** Credit of a new stream, the front's and ours. */
    this.creditInitial = 0;
    this.windowOwn = wire.WINDOW_BYTES_DEFAULT;
    this.dataBytesMax = 0;
    this.streams = [];
    this.open = 0;
    this.inFlight = 0;
    this.isGreeted = false;
    this.isClosed = false;
    /** No more requests are taken; the link closes when the last is done. */
    this.isEnding = false;
    this.isDrained = false;
    this.jobs = [];
    this.jobAt = 0;
    this.isReading = false;
    this.isScheduled = false;
    this.blocked = false;
    this.waiting = new Set();
    this.externals = null;
    this.externalBytes = 0;
    this.flushNow = () => {
      this.isScheduled = false;
      this.flush();
    };
    this.encoder.hello(hello);
    const callback = (bytes, buffer) => this.read(bytes, buffer);
    this.socket = connect({ path, onread: { buffer: readBuffer(), callback } });
    this.socket.on('connect', () => this.flush());
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.close());
  }

  // Input.

  read(bytes, buffer) {
    this.isReading = true;
    try {
      this.decoder.push(buffer, 0, bytes);
    } catch (error) {
      this.isReading = false;
      if (!(error instanceof ProtocolError)) throw error;
      this.socket.destroy();
      return true;
    }
    this.run();
    return !this.isClosed;
  }

  /** Does what the application is concerned with, then writes. */
  run() {
    const { jobs } = this;
    let completed = false;
    try {
      while (this.jobAt < jobs.length) {
        const at = this.jobAt;
        this.jobAt += 3;
        this.runJob(jobs[at], jobs[at + 1], jobs[at + 2]);
      }
      completed = true;
    } finally {
      this.isReading = false;
      if (completed) {
        jobs.length = 0;
        this.jobAt = 0;
        this.flush();
      } else {
        // A handler has thrown, and node reports it. If the process survives, the others go on.
        this.schedule();
        setImmediate(() => this.run());
      }
    }
  }

  runJob(kind, exchange, argument) {
    switch (kind) {
      case JOB.REQUEST:
        dispatch(exchange);
        break;
      case JOB.DATA:
        exchange.data(argument);
        break;
      case JOB.END:
        exchange.endOfBody(argument);
        break;
      case JOB.RESET:
        exchange.wasReset();
        break;
      case JOB.GRANT:
        exchange.pump();
        break;
      default:
        this.owner.pinged(this, argument);
    }
  }

  // The decoder's handler.

  welcome(welcome) {
    this.creditInitial = welcome.window;
    this.dataBytesMax = welcome.dataBytesMax;
    this.encoder.dataBytesMax = welcome.dataBytesMax;
    this.streamsMax = welcome.streamsMax;
    this.isGreeted = true;
    this.owner.greeted(this, welcome);
  }

  request(id, head, bodyBytes) {
    const slot = id & 0xffff;
    if (slot > this.streamsMax) throw new ProtocolError('bad_stream');
    if (this.streams[slot] !== undefined) throw new ProtocolError('bad_state');
    const exchange = new Exchange(this, id, head);
    const ends = (head.flags & FLAG.END) !== 0;
    // With END the body ends with the bytes in this frame, if there are any.
    exchange.remoteDone = ends && bodyBytes === 0;
    exchange.isBodiless = exchange.remoteDone;
    exchange.creditIn -= bodyBytes;
    this.streams[slot] = exchange;
    this.open++;
    if (this.isEnding) {
      exchange.reset(CODE.REFUSED);
      return;
    }
    exchange.isCounted = true;
    this.inFlight++;
    this.owner.began(this);
    this.jobs.push(JOB.REQUEST, exchange, undefined);
  }

  data(id, chunk, ends, begins) {
    const exchange = this.find(id);
    if (exchange === undefined || exchange.remoteDone) throw new ProtocolError('bad_stream');
    if (begins > 0) {
      exchange.creditIn -= begins;
      if (exchange.creditIn < 0) throw new ProtocolError('credit_exceeded');
    }
    this.jobs.push(JOB.DATA, exchange, chunk);
    if (ends) this.end(id, []);
  }

  end(id, trailers) {
    const exchange = this.find(id);
    if (exchange === undefined || exchange.remoteDone) throw new ProtocolError('bad_state');
    exchange.remoteDone = true;
    this.jobs.push(JOB.END, exchange, trailers);
    if (exchange.localDone) this.release(exchange);
  }

  reset(id) {
    const exchange = this.find(id);
    // It may have crossed the end of the response.
    if (exchange === undefined) return;
    exchange.remoteDone = true;
    if (exchange.localDone) {
      this.release(exchange);
    } else {
      this.encoder.reset(id, CODE.CANCELLED);
      exchange.localEnded();
    }
    this.jobs.push(JOB.RESET, exchange, undefined);
  }

  window(id, credit) {
    const exchange = this.find(id);
    if (exchange === undefined) return;
    exchange.credit += credit;
    if (exchange.queued > 0) this.jobs.push(JOB.GRANT, exchange, undefined);
  }

  ping(token) {
    this.jobs.push(JOB.PING, undefined, token);
  }

  drain() {
    this.isDrained = true;
    this.stopTaking();
  }

  find(id) {
    const exchange = this.streams[id & 0xffff];
    return exchange !== undefined && exchange.id === id ? exchange : undefined;
  }

  /** Both halves are done: the front may use the slot again. */
  release(exchange) {
    const slot = exchange.id & 0xffff;
    if (this.streams[slot] !== exchange) return;
    this.streams[slot] = undefined;
    this.open--;
    if (this.isEnding) this.endIfIdle();
  }

  /** The application's part of an exchange is over. */
  settled(exchange) {
    if (!exchange.isCounted) return;
    exchange.isCounted = false;
    this.inFlight--;
    if (exchange.resource !== null) exchange.resource.emitDestroy();
    this.owner.finished(this, exchange);
    if (this.isEnding) this.endIfIdle();
  }

  // Output.

  /** There is output: it leaves at the end of this read, or else in the next tick. */
  wrote() {
    if (!this.isReading && !this.isScheduled) this.schedule();
    if (this.encoder.length + this.externalBytes > OUTPUT_BYTES_MAX && !this.blocked) this.flush();
  }

  schedule() {
    if (this.isScheduled) return;
    this.isScheduled = true;
    if (process._exiting) this.flushNow();
    else process.nextTick(this.flushNow);
  }

  /** Bytes that come next, from where they are. */
  external(bytes) {
    if (this.externals === null) this.externals = [];
    this.externals.push(this.encoder.length, bytes);
    this.externalBytes += bytes.byteLength;
  }

  /** Writes what there is, unless earlier output still waits. */
  flush() {
    const { encoder, socket } = this;
    if (encoder.length === 0 || this.blocked || this.isClosed || socket.connecting) return;
    const fd = process.platform === 'win32' ? -1 : (socket._handle?.fd ?? -1);
    if (this.externals === null) {
      const written = fd < 0 ? 0 : tryWrite(fd, encoder.buffer, encoder.length);
      if (written < encoder.length) this.writeLater([Buffer.from(encoder.buffer.subarray(written, encoder.length))]);
    } else {
      this.flushParts(fd);
    }
    encoder.clear();
  }

  flushParts(fd) {
    const { encoder, externals } = this;
    const parts = [];
    let at = 0;
    for (let i = 0; i < externals.length; i += 2) {
      if (externals[i] > at) parts.push(encoder.buffer.subarray(at, externals[i]));
      at = externals[i];
      parts.push(externals[i + 1]);
    }
    if (encoder.length > at) parts.push(encoder.buffer.subarray(at, encoder.length));
    this.externals = null;
    this.externalBytes = 0;
    let written = fd < 0 ? 0 : tryWritev(fd, parts);
    const rest = [];
    for (const part of parts) {
      if (written >= part.byteLength) {
        written -= part.byteLength;
        continue;
      }
      const left = part.subarray(written);
      // The encoder's buffer is used again.
      rest.push(left.buffer === encoder.buffer.buffer ? Buffer.from(left) : left);
      written = 0;
    }
    if (rest.length > 0) this.writeLater(rest);
  }

  /** What the kernel has no room for. */
  writeLater(parts) {
    this.blocked = true;
    const { socket } = this;
    socket.cork();
    for (let i = 0; i < parts.length - 1; i++) socket.write(parts[i]);
    socket.write(parts[parts.length - 1], () => this.unblocked());
    socket.uncork();
  }

  unblocked() {
    this.blocked = false;
    if (this.isClosed) return;
    for (const exchange of [...this.waiting]) {
      exchange.pump();
      if (this.blocked) break;
    }
    this.flush();
    if (this.isEnding) this.endIfIdle();
  }

  // Ends.

  /** Takes no more requests, and closes when those that are open are done. */
  stopTaking() {
    if (this.isEnding) return;
    this.isEnding = true;
    this.endIfIdle();
  }

  endIfIdle() {
    if (this.open > 0 || this.inFlight > 0 || this.isClosed) return;
    this.flush();
    if (!this.blocked && this.encoder.length === 0) this.socket.end();
  }

  /** The connection is gone, and so is every client on it. */
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    const { streams } = this;
    this.streams = [];
    this.open = 0;
    for (const exchange of streams) {
      if (exchange === undefined) continue;
      exchange.localDone = true;
      exchange.remoteDone = true;
      exchange.wasReset();
    }
    this.encoder.clear();
    this.owner.closed(this);
  }
}

/** Bytes that were taken; none when there is no room. */
function tryWrite(fd, buffer, length) {
  try {
    return writeSync(fd, buffer, 0, length);
  } catch {
    // No room now (EAGAIN), or the other side has gone, which the stream reports.
    return 0;
  }
}

function tryWritev(fd, parts) {
  try {
    return writevSync(fd, parts);
  } catch {
    return 0;
  }
}

module.exports = { Link };
