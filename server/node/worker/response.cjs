// Patches of http.OutgoingMessage.prototype: responses that belong to an exchange become frames instead of text.
//
// Everything up to the head is node's own: setHeader, writeHead and their errors. Four methods are taken over where a
// message carries the exchange's symbol: _storeHeader keeps the fields instead of rendering them, _send and _writeRaw hand
// body and informational responses to the exchange, and end has a short way for a whole response in one call. Anything
// unusual (callbacks, strict lengths, bodies that do not fit) takes node's own end, which comes out at _send.
//
// Deliberately does not: set `chunkedEncoding`. The front frames bodies, and with the flag node would do it too.
'use strict';

const http = require('http');
const { STATUS_CODES, validateHeaderName, validateHeaderValue } = http;
const { FLAG } = require('../pipe/wire.cjs');
const { kExchange, kOutHeaders, kUniqueHeaders } = require('./hidden.cjs');
const { close, onFinish } = require('./settle.cjs');
const { whileEnding } = require('./socket.cjs');

const prototype = http.OutgoingMessage.prototype;
const original = {
  _storeHeader: prototype._storeHeader,
  _send: prototype._send,
  _writeRaw: prototype._writeRaw,
  end: prototype.end,
};

/** What a response's head becomes. */
class Head {
  constructor(status, reason) {
    this.status = status;
    this.reason = reason;
    this.flags = 0;
    this.fields = [];
    /** Whether node would have sent chunks, and so no length. */
    this.chunked = false;
    /** The length that node would have added, or -1. */
    this.length = -1;
    this.close = false;
    this.hasLength = false;
    this.hasEncoding = false;
    this.hasDate = false;
    this.hasTrailer = false;
  }
}

function _storeHeader(firstLine, headers) {
  const exchange = this[kExchange];
  if (exchange === undefined) return original._storeHeader.call(this, firstLine, headers);
  const { statusCode, statusMessage } = this;
  const head = new Head(statusCode, statusMessage === STATUS_CODES[statusCode] ? '' : statusMessage);
  if (headers) readFields(this, head, headers);
  decide(this, head);
  exchange.head2 = head;
  this._header = `${firstLine}\r\n`;
  this._headerSent = false;
  return undefined;
}

/** Takes fields in each of the forms that writeHead accepts. */
function readFields(message, head, headers) {
  if (headers === message[kOutHeaders]) {
    for (const key in headers) {
      const entry = headers[key];
      addField(message, head, entry[0], entry[1], key);
    }
  } else if (Array.isArray(headers)) {
    if (headers.length > 0 && Array.isArray(headers[0])) {
      for (const [name, value] of headers) addChecked(message, head, name, value);
    } else {
      // node's own error for a list of odd length.
      if (headers.length % 2 !== 0) original._storeHeader.call(message, '', headers);
      for (let i = 0; i < headers.length; i += 2) addChecked(message, head, headers[i], headers[i + 1]);
    }
  } else {
    for (const name in headers) {
      if (Object.prototype.hasOwnProperty.call(headers, name)) addChecked(message, head, name, headers[name]);
    }
  }
}

function addChecked(message, head, name, value) {
  validateHeaderName(name);
  const lenient = message._isLenientHeaderValidation?.();
  if (Array.isArray(value)) for (const one of value) validateHeaderValue(name, one, lenient);
  else validateHeaderValue(name, value, lenient);
  addField(message, head, name, value, name.toLowerCase());
}

function addField(message, head, name, value, key) {
  if (Array.isArray(value)) {
    const unique = message[kUniqueHeaders];
    // More than one Cookie, and what the server wants to be unique, is joined.
    if ((value.length > 1 && key === 'cookie') || (unique && unique.has(key))) value = value.join('; ');
  }
  const { length } = key;
  if (length >= 4 && length <= 17) matchField(message, head, key, value);
  head.fields.push(name, value);
}

function matchField(message, head, key, value) {
  switch (key) {
    case 'connection':
      message._removedConnection = false;
      if (/(?:^|\W)close(?:$|\W)/i.test(value)) {
        message._last = true;
        head.close = true;
      } else {
        message.shouldKeepAlive = true;
      }
      break;
    case 'transfer-encoding':
      head.hasEncoding = true;
      message._removedTE = false;
      if (/(?:^|\W)chunked(?:$|\W)/i.test(value)) head.chunked = true;
      break;
    case 'content-length':
      head.hasLength = true;
      message._contentLength = +value;
      message._removedContLen = false;
      break;
    case 'date':
      head.hasDate = true;
      break;
    case 'trailer':
      head.hasTrailer = true;
      break;
    case 'keep-alive':
      message._defaultKeepAlive = false;
      break;
    default:
  }
}

/** How the body is framed and whether the connection lives on, as node decides it. */
function decide(message, head) {
  if (!message.sendDate && !head.hasDate) head.flags |= FLAG.NO_DATE;
  if (!message.shouldKeepAlive && !head.close) {
    head.close = true;
    message._last = true;
  }
  if (head.close) head.flags |= FLAG.CLOSE;
  if (!message._hasBody) {
    head.chunked = false;
  } else if (!head.hasLength && !head.hasEncoding) {
    const { _contentLength: length } = message;
    if (!message.useChunkedEncodingByDefault) {
      head.chunked = false;
    } else if (!head.hasTrailer && !message._removedContLen && typeof length === 'number') {
      head.length = length;
    } else {
      head.chunked = true;
    }
  } else if (head.hasEncoding) {
    // Whatever the coding is, node adds no length.
    head.chunked = true;
  }
  if (!head.chunked && head.hasTrailer) {
    const error = new Error('Trailers are invalid with this transfer encoding');
    throw Object.assign(error, { code: 'ERR_HTTP_TRAILER_INVALID' });
  }
}

function _send(data, encoding, callback, byteLength) {
  const exchange = this[kExchange];
  if (exchange === undefined) return original._send.call(this, data, encoding, callback, byteLength);
  if (typeof encoding === 'function') {
    callback = encoding;
    encoding = undefined;
  }
  if (this._header !== null) this._headerSent = true;
  return exchange.send(data, encoding || undefined, callback);
}

/** Informational responses come as text. */
function _writeRaw(data, encoding, callback, size) {
  const exchange = this[kExchange];
  if (exchange === undefined) return original._writeRaw.call(this, data, encoding, callback, size);
  if (typeof encoding === 'function') {
    callback = encoding;
    encoding = undefined;
  }
  const match = typeof data === 'string' && /^HTTP\/1\.1 (1\d\d) [^\r\n]*\r\n([\s\S]*)\r\n$/.exec(data);
  if (!match || exchange.headSent || exchange.localDone) return exchange.send(data, encoding || undefined, callback);
  const fields = [];
  for (const line of match[2].split('\r\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields.push(line.slice(0, colon), line.slice(colon + 2));
  }
  exchange.link.encoder.inform(exchange.id, Number(match[1]), fields);
  exchange.link.wrote();
  if (typeof callback === 'function') process.nextTick(callback);
  return true;
}

function end(chunk, encoding, callback) {
  const exchange = this[kExchange];
  if (exchange === undefined) return original.end.call(this, chunk, encoding, callback);
  if (!isShort(this, exchange, chunk, encoding, callback)) return endSlowly(this, exchange, chunk, encoding, callback);
  const bytes = chunk ? chunk.length : 0;
  if (this._header === null) {
    this._contentLength = bytes;
    this._implicitHeader();
    // A method of the application's may have answered meanwhile, or thrown.
    if (exchange.headSent || exchange.localDone || this.finished || exchange.head2 === null) return endSlowly(this, exchange, chunk, encoding);
  }
  this._headerSent = true;
  exchange.endNow(this, bytes > 0 && this._hasBody ? chunk : undefined, encoding || undefined);
  this.finished = true;
  this._finish();
  return this;
}

function isShort(message, exchange, chunk, encoding, callback) {
  if ((callback !== undefined && callback !== null) || message.finished || message.destroyed || message.strictContentLength) return false;
  if (encoding !== undefined && encoding !== null && typeof encoding !== 'string') return false;
  if (exchange.headSent || exchange.localDone || exchange.server.rejectNonStandardBodyWrites) return false;
  if (chunk === undefined || chunk === null || chunk === '') return exchange.queued === 0;
  return (typeof chunk === 'string' || chunk instanceof Uint8Array) && exchange.fits(chunk);
}

/** node's own end, which comes out at _send. */
function endSlowly(message, exchange, chunk, encoding, callback) {
  if (message.finished || exchange.inEnd) return original.end.call(message, chunk, encoding, callback);
  // Before anybody else's listener, as node's server has its own.
  message.prependListener('finish', finished);
  exchange.inEnd = true;
  try {
    whileEnding(exchange.socket, () => original.end.call(message, chunk, encoding, callback));
  } finally {
    exchange.inEnd = false;
    if (!message.finished) {
      message.removeListener('finish', finished);
    }
  }
  if (message.finished && !message.destroyed) exchange.endStream();
  return message;
}

function finished() {
  this.removeListener('finish', finished);
  const exchange = this[kExchange];
  if (exchange.settled) return;
  onFinish(exchange);
  process.nextTick(close, exchange);
}

let installed = false;

/** Takes the methods over; once. */
function install() {
  if (installed) return;
  installed = true;
  for (const [name, patch] of Object.entries({ _storeHeader, _send, _writeRaw, end })) {
    const own = original[name];
    Object.defineProperty(patch, 'name', { value: own.name, configurable: true });
    Object.defineProperty(patch, 'length', { value: own.length, configurable: true });
    prototype[name] = patch;
  }
}

module.exports = { install };
