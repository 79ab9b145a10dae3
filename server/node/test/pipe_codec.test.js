// The pipe protocol's codec against the shared vectors, the specification's tables, and node's own header rules.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');

const { Decoder, Encoder, FLAG, METHODS, NAMES, UnsendableError } = require('../pipe/codec.cjs');

const folder = path.join(__dirname, '..', '..', '..', 'core', 'src', 'pipe');
const vectors = readVectors(fs.readFileSync(path.join(folder, 'vectors.txt'), 'utf8'));
const welcome = vectors.find(({ name }) => name === 'welcome').bytes;

function readVectors(file) {
  const list = [];
  for (const line of file.split('\n')) {
    if (line.startsWith('#') || line === '') continue;
    const title = /^\[(\w+)\]$/.exec(line);
    if (title) {
      list.push({ name: title[1], bare: false, hex: '', events: [] });
      continue;
    }
    const vector = list[list.length - 1];
    const [, key, value] = /^(\w*):? *(.*)$/.exec(line);
    if (key === 'event') vector.events.push(JSON.parse(value));
    else if (key === 'hex' || key === '') vector.hex += value;
    else if (key === 'bare') vector.bare = true;
    else if (/^[0-9a-f]+$/.test(line.trim())) vector.hex += line.trim();
    else vector[key] = value;
  }
  for (const vector of list) vector.bytes = Buffer.from(vector.hex, 'hex');
  return list;
}

/** What the decoder makes of bytes that come in pieces of `sizes`, over and over, through one buffer. */
function decode(bytes, bare, sizes) {
  const events = [];
  let begun;
  const decoder = new Decoder({
    welcome({ version, streamsMax, features, window, dataBytesMax, shards }) {
      if (!bare && events.length === 0 && !begun) return void (begun = true);
      const fields = { version, streams_max: streamsMax, features, window, data_bytes_max: dataBytesMax, shards };
      events.push({ type: 'WELCOME', ...fields });
    },
    request(stream, head, body) {
      events.push({
        type: 'REQUEST',
        stream,
        flags: head.flags,
        method: head.method,
        target: head.target,
        client: head.clientAddress,
        client_port: head.clientPort,
        local_port: head.localPort,
        fields: head.rawHeaders,
        body,
      });
    },
    data(stream, chunk, ends, begins) {
      assert.ok(chunk.length > 0);
      const last = events[events.length - 1];
      if (begins === 0 && last && last.type === 'DATA' && last.stream === stream) {
        last.bytes += chunk.latin1Slice();
        last.ends = ends;
      } else {
        events.push({ type: 'DATA', stream, begins, bytes: chunk.latin1Slice(), ends });
      }
    },
    end: (stream, trailers) => events.push({ type: 'END', stream, stop: false, trailers: [...trailers] }),
    reset: (stream, code) => events.push({ type: 'RESET', stream, code }),
    window: (stream, credit) => events.push({ type: 'WINDOW', stream, credit }),
    ping: (token) => events.push({ type: 'PING', token: Buffer.from(token).toString('hex') }),
    drain: () => events.push({ type: 'DRAIN' }),
  });
  const input = Buffer.alloc(1 << 16, 0xee);
  const feed = (part) => {
    part.copy(input, 5);
    decoder.push(input, 5, 5 + part.length);
    input.fill(0xee, 5, 5 + part.length);
  };
  let error;
  try {
    if (!bare) feed(welcome);
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const end = Math.min(bytes.length, at + (sizes[i % sizes.length] || 1 << 15));
      feed(bytes.subarray(at, end));
      at = end;
    }
  } catch (thrown) {
    assert.strictEqual(thrown.name, 'ProtocolError', thrown.stack);
    assert.throws(() => decoder.push(input, 0, 1), thrown);
    error = thrown.code;
  }
  return { events, error };
}

test('the decoder agrees with the vectors, whole and in any pieces', () => {
  let count = 0;
  for (const { name, from, bare, form, bytes, events, error } of vectors) {
    if (from !== 'front' || form === 'careful') continue;
    count++;
    const expected = { events, error };
    assert.deepStrictEqual(decode(bytes, bare, []), expected, name);
    for (const size of [1, 2, 3, 7, 11, 19, 30]) assert.deepStrictEqual(decode(bytes, bare, [size]), expected, name);
    for (let at = 1; at < Math.min(bytes.length, 200); at++) {
      assert.deepStrictEqual(decode(bytes, bare, [at, 0]), expected, `${name} cut at ${at}`);
    }
  }
  assert.ok(count > 60);
});

const LATIN1 = 'latin1';
const write = {
  HELLO: (it, e) => e.hello({ ...it, dataBytesMax: it.data_bytes_max, nodeVersion: it.node_version }),
  PONG: (it, e) => e.pong(Buffer.from(it.token, 'hex'), it.delay_us),
  STATS: (it, e) =>
    e.stats({
      ...it,
      utilisation: it.utilisation / 10000,
      delayMaxMicros: it.delay_max_us,
      heapUsed: it.heap_used,
      heapTotal: it.heap_total,
      arrayBuffers: it.array_buffers,
      gcPauseMicros: it.gc_pause_us,
      gcCount: it.gc_count,
      inFlight: it.in_flight,
    }),
  CLOSING: (it, e) => e.closing(),
  DEMOTE: (it, e) => e.demote(it.text),
  STACK: (it, e) => e.stack(it.text),
  INFORM: (it, e) => e.inform(it.stream, it.status, it.fields),
  DATA: (it, e) => e.data(it.stream, it.bytes, LATIN1),
  END: (it, e) => e.end(it.stream, it.stop ? FLAG.STOP : 0, it.trailers),
  RESET: (it, e) => e.reset(it.stream, it.code),
  WINDOW: (it, e) => e.window(it.stream, it.credit),
  RAW: (it, e) => e.raw(it.stream),
};

test('the encoder writes the vectors', () => {
  let count = 0;
  for (const { name, from, form, bytes, events, error } of vectors) {
    if (from !== 'worker' || error || form || name === 'hello_later_version') continue;
    count++;
    for (const size of [1, 64, 4096]) {
      const encoder = new Encoder(size);
      for (let i = 0; i < events.length; i++) {
        const it = events[i];
        if (it.type === 'RESPONSE') {
          const body = it.body > 0 ? events[++i].bytes : undefined;
          encoder.response(it.stream, it.flags, it.status, it.reason, it.fields, body, LATIN1);
        } else {
          write[it.type](it, encoder);
        }
      }
      assert.strictEqual(encoder.buffer.toString('hex', 0, encoder.length), bytes.toString('hex'), name);
    }
  }
  assert.ok(count > 20, `${count} vectors`);
});

test('an endpoint is UTF-8, and left out where it is too long', () => {
  const written = (endpoint) => {
    const encoder = new Encoder();
    encoder.hello({ worker: 0, generation: 1, nodeVersion: 'v1', endpoint });
    return encoder.buffer.toString('hex', 8 + 32, encoder.length);
  };
  assert.strictEqual(written('/é'), '03002fc3a9');
  assert.strictEqual(written('x'.repeat(256)), '0001' + '78'.repeat(256));
  assert.strictEqual(written('é'.repeat(129)), '0000');
});

test('the tables are those of the specification', () => {
  const document = fs.readFileSync(path.join(folder, 'PROTOCOL.md'), 'utf8');
  const fenced = (title) => document.split(`\`\`\`${title}\n`)[1].split('```')[0].trim().split(/\s+/);
  assert.deepStrictEqual(NAMES, fenced('names'));
  assert.deepStrictEqual(METHODS, fenced('methods'));
  for (const method of METHODS) assert.ok(http.METHODS.includes(method) || method === 'QUERY', method);
});

test('headers are what IncomingMessage makes of the same fields', () => {
  const list = [
    ['Host', 'a'], ['host', 'b'], ['Cookie', 'a=1'], ['cookie', 'b=2'], ['Set-Cookie', 'x'], ['set-cookie', 'y'],
    ['X-A', '1'], ['x-a', '2'], ['X-A', ''], ['Content-Type', 'a/b'], ['Content-Type', 'c/d'], ['User-Agent', 'u'],
    ['__proto__', 'p'], ['constructor', 'c'], ['Vary', 'x'], ['vary', 'y'], ['ETag', '1'], ['etag', '2'], ['From', ''],
    ['from', 'z'], ['Retry-After', '1'], ['Retry-After', '2'], ['Date', 'd'], ['Date', 'e'], ['toString', 't'],
  ].flat();
  const request = new http.IncomingMessage(null);
  const expected = {};
  for (let i = 0; i < list.length; i += 2) request._addHeaderLine(list[i], list[i + 1], expected);
  const encoder = new Encoder();
  encoder.response(1, 0, 200, '', list);
  // The same fields behind a request's fixed part.
  const fields = encoder.buffer.subarray(20, encoder.length);
  const bytes = Buffer.alloc(28 + 1 + fields.length);
  bytes.writeUInt32LE((20 + 1 + fields.length) | (0x10 << 24), 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt32LE(1 + fields.length, 8);
  bytes.writeUInt32LE(1, 12);
  bytes.writeUInt16LE(FLAG.END, 16);
  bytes.writeUInt16LE(list.length / 2, 18);
  bytes[24] = 1;
  bytes.write('/', 28);
  fields.copy(bytes, 29);
  let head;
  const decoder = new Decoder({ welcome() {}, request: (id, it) => (head = it) });
  decoder.push(welcome, 0, welcome.length);
  decoder.push(bytes, 0, bytes.length);
  assert.deepStrictEqual(head.rawHeaders, list);
  assert.deepStrictEqual(head.headers, expected);
  assert.strictEqual(head.headers, head.headers);
});

test('bodies are written in their encoding and within the bound', () => {
  const encoder = new Encoder(16);
  const bodies = [
    ['h\u00e9llo', undefined], ['h\u00e9llo', 'latin1'], ['\u20ac'.repeat(40), 'utf8'], ['68690a', 'hex'], ['aGk=', 'base64'],
    ['hi', 'utf16le'], ['a\ud800b', 'utf8'], [Buffer.from([0, 1, 255]), undefined], ['x'.repeat(65536), undefined],
    [new Uint8Array(65536), undefined], ['\u00e9'.repeat(32768), undefined],
  ];
  for (const [body, encoding] of bodies) {
    encoder.clear();
    const expected = typeof body === 'string' ? Buffer.from(body, encoding) : Buffer.from(body);
    assert.strictEqual(encoder.data(1, body, encoding), expected.length);
    assert.strictEqual(encoder.length, 8 + expected.length);
    assert.ok(encoder.buffer.subarray(8, encoder.length).equals(expected));
    assert.strictEqual(encoder.buffer.readUIntLE(0, 3), expected.length);
  }
  encoder.clear();
  encoder.window(1, 5);
  for (const [body, encoding] of [['x'.repeat(65537)], ['\u00e9'.repeat(32769)], [Buffer.alloc(65537)], ['x'.repeat(65537), 'latin1'], ['']]) {
    assert.throws(() => encoder.data(1, body, encoding), UnsendableError);
    if (body !== '') assert.throws(() => encoder.response(1, 0, 200, '', [], body, encoding), UnsendableError);
  }
  assert.strictEqual(encoder.length, 12, 'nothing was written');
});

test('heads that cannot be sent leave nothing behind', () => {
  const encoder = new Encoder();
  encoder.raw(1);
  const bad = [
    ['x'.repeat(8192), 'v'], ['', 'v'], ['x', 'v'.repeat(300000)], ['x', ['v'.repeat(200000), 'v'.repeat(200000)]],
    new Array(4002).fill('x'), ['x', new Array(2001).fill('v')],
  ];
  for (const fields of bad) {
    assert.throws(() => encoder.response(1, 0, 200, '', fields), UnsendableError);
    assert.throws(() => encoder.inform(1, 103, fields), UnsendableError);
    assert.throws(() => encoder.end(1, 0, fields), UnsendableError);
    assert.strictEqual(encoder.length, 8);
  }
  encoder.response(1, FLAG.END, 200, '', ['set-cookie', ['a', 'b'], 'content-length', 0]);
  assert.strictEqual(encoder.buffer.readUInt16LE(8 + 8 + 8), 3);
});

test('chance never makes the decoder throw anything but its own error', () => {
  const from = vectors.filter((it) => it.from === 'front');
  let seed = 1;
  const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.concat([0, 0, 0].map(() => from[random(from.length)].bytes));
    for (let i = random(4); i > 0; i--) bytes[random(bytes.length)] = random(256);
    const bare = random(4) === 0;
    assert.deepStrictEqual(decode(bytes, bare, [1 + random(40), 1 + random(5)]), decode(bytes, bare, []));
  }
});
