// Applications that write HTTP to a request's socket themselves: their text becomes a response's head and body.
//
// `socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')` is how many refuse something. What is no HTTP, and a body that the
// application has chunked itself, cannot be carried: that client is cut off, and the worker gets plain HTTP from then on.
'use strict';

const { CODE, FLAG } = require('../pipe/wire.cjs');

const HEAD_BYTES_MAX = 64 * 1024;

class RawText {
  constructor(exchange) {
    this.exchange = exchange;
    this.text = '';
    this.isBody = false;
  }

  write(chunk, callback) {
    const { exchange } = this;
    if (exchange.localDone) {
      callback();
      return;
    }
    if (!this.isBody && exchange.headSent) {
      this.giveUp('writes to the socket of a response that has begun', callback);
      return;
    }
    if (this.isBody) {
      this.send(chunk, callback);
      return;
    }
    this.text += chunk.toString('latin1');
    this.parse(callback);
  }

  parse(callback) {
    const { exchange } = this;
    for (;;) {
      const end = this.text.indexOf('\r\n\r\n');
      if (end < 0) break;
      const [first, ...lines] = this.text.slice(0, end).split('\r\n');
      const rest = this.text.slice(end + 4);
      const match = /^HTTP\/1\.[01] (\d\d\d)(?: (.*))?$/.exec(first);
      const fields = lines.flatMap((line) => {
        const colon = line.indexOf(':');
        return colon > 0 ? [line.slice(0, colon), line.slice(colon + 1).trim()] : [];
      });
      const isChunked = fields.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'transfer-encoding');
      if (match === null || isChunked || match[1] === '101') break;
      this.text = rest;
      const status = Number(match[1]);
      if (status < 200) {
        exchange.link.encoder.inform(exchange.id, status, fields);
        exchange.link.wrote();
        continue;
      }
      exchange.link.encoder.response(exchange.id, FLAG.CLOSE | FLAG.NO_DATE, status, match[2] || '', fields);
      exchange.link.wrote();
      exchange.headSent = true;
      this.isBody = true;
      this.text = '';
      this.send(Buffer.from(rest, 'latin1'), callback);
      return;
    }
    const isHead = 'HTTP/1.'.startsWith(this.text.slice(0, 7)) && !this.text.includes('\r\n\r\n');
    if (!isHead || this.text.length > HEAD_BYTES_MAX) this.giveUp('writes to sockets itself', callback);
    else callback();
  }

  send(chunk, callback) {
    const { exchange } = this;
    if (chunk.byteLength === 0) {
      callback();
      return;
    }
    exchange.queue ??= [];
    exchange.queue.push(chunk, callback);
    exchange.queued += chunk.byteLength;
    exchange.pump();
  }

  end(callback) {
    const { exchange } = this;
    if (!exchange.localDone) {
      if (this.isBody) {
        exchange.link.encoder.end(exchange.id);
        exchange.localEnded();
      } else {
        exchange.reset(CODE.CANCELLED);
      }
    }
    callback();
  }

  giveUp(what, callback) {
    const { exchange } = this;
    exchange.reset(CODE.INTERNAL);
    exchange.link.owner.demote(`the application ${what}`);
    callback();
    exchange.socket.destroy();
  }
}

module.exports = { RawText };
