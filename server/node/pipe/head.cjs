// Field sections out of a string, and a request's head that reads them when they are asked for.
'use strict';

const { CODES, FIELDS_MAX, ProtocolError, SPELLINGS, TABLE } = require('./wire.cjs');

/** Up to 31 bits: ids, lengths, and field numbers before they are taken apart. */
function u32(buffer, at) {
  return buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24);
}

function u16(buffer, at) {
  return buffer[at] | (buffer[at + 1] << 8);
}

/** Field lists in a latin1 string; `at` is where the first one's number is. Names and values in turn. */
function fieldsOf(string, at, count) {
  const list = new Array(count * 2);
  for (let i = 0; i < list.length; i += 2) {
    const high = string.charCodeAt(at + 2) | (string.charCodeAt(at + 3) << 8);
    const length = string.charCodeAt(at) | (string.charCodeAt(at + 1) << 8) | ((high & 3) << 16);
    const code = high >> 2;
    at += 4;
    if (code < TABLE) {
      list[i] = string.slice(at, at + code);
      at += code;
    } else {
      list[i] = SPELLINGS[code - TABLE];
    }
    list[i + 1] = string.slice(at, at + length);
    at += length;
  }
  return list;
}

/** Checks that `count` fields end exactly at `end`. */
function checkFields(buffer, at, end, count) {
  if (count > FIELDS_MAX) throw new ProtocolError('too_many_fields');
  for (let i = 0; i < count; i++) {
    if (end - at < 4) throw new ProtocolError('bad_length');
    const high = u16(buffer, at + 2);
    const code = high >> 2;
    at += 4 + (u16(buffer, at) | ((high & 3) << 16));
    if (code < TABLE) {
      if (code === 0) throw new ProtocolError('bad_name');
      at += code;
    } else if (code - TABLE >= SPELLINGS.length) {
      throw new ProtocolError('bad_name');
    }
    if (at > end) throw new ProtocolError('bad_length');
  }
  if (at !== end) throw new ProtocolError('bad_length');
}

/** Fields of which node's `headers` keeps the first. */
const FIRST_ONLY = new Set(
  `age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since
  last-modified location max-forwards proxy-authorization referer retry-after server user-agent`.split(/\s+/),
);

/** For names of the table, by code less TABLE and half of it: their key in `headers`. */
const KEYS = SPELLINGS.filter((_, at) => (at & 1) === 1);
const SET_COOKIE = KEYS.indexOf('set-cookie');
/** The round in which a name of the table was last seen. Asking an object for what it does not have is dear. */
const seen = new Float64Array(KEYS.length);
let round = 0;

/** node's `headers` out of fields as in fieldsOf: what to keep and how to join is what IncomingMessage does. */
function headersOf(string, at, count) {
  const headers = {};
  round++;
  for (let i = 0; i < count; i++) {
    const high = string.charCodeAt(at + 2) | (string.charCodeAt(at + 3) << 8);
    const length = string.charCodeAt(at) | (string.charCodeAt(at + 1) << 8) | ((high & 3) << 16);
    const code = high >> 2;
    at += 4;
    if (code >= TABLE) {
      const known = (code - TABLE) >> 1;
      const value = string.slice(at, at + length);
      if (seen[known] === round || known === SET_COOKIE) {
        join(headers, KEYS[known], value);
      } else {
        headers[KEYS[known]] = value;
        seen[known] = round;
      }
    } else {
      const name = string.slice(at, at + code).toLowerCase();
      at += code;
      join(headers, name, string.slice(at, at + length));
      // A name of the table may be written out as well.
      const known = CODES.get(name);
      if (known !== undefined) seen[(known - TABLE) >> 1] = round;
    }
    at += length;
  }
  return headers;
}

/** Adds a field that may be there. */
function join(headers, name, value) {
  const present = headers[name];
  if (name === 'set-cookie') {
    if (present === undefined) headers[name] = [value];
    else present.push(value);
  } else if (typeof present !== 'string') {
    if (present === undefined || !FIRST_ONLY.has(name)) headers[name] = value;
  } else if (!FIRST_ONLY.has(name)) {
    headers[name] = present + (name === 'cookie' ? '; ' : ', ') + value;
  }
}

/** A request's head. Fields are read when they are first asked for. */
class RequestHead {
  constructor(string, count, flags, method, target, fieldsAt, clientAt, clientPort, localPort) {
    this.flags = flags;
    this.method = method;
    this.target = target;
    this.clientPort = clientPort;
    this.localPort = localPort;
    this.fieldCount = count;
    // The variable part: target, client's address, fields.
    this._string = string;
    this._clientAt = clientAt;
    this._fieldsAt = fieldsAt;
    this._raw = undefined;
    this._headers = undefined;
  }

  /** The client's address as text; empty if it has none. */
  get clientAddress() {
    return this._string.slice(this._clientAt, this._fieldsAt);
  }

  /** Names and values in turn, in the client's order and case. */
  get rawHeaders() {
    return (this._raw ??= fieldsOf(this._string, this._fieldsAt, this.fieldCount));
  }

  /** As node's `headers`. */
  get headers() {
    return (this._headers ??= headersOf(this._string, this._fieldsAt, this.fieldCount));
  }
}

module.exports = { RequestHead, checkFields, fieldsOf, u16, u32 };
