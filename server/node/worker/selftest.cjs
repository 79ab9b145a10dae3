// Before a server is fed through frames: one request through all of it, in memory, and the bytes that come out.
//
// It tells whether this version of node has the inside that the patches count on. A few milliseconds at most, most of
// which the first real request would have needed anyway.
'use strict';

const http = require('http');
const { FLAG } = require('../pipe/wire.cjs');
const { kExchange, kNeedDrain, missing } = require('./hidden.cjs');
const { Link } = require('./link.cjs');

const WELCOME = '1600000200000000' + '46424159' + '0100' + '0400' + '00000000' + '00000400' + '00000100' + '0100';
/** GET /self with `Host: a` and `x-y: b`, on slot 1. */
const GET = '2600001001000000' + '12000000' + '05000000' + '0100' + '0200' + '00000000' + '01000000' +
  Buffer.from('/self').toString('hex') + '01000080' + '61' + '01000c00' + Buffer.from('x-yb').toString('hex');
const EXPECTED_STATUS = 203;

/** A link whose output stays in memory. */
class MemoryLink extends Link {
  constructor(server) {
    const owner = { greeted() {}, began() {}, finished() {}, pinged() {}, closed() {} };
    const socket = { on() {}, connecting: false, destroy() {}, end() {} };
    super(owner, server, '', { worker: 0, generation: 0 }, () => socket);
    this.encoder.clear();
    this.output = Buffer.alloc(0);
  }

  input(hex) {
    const bytes = Buffer.from(hex, 'hex');
    this.read(bytes.length, bytes);
  }

  flush() {
    this.output = Buffer.concat([this.output, this.encoder.buffer.subarray(0, this.encoder.length)]);
    this.encoder.clear();
  }
}

/** Undefined if all is well, else what is not. */
function selfTest() {
  if (missing.length > 0) return `this node has no ${missing.join(', ')}`;
  const server = new http.Server();
  const notes = [];
  server.on('request', (req, res) => {
    // What follows a response comes in the next tick, when others may listen to channels.
    res[kExchange].settled = true;
    notes.push(req.method, req.url, req.headers.host, req.headers['x-y'], req instanceof http.IncomingMessage, res[kNeedDrain]);
    res.statusCode = EXPECTED_STATUS;
    res.setHeader('X-Self', 'test');
    res.end('ok');
  });
  try {
    const link = new MemoryLink(server);
    link.input(WELCOME + GET);
    const { output } = link;
    const asked = JSON.stringify(notes) === JSON.stringify(['GET', '/self', 'a', 'b', true, false]);
    if (!asked) return `a request arrived as ${JSON.stringify(notes)}`;
    const isWhole = output.length > 20 && output[3] === 0x11 && output.readUInt16LE(12) === FLAG.END;
    const text = output.toString('latin1');
    if (!isWhole || output.readUInt16LE(14) !== EXPECTED_STATUS || !text.includes('X-Selftest') || !text.endsWith('ok')) {
      return `a response left as ${output.toString('hex')}`;
    }
    return undefined;
  } catch (error) {
    return error.message;
  }
}

module.exports = { MemoryLink, selfTest };
