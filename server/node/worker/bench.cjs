// Measures the worker's side without IO: µs of node a request, from the bytes of a read to the bytes of a write.
//
//   NODE_PATH=FOLDER/node_modules node server/node/worker/bench.cjs [plain,json,stream,post,express,fastify] [batch] [seconds]
//
// CPU time of the process, the best of many windows, since noise only adds. Frameworks are used if they are installed.
'use strict';

const http = require('http');
const { Encoder } = require('../pipe/encode.cjs');
const { FLAG } = require('../pipe/wire.cjs');
const response = require('./response.cjs');
const { MemoryLink } = require('./selftest.cjs');

const [, , which = 'plain,headers,stream,post,express,fastify', batchText = '16', secondsText = '3'] = process.argv;
const batch = Number(batchText);
const seconds = Number(secondsText);
response.install();

const BROWSER = [
  'Host', 'shop.example', 'User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0',
  'Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'Accept-Encoding', 'gzip, deflate, br',
  'Accept-Language', 'en-US,en;q=0.9', 'Cookie', 'sid=s%3AuYg2q8.Zk3vL0; theme=dark', 'X-Forwarded-For', '203.0.113.9',
];
const FEW = ['Host', '127.0.0.1:8080', 'X-Forwarded-For', '127.0.0.1', 'X-Forwarded-Proto', 'http'];

function request(id, fields, body) {
  const encoder = new Encoder();
  encoder.response(id, 0, 200, '', fields);
  const section = encoder.buffer.subarray(20, encoder.length);
  const start = Buffer.from('/127.0.0.1');
  const frame = Buffer.alloc(28 + start.length + section.length + body.length);
  frame.writeUInt32LE((frame.length - 8) | (0x10 << 24), 0);
  frame.writeUInt32LE(id, 4);
  frame.writeUInt32LE(start.length + section.length, 8);
  frame.writeUInt32LE(1, 12);
  frame.writeUInt16LE(FLAG.END, 16);
  frame.writeUInt16LE(fields.length / 2, 18);
  frame[24] = body.length > 0 ? 2 : 1;
  frame[26] = 9;
  start.copy(frame, 28);
  section.copy(frame, 28 + start.length);
  Buffer.from(body).copy(frame, 28 + start.length + section.length);
  return frame;
}

const apps = {
  plain: () => [http.createServer((req, res) => {
    res.setHeader('Content-Type', 'text/plain');
    res.end('hello world');
  }), FEW],
  headers: () => [http.createServer((req, res) => {
    res.setHeader('Content-Type', req.headers.accept);
    res.end('hello world');
  }), BROWSER],
  stream: () => [http.createServer((req, res) => {
    res.write('hello ');
    res.end('world');
  }), FEW],
  post: () => [http.createServer((req, res) => {
    let text = '';
    req.on('data', (part) => (text += part)).on('end', () => res.end(text));
  }), FEW, 'a=1&b=2'],
  express: () => {
    const app = require('express')();
    app.get('/', (req, res) => {
      res.type('text/plain');
      res.send('hello world');
    });
    return [http.createServer(app), FEW];
  },
  fastify: async () => {
    const app = require('fastify')();
    app.get('/', (req, reply) => {
      reply.type('text/plain').send('hello world');
    });
    await app.ready();
    return [app.server, FEW];
  },
};

async function measure(name) {
  const [server, fields, body = ''] = await apps[name]();
  const link = new MemoryLink(server);
  link.input('14000002000000004642415901000004000000000000040000000100');
  const frames = Array.from({ length: batch }, (_, i) => request(i + 1, fields, body));
  const input = Buffer.concat(frames);
  const buffer = Buffer.alloc(256 * 1024);
  let output = 0;
  link.flush = () => {
    output += link.encoder.length;
    link.encoder.clear();
  };
  let uses = 0;
  const turn = () => {
    // Each use of a slot has its own id.
    uses = (uses + 1) % 16384;
    let at = 0;
    for (const frame of frames) {
      input.writeUInt16LE(uses, at + 6);
      at += frame.length;
    }
    input.copy(buffer);
    link.read(input.length, buffer);
    return new Promise(setImmediate);
  };
  const turns = Math.ceil(4000 / batch);
  let best = Infinity;
  for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
    const began = process.cpuUsage();
    for (let i = 0; i < turns; i++) await turn();
    const { user, system } = process.cpuUsage(began);
    best = Math.min(best, (user + system) / (turns * batch));
  }
  if (output === 0 || link.open > 0) throw new Error(`${name}: ${output} bytes, ${link.open} open`);
  console.log(`${process.version} ${name.padEnd(10)} batch ${batch}  ${best.toFixed(2)} µs a request`);
}

(async () => {
  for (const name of which.split(',')) await measure(name);
})();
