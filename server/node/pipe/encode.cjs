// Encodes what a worker sends, frame after frame into one buffer.
'use strict';

const {
  VERSION, HEADER_BYTES, HEAD_FRAME_BYTES_MAX, FIELDS_MAX, NAME_BYTES_MAX, DEMOTE_BYTES_MAX, STACK_BYTES_MAX,
  ENDPOINT_BYTES_MAX, DATA_BYTES_DEFAULT, WINDOW_BYTES_DEFAULT, FLAG, CODES, UnsendableError, TYPE,
} = require('./wire.cjs');

const { HELLO, PONG, STATS, CLOSING, DEMOTE, STACK, RESPONSE, INFORM, DATA, END, RESET, WINDOW, RAW } = TYPE;
const { latin1Write, utf8Write, copy } = Buffer.prototype;
const NO_FIELDS = Object.freeze([]);
/** Strings up to this length are stored by a loop: a call into node costs as much as some thirty characters. */
const LOOP_LENGTH_MAX = 32;

const putLatin1 =
  typeof latin1Write === 'function'
    ? (buffer, string, at) => buffer.latin1Write(string, at, string.length)
    : (buffer, string, at) => buffer.write(string, at, 'latin1');
const putUtf8 =
  typeof utf8Write === 'function'
    ? (buffer, string, at, room) => buffer.utf8Write(string, at, room)
    : (buffer, string, at, room) => buffer.write(string, at, room, 'utf8');

/**
 * Encodes frames into one buffer. When a turn is over, write `buffer` up to `length` and call clear().
 *
 * Field lists are names and values in turn; a value is a string, something that becomes one, or an array of such, which
 * makes a field each. Names and values have to have been checked by node's own rules; the front takes anything else for
 * a broken worker.
 */
class Encoder {
  constructor(bytes = 64 * 1024) {
    this.initial = bytes;
    this.buffer = Buffer.allocUnsafeSlow(bytes);
    this.length = 0;
    /** What WELCOME announced. */
    this.dataBytesMax = DATA_BYTES_DEFAULT;
  }

  /** Forgets what was written. Memory that one turn needed beyond 1 MiB is given up. */
  clear() {
    this.length = 0;
    if (this.buffer.length > 1 << 20) this.buffer = Buffer.allocUnsafeSlow(this.initial);
  }

  /**
   * The greeting. `worker` and `generation` are what the environment says; `endpoint` is the path of the server that the
   * connection serves, if the front did not choose it.
   */
  hello(about) {
    const { worker, generation, pid = process.pid, features = 0, nodeVersion = process.version } = about;
    const { endpoint = '', window = WINDOW_BYTES_DEFAULT, dataBytesMax = DATA_BYTES_DEFAULT } = about;
    const version = nodeVersion.slice(0, 64);
    let path = Buffer.from(endpoint);
    // A part of a path would be another path.
    if (path.length > ENDPOINT_BYTES_MAX) path = path.subarray(0, 0);
    const at = this._begin(HELLO, 0, 32 + version.length + path.length);
    putLatin1(this.buffer, 'FBAY', at);
    this._u16(at + 4, VERSION);
    this._u16(at + 6, worker);
    this._u32(at + 8, features);
    this._u32(at + 12, generation);
    this._u32(at + 16, pid);
    this._u32(at + 20, window);
    this._u32(at + 24, dataBytesMax);
    this._u16(at + 28, version.length);
    putLatin1(this.buffer, version, at + 30);
    this._u16(at + 30 + version.length, path.length);
    this.buffer.set(path, at + 32 + version.length);
  }

  /** `token` is what ping() brought; the delay is in microseconds. */
  pong(token, delayMicros) {
    const at = this._begin(PONG, 0, 12);
    this.buffer.set(token, at);
    this._u32(at + 8, clamp32(delayMicros));
  }

  /** Bytes and microseconds, as PROTOCOL.md's STATS; utilisation from 0 to 1. */
  stats(stats) {
    const at = this._begin(STATS, 0, 68);
    this._u16(at, Math.round(Math.min(Math.max(stats.utilisation, 0), 1) * 10000));
    this._u16(at + 2, 0);
    this._u32(at + 4, clamp32(stats.delayMaxMicros));
    this._u64(at + 8, stats.heapUsed);
    this._u64(at + 16, stats.heapTotal);
    this._u64(at + 24, stats.external);
    this._u64(at + 32, stats.arrayBuffers);
    this._u64(at + 40, stats.rss);
    this._u32(at + 48, clamp32(stats.gcPauseMicros));
    this._u32(at + 52, clamp32(stats.gcCount));
    this._u32(at + 56, clamp32(stats.handles));
    this._u32(at + 60, clamp32(stats.outbound));
    this._u32(at + 64, clamp32(stats.inFlight));
  }

  closing() {
    this._begin(CLOSING, 0, 0);
  }

  demote(reason) {
    this._text(DEMOTE, reason, DEMOTE_BYTES_MAX);
  }

  stack(string) {
    this._text(STACK, string, STACK_BYTES_MAX);
  }

  /**
   * A response's head with the first bytes of its body, or all of it (FLAG.END). An empty reason is the usual one.
   * Returns how many body bytes that are. The body is a string in `encoding` (utf8), a Uint8Array, or undefined.
   */
  response(id, flags, status, reason, fields, body, encoding) {
    const start = this.length;
    try {
      this._head(RESPONSE, id, flags, status, reason, fields);
      const head = this.length;
      if (body !== undefined && body.length > 0) this._body(body, encoding);
      this._finish(start);
      return this.length - head;
    } catch (error) {
      this.length = start;
      throw error;
    }
  }

  /** An informational response. */
  inform(id, status, fields) {
    const start = this.length;
    try {
      this._head(INFORM, id, 0, status, '', fields);
      this._finish(start);
    } catch (error) {
      this.length = start;
      throw error;
    }
  }

  /** A DATA frame: a string in `encoding` (utf8) or a Uint8Array, not empty. Returns its bytes. */
  data(id, body, encoding) {
    const start = this.length;
    try {
      const at = this._begin(DATA, id, 0);
      this._body(body, encoding);
      const bytes = this.length - at;
      if (bytes === 0) throw new UnsendableError('DATA is never empty');
      this._u24(start, bytes);
      return bytes;
    } catch (error) {
      this.length = start;
      throw error;
    }
  }

  /** The header alone: write the buffer, then exactly `bytes` from where they are. For what is not worth a copy. */
  dataHeader(id, bytes) {
    if (bytes < 1 || bytes > this.dataBytesMax) throw new UnsendableError(`a DATA frame of ${bytes} bytes`);
    this._u24(this._begin(DATA, id, 0) - HEADER_BYTES, bytes);
  }

  /** The end of the body. `flags` is 0 or FLAG.STOP. */
  end(id, flags = 0, trailers = NO_FIELDS) {
    const start = this.length;
    try {
      const at = this._begin(END, id, 0);
      if (flags === 0 && trailers.length === 0) return;
      this._room(4);
      this.length += 4;
      this._u16(at, flags);
      this._u16(at + 2, this._fields(trailers));
      this._finish(start);
    } catch (error) {
      this.length = start;
      throw error;
    }
  }

  reset(id, code) {
    const at = this._begin(RESET, id, 1);
    this.buffer[at] = code;
  }

  window(id, credit) {
    this._u32(this._begin(WINDOW, id, 4), credit);
  }

  raw(id) {
    this._begin(RAW, id, 0);
  }

  /** Writes a header and takes room for the payload; returns where that begins. */
  _begin(type, id, length) {
    this._room(HEADER_BYTES + length);
    const { buffer, length: at } = this;
    buffer[at] = length;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = length >>> 16;
    buffer[at + 3] = type;
    buffer[at + 4] = id;
    buffer[at + 5] = id >>> 8;
    buffer[at + 6] = id >>> 16;
    buffer[at + 7] = id >>> 24;
    this.length = at + HEADER_BYTES + length;
    return at + HEADER_BYTES;
  }

  /** Fills in the length of the frame with a head that began at `start`. */
  _finish(start) {
    const length = this.length - start - HEADER_BYTES;
    if (length > HEAD_FRAME_BYTES_MAX) throw new UnsendableError(`a head of ${length} bytes`);
    this._u24(start, length);
  }

  _head(type, id, flags, status, reason, fields) {
    const at = this._begin(type, id, 12);
    if (reason.length > 0xffff) throw new UnsendableError('a reason of more than 65535 characters');
    if (reason.length > 0) {
      this._room(reason.length);
      this._latin1(reason);
    }
    const count = this._fields(fields);
    this._u32(at, this.length - at - 12);
    this._u16(at + 4, flags);
    this._u16(at + 6, status);
    this._u16(at + 8, count);
    this._u16(at + 10, reason.length);
  }

  /** Writes fields; returns how many. */
  _fields(list) {
    let count = 0;
    for (let i = 0; i < list.length; i += 2) {
      const value = list[i + 1];
      if (typeof value === 'string') {
        this._field(list[i], value);
        count++;
      } else if (Array.isArray(value)) {
        for (const one of value) this._field(list[i], `${one}`);
        count += value.length;
      } else {
        this._field(list[i], `${value}`);
        count++;
      }
    }
    if (count > FIELDS_MAX) throw new UnsendableError(`${count} fields`);
    return count;
  }

  _field(name, value) {
    const known = CODES.get(name);
    const code = known === undefined ? name.length : known;
    if (known === undefined && (code === 0 || code > NAME_BYTES_MAX)) throw new UnsendableError('a field name');
    const { length } = value;
    if (length > HEAD_FRAME_BYTES_MAX) throw new UnsendableError('a field value');
    this._room(4 + name.length + length);
    const { buffer, length: at } = this;
    buffer[at] = length;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = (length >>> 16) | (code << 2);
    buffer[at + 3] = code >>> 6;
    this.length = at + 4;
    if (known === undefined) this._latin1(name);
    this._latin1(value);
  }

  /** Appends a latin1 string for which there is room. */
  _latin1(string) {
    const { buffer, length: at } = this;
    const { length } = string;
    if (length > LOOP_LENGTH_MAX) putLatin1(buffer, string, at);
    else for (let i = 0; i < length; i++) buffer[at + i] = string.charCodeAt(i);
    this.length = at + length;
  }

  /** Appends body bytes. */
  _body(body, encoding) {
    if (typeof body !== 'string') this._bytes(body);
    else if (encoding === undefined || encoding === 'utf8' || encoding === 'utf-8') this._utf8(body);
    else if (encoding === 'latin1' || encoding === 'binary') this._bounded(body.length, () => this._latin1(body));
    else this._bytes(Buffer.from(body, encoding));
  }

  _bytes(bytes) {
    this._bounded(bytes.length, () => {
      this.buffer.set(bytes, this.length);
      this.length += bytes.length;
    });
  }

  _bounded(bytes, put) {
    if (bytes > this.dataBytesMax) throw new UnsendableError(`${bytes} body bytes in a frame`);
    this._room(bytes);
    put();
  }

  _utf8(string) {
    const { length } = string;
    if (length > this.dataBytesMax) throw new UnsendableError(`${length} characters of a body in a frame`);
    this._room(length * 3);
    const { buffer, length: at } = this;
    let i = 0;
    if (length <= LOOP_LENGTH_MAX) {
      for (; i < length; i++) {
        const unit = string.charCodeAt(i);
        if (unit > 0x7f) break;
        buffer[at + i] = unit;
      }
    }
    const bytes = i === length ? length : putUtf8(buffer, string, at, length * 3);
    if (bytes > this.dataBytesMax) throw new UnsendableError(`${bytes} body bytes in a frame`);
    this.length = at + bytes;
  }

  _text(type, string, max) {
    let bytes = Buffer.from(string);
    if (bytes.length > max) bytes = bytes.subarray(0, max);
    const at = this._begin(type, 0, bytes.length);
    this.buffer.set(bytes, at);
  }

  /** Makes room for so many bytes more. */
  _room(bytes) {
    const size = this.length + bytes;
    if (size <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(size, this.buffer.length * 2));
    copy.call(this.buffer, larger, 0, 0, this.length);
    this.buffer = larger;
  }

  _u16(at, value) {
    this.buffer[at] = value;
    this.buffer[at + 1] = value >>> 8;
  }

  _u24(at, value) {
    this._u16(at, value);
    this.buffer[at + 2] = value >>> 16;
  }

  _u32(at, value) {
    this._u24(at, value);
    this.buffer[at + 3] = value >>> 24;
  }

  _u64(at, value) {
    this._u32(at, value % 2 ** 32);
    this._u32(at + 4, Math.floor(value / 2 ** 32));
  }
}

function clamp32(value) {
  return Math.min(Math.max(Math.round(value), 0), 0xffffffff);
}

module.exports = { Encoder };
