// Decodes what the front sends, in whatever pieces a read brings it.
'use strict';

const {
  VERSION, HEADER_BYTES, HEAD_FRAME_BYTES_MAX, CONTROL_BYTES_MAX, DATA_BYTES_DEFAULT, WINDOW_BYTES_MIN,
  WINDOW_BYTES_MAX, USES, FLAG, REQUEST_FLAGS, CODE, METHODS, ProtocolError, TYPE,
} = require('./wire.cjs');
const { RequestHead, checkFields, fieldsOf, u16, u32 } = require('./head.cjs');

const { WELCOME, PING, DRAIN, STACK, REQUEST, RESPONSE, INFORM, DATA, END, RESET, WINDOW, RAW } = TYPE;
const NO_FIELDS = Object.freeze([]);

const { latin1Slice, copy } = Buffer.prototype;
// Undocumented, but there since node 4; without the checks of toString and write.
const text =
  typeof latin1Slice === 'function'
    ? (buffer, start, end) => buffer.latin1Slice(start, end)
    : (buffer, start, end) => buffer.toString('latin1', start, end);

/**
 * Decodes what the front sends. The handler's methods:
 *
 * - welcome({ version, streamsMax, features, window, dataBytesMax, shards })
 * - request(id, head, bodyBytes): a RequestHead. With FLAG.END the body ends with the bodyBytes that follow
 * - data(id, chunk, ends, begins): a Buffer of its own; `ends` with the body's last; `begins` is the length of the DATA
 *   frame that begins here, else 0
 * - end(id, trailers): names and values in turn
 * - reset(id, code), window(id, credit), ping(token): 8 bytes, drain()
 *
 * A handler may not push further input from inside of a call, nor throw: the rest of the input would be lost.
 */
class Decoder {
  /** `dataBytesMax` is what HELLO announces. */
  constructor(handler, dataBytesMax = DATA_BYTES_DEFAULT) {
    this.handler = handler;
    this.dataBytesMax = dataBytesMax;
    this.greeted = false;
    this.failed = undefined;
    // A body that goes on in the next input.
    this.bodyId = 0;
    this.bodyLeft = 0;
    this.bodyBegins = 0;
    this.bodyEnds = false;
    this.skipLeft = 0;
    // The beginning of a frame's header and head.
    this.carry = undefined;
    this.carried = 0;
  }

  /** Whether the input may end here: not inside of a frame. */
  get isBetweenFrames() {
    return this.bodyLeft === 0 && this.skipLeft === 0 && this.carried === 0;
  }

  /** Takes all bytes of `buffer` from `start` to `end`. Throws ProtocolError, and the same error from then on. */
  push(buffer, start, end) {
    if (this.failed !== undefined) throw this.failed;
    try {
      let at = start;
      while (at < end) {
        if (this.bodyLeft > 0) at = this._body(buffer, at, end);
        else if (this.skipLeft > 0) at = this._skip(at, end);
        else if (this.carried > 0) at = this._resume(buffer, at, end);
        else at = this._frames(buffer, at, end);
      }
    } catch (error) {
      this.failed = error;
      throw error;
    }
  }

  /** Frames that begin at `at`, as far as their heads are whole; keeps the beginning of one that is not. */
  _frames(buffer, at, end) {
    while (end - at >= HEADER_BYTES) {
      const length = this._header(buffer, at);
      const size = this._size(buffer, at, end - at, length);
      if (size > end - at) break;
      this._frame(buffer, at, at + size, length);
      at += size;
      // Body bytes are rarely in another input than their head.
      if (this.bodyLeft > 0) {
        if (at === end) return at;
        at = this._body(buffer, at, end);
      }
      if (this.bodyLeft + this.skipLeft > 0) return at;
    }
    if (at < end) {
      if (this.carry === undefined) this.carry = Buffer.allocUnsafeSlow(4096);
      this._keep(buffer, at, end);
    }
    return end;
  }

  /** Adds to the carried beginning of a frame what it lacks. */
  _resume(buffer, at, end) {
    let length = 0;
    let size = HEADER_BYTES;
    for (;;) {
      if (this.carried >= HEADER_BYTES) {
        length = this._header(this.carry, 0);
        size = this._size(this.carry, 0, this.carried, length);
        if (size <= this.carried) break;
      }
      if (at === end) return at;
      const stop = Math.min(end, at + size - this.carried);
      this._keep(buffer, at, stop);
      at = stop;
    }
    this.carried = 0;
    this._frame(this.carry, 0, size, length);
    // Heads beyond that are rare, and need not cost memory for ever.
    if (this.carry.length > 16 * 1024) this.carry = undefined;
    return at;
  }

  _keep(buffer, start, end) {
    const size = this.carried + end - start;
    if (size > this.carry.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(size, this.carry.length * 2));
      copy.call(this.carry, larger, 0, 0, this.carried);
      this.carry = larger;
    }
    copy.call(buffer, this.carry, this.carried, start, end);
    this.carried = size;
  }

  /** Judges a header; returns the payload's length. */
  _header(buffer, at) {
    const length = u16(buffer, at) | (buffer[at + 2] << 16);
    const type = buffer[at + 3];
    if (!this.greeted && type !== WELCOME) throw new ProtocolError('bad_magic');
    if (type >= 0x80) return length;
    if (type === DATA || type >= REQUEST) {
      if (type > RAW) throw new ProtocolError('unknown_type');
      if (type === RESPONSE || type === INFORM || type === RAW) throw new ProtocolError('wrong_direction');
      const usage = u16(buffer, at + 6);
      if (u16(buffer, at + 4) === 0) throw new ProtocolError(usage === 0 ? 'wrong_stream' : 'bad_stream');
      if (usage >= USES) throw new ProtocolError('bad_stream');
    } else {
      if (type === 0 || type > STACK) throw new ProtocolError('unknown_type');
      if (type !== WELCOME && type !== PING && type !== DRAIN) throw new ProtocolError('wrong_direction');
      if (u32(buffer, at + 4) !== 0) throw new ProtocolError('wrong_stream');
    }
    if (!this._fits(type, length)) throw new ProtocolError('bad_length');
    if (type === WELCOME && this.greeted) throw new ProtocolError('bad_state');
    return length;
  }

  _fits(type, length) {
    switch (type) {
      case DATA:
        return length >= 1 && length <= this.dataBytesMax;
      case REQUEST:
        return length >= 20 && length <= HEAD_FRAME_BYTES_MAX;
      case END:
        return length <= HEAD_FRAME_BYTES_MAX;
      case WINDOW:
        return length === 4;
      case RESET:
        return length === 1;
      case PING:
        return length >= 8 && length <= CONTROL_BYTES_MAX;
      case WELCOME:
        return length >= 20 && length <= CONTROL_BYTES_MAX;
      default:
        return length <= CONTROL_BYTES_MAX;
    }
  }

  /** Bytes of header and head of the frame at `at`, of which `have` are there; or as many as tell how many it has. */
  _size(buffer, at, have, length) {
    const type = buffer[at + 3];
    if (type === DATA || type >= 0x80) return HEADER_BYTES;
    if (type !== REQUEST) return HEADER_BYTES + length;
    if (have < 28) return 28;
    const head = 20 + (u32(buffer, at + 8) >>> 0);
    if (head > length || length - head > this.dataBytesMax) throw new ProtocolError('bad_length');
    return HEADER_BYTES + head;
  }

  /** A frame whose header and head are from `at` to `end`. */
  _frame(buffer, at, end, length) {
    const id = u32(buffer, at + 4);
    switch (buffer[at + 3]) {
      case DATA:
        this._expect(id, length, length, false);
        break;
      case REQUEST:
        this._request(buffer, at, end, id, length);
        break;
      case END:
        this.handler.end(id, length === 0 ? NO_FIELDS : this._trailers(buffer, at + HEADER_BYTES, end));
        break;
      case RESET: {
        const code = buffer[at + 8];
        this.handler.reset(id, code > CODE.TIMEOUT ? CODE.INTERNAL : code);
        break;
      }
      case WINDOW: {
        const credit = u32(buffer, at + 8);
        if (credit <= 0 || credit > WINDOW_BYTES_MAX) throw new ProtocolError('bad_credit');
        this.handler.window(id, credit);
        break;
      }
      case PING:
        this.handler.ping(Uint8Array.prototype.slice.call(buffer, at + 8, at + 16));
        break;
      case DRAIN:
        this.handler.drain();
        break;
      case WELCOME:
        this._welcome(buffer, at + HEADER_BYTES, length);
        break;
      default:
        this.skipLeft = length;
    }
  }

  _expect(id, bytes, begins, ends) {
    this.bodyId = id;
    this.bodyLeft = bytes;
    this.bodyBegins = begins;
    this.bodyEnds = ends;
  }

  /** Hands out body bytes, copied: the buffer is used again. */
  _body(buffer, at, end) {
    const stop = Math.min(end, at + this.bodyLeft);
    const chunk = Buffer.allocUnsafe(stop - at);
    copy.call(buffer, chunk, 0, at, stop);
    this.bodyLeft -= stop - at;
    const begins = this.bodyBegins;
    this.bodyBegins = 0;
    this.handler.data(this.bodyId, chunk, this.bodyEnds && this.bodyLeft === 0, begins);
    return stop;
  }

  _skip(at, end) {
    const stop = Math.min(end, at + this.skipLeft);
    this.skipLeft -= stop - at;
    return stop;
  }

  _welcome(buffer, at, length) {
    if (text(buffer, at, at + 4) !== 'FBAY') throw new ProtocolError('bad_magic');
    const welcome = {
      version: u16(buffer, at + 4),
      streamsMax: u16(buffer, at + 6),
      features: u32(buffer, at + 8) >>> 0,
      window: u32(buffer, at + 12) >>> 0,
      dataBytesMax: u32(buffer, at + 16) >>> 0,
      // Fronts that know one shard only end before it.
      shards: length === 20 ? 1 : Math.max(u16(buffer, at + 20), 1),
    };
    if (welcome.version === 0 || welcome.version > VERSION) throw new ProtocolError('bad_version');
    if (welcome.streamsMax === 0) throw new ProtocolError('bad_stream');
    const { window, dataBytesMax } = welcome;
    const isWindow = window >= WINDOW_BYTES_MIN && window <= WINDOW_BYTES_MAX;
    if (!isWindow || dataBytesMax < 4096 || dataBytesMax > 1 << 20) throw new ProtocolError('bad_credit');
    if (length === 21) throw new ProtocolError('bad_length');
    this.greeted = true;
    this.handler.welcome(welcome);
  }

  _request(buffer, at, end, id, length) {
    const body = at + HEADER_BYTES + length - end;
    const flags = u16(buffer, at + 16);
    const count = u16(buffer, at + 18);
    const number = buffer[at + 24];
    const methodLength = buffer[at + 25];
    if ((flags & ~REQUEST_FLAGS) !== 0 || buffer[at + 27] !== 0) throw new ProtocolError('bad_flags');
    if ((flags & FLAG.UPGRADE) !== 0 && ((flags & FLAG.END) !== 0 || body > 0)) throw new ProtocolError('bad_flags');
    const targetLength = u32(buffer, at + 12) >>> 0;
    const head = at + 28;
    if (head + methodLength > end) throw new ProtocolError('bad_length');
    if (number === 0 ? methodLength === 0 : methodLength > 0 || number > METHODS.length) {
      throw new ProtocolError('bad_method');
    }
    const fieldsAt = methodLength + targetLength + buffer[at + 26];
    if (head + fieldsAt > end) throw new ProtocolError('bad_length');
    if (targetLength === 0) throw new ProtocolError('bad_value');
    checkFields(buffer, head + fieldsAt, end, count);
    const string = text(buffer, head, end);
    const clientAt = methodLength + targetLength;
    const method = number === 0 ? string.slice(0, methodLength) : METHODS[number - 1];
    const target = string.slice(methodLength, clientAt);
    const [clientPort, localPort] = [u16(buffer, at + 20), u16(buffer, at + 22)];
    if (body > 0) this._expect(id, body, 0, (flags & FLAG.END) !== 0);
    const request = new RequestHead(string, count, flags, method, target, fieldsAt, clientAt, clientPort, localPort);
    this.handler.request(id, request, body);
  }

  _trailers(buffer, at, end) {
    if (end - at < 4) throw new ProtocolError('bad_length');
    if (u16(buffer, at) !== 0) throw new ProtocolError('bad_flags');
    const count = u16(buffer, at + 2);
    checkFields(buffer, at + 4, end, count);
    return fieldsOf(text(buffer, at + 4, end), 0, count);
  }
}

module.exports = { Decoder };
