// Measures the codec: µs of node a request, decoding the request and encoding a small response, by batch size.
//
//   node server/node/pipe/bench.cjs [seconds for each line]
//
// A batch is what one read brings: its requests are decoded, answered and the output cleared. CPU time of the process, the
// best of many windows, since noise only adds. `lazy` never asks for fields; `raw` asks for rawHeaders; `headers` for headers.
'use strict';

const { Decoder, Encoder, FLAG } = require('./codec.cjs');

const seconds = Number(process.argv[2] || 2);
const WELCOME = Buffer.from('160000020000000046424159010000040000000000000400000001000100', 'hex');

// What Chrome sends for a page, less what ends at the front; and what curl does.
const BROWSER = [
  'Host', 'shop.example', 'sec-ch-ua', '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
  'sec-ch-ua-mobile', '?0', 'sec-ch-ua-platform', '"Linux"', 'Upgrade-Insecure-Requests', '1', 'User-Agent',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36', 'Accept',
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  'Sec-Fetch-Site', 'none', 'Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-User', '?1', 'Sec-Fetch-Dest', 'document',
  'Accept-Encoding', 'gzip, deflate, br, zstd', 'Accept-Language', 'en-US,en;q=0.9', 'Cookie',
  'sid=s%3AuYg2q8.Zk3vL0; theme=dark', 'X-Forwarded-For', '203.0.113.9', 'X-Forwarded-Proto', 'https',
];
const CURL = ['Host', 'shop.example', 'User-Agent', 'curl/8.5.0', 'Accept', '*/*'];

/** A REQUEST frame, by way of the encoder: a response's fields look the same. */
function request(id, fields) {
  const encoder = new Encoder();
  encoder.response(id, 0, 200, '', fields);
  const section = encoder.buffer.subarray(20, encoder.length);
  const start = Buffer.from(`/products?page=1203.0.113.9`, 'latin1');
  const frame = Buffer.alloc(28 + start.length + section.length);
  frame.writeUInt32LE((frame.length - 8) | (0x10 << 24), 0);
  frame.writeUInt32LE(id, 4);
  frame.writeUInt32LE(start.length + section.length, 8);
  frame.writeUInt32LE(16, 12);
  frame.writeUInt16LE(FLAG.END, 16);
  frame.writeUInt16LE(fields.length / 2, 18);
  frame[24] = 1;
  frame[26] = 11;
  start.copy(frame, 28);
  section.copy(frame, 28 + start.length);
  return frame;
}

const PLAIN = ['Content-Type', 'text/plain; charset=utf-8'];
const EXPRESS = [
  'X-Powered-By', 'Express', 'Content-Type', 'text/html; charset=utf-8', 'Content-Length', '12', 'ETag',
  'W/"c-Lve95gjOVATpfV8EL5X4nxwjKHE"', 'Vary', 'Accept-Encoding', 'Set-Cookie', 'sid=abc; Path=/; HttpOnly',
];
const ASK = { lazy: () => 0, raw: (head) => head.rawHeaders.length, headers: (head) => head.headers.host.length };

let sink = 0;

function measure(batch, fields, answer, ask, decodes, encodes) {
  const input = Buffer.concat(Array.from({ length: batch }, (_, i) => request(i + 1, fields)));
  const buffer = Buffer.alloc(256 * 1024);
  input.copy(buffer);
  const encoder = new Encoder();
  const respond = (id) => encodes && encoder.response(id, FLAG.END, 200, 'OK', answer, 'Hello World!');
  const decoder = new Decoder({
    welcome() {},
    request(id, head) {
      sink += ask(head);
      respond(id);
    },
  });
  decoder.push(WELCOME, 0, WELCOME.length);
  const turn = () => {
    if (decodes) decoder.push(buffer, 0, input.length);
    else for (let id = 1; id <= batch; id++) respond(id);
    sink += encoder.length;
    encoder.clear();
  };
  const turns = Math.ceil(10000 / batch);
  let best = Infinity;
  for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
    const began = process.cpuUsage();
    for (let i = 0; i < turns; i++) turn();
    const { user, system } = process.cpuUsage(began);
    best = Math.min(best, (user + system) / (turns * batch));
  }
  return best.toFixed(3).padStart(7);
}

console.log(`node ${process.version}, µs a request          batch 1      16      64`);
const rows = [
  ['curl, lazy, plain response', CURL, PLAIN, ASK.lazy, true, true],
  ['browser, lazy, plain response', BROWSER, PLAIN, ASK.lazy, true, true],
  ['browser, rawHeaders, plain response', BROWSER, PLAIN, ASK.raw, true, true],
  ['browser, headers, plain response', BROWSER, PLAIN, ASK.headers, true, true],
  ['browser, headers, Express response', BROWSER, EXPRESS, ASK.headers, true, true],
  ['only decoding, browser, lazy', BROWSER, PLAIN, ASK.lazy, true, false],
  ['only decoding, browser, headers', BROWSER, PLAIN, ASK.headers, true, false],
  ['only encoding, plain response', BROWSER, PLAIN, ASK.lazy, false, true],
  ['only encoding, Express response', BROWSER, EXPRESS, ASK.lazy, false, true],
];
for (const [name, ...row] of rows) {
  console.log(name.padEnd(37), ...[1, 16, 64].map((batch) => measure(batch, ...row)));
}
if (sink === 0) throw new Error('nothing was measured');
