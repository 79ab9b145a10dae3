// Requests through frames: a front made of little, workers that are real processes under the preload.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const fs = require('node:fs');
const { start, said, get, until } = require('./helpers.js');
const { FLAG, Front } = require('./front.js');

const HEAD = `const http = require('node:http');
const say = (name, value) => console.log(name + ' ' + JSON.stringify(value === undefined ? null : value));
const serve = (listener) => { const server = http.createServer(listener); server.listen(3000, () => console.log('READY')); return server; };
`;

/** A worker that is fed through frames, and the connection to it. */
async function fed(t, code, { front: options, ...rest } = {}) {
  const front = new Front(options);
  t.after(() => front.close());
  const path = `${require('node:os').tmpdir()}/forebay-pipe-${process.pid}-${Math.random().toString(36).slice(2)}`;
  await front.listen(path);
  const app = await start(t, HEAD + code, { ...rest, env: { FOREBAY_PIPE: path, FOREBAY_WORKER: '0', FOREBAY_GENERATION: '7', ...rest.env } });
  const pipe = await front.ready();
  return { app, front, pipe };
}

test('a request is answered in one frame', async (t) => {
  const { app, pipe } = await fed(t, `serve((req, res) => { res.setHeader('Content-Type', 'text/plain'); res.end('hello'); });`);
  const answer = pipe.request({ target: '/a?b=c' });
  await answer.ended;
  assert.deepEqual([answer.status, answer.reason, answer.fields, String(answer.body)], [200, '', ['Content-Type', 'text/plain'], 'hello']);
  assert.deepEqual(answer.frames, ['RESPONSE']);
  assert.equal(answer.flags, FLAG.END);
  assert.deepEqual(pipe.about, { worker: 0, generation: 7, pid: app.child.pid, node: process.version, endpoint: app.endpoint });
  assert.equal(await get(app.endpoint), 'hello');
});

test('the body of a request comes whole, however it is cut', async (t) => {
  const { pipe } = await fed(t, `serve((req, res) => { const parts = []; req.on('data', (part) => parts.push(part)).on('end', () => res.end(req.method + Buffer.concat(parts))); });`);
  const whole = pipe.request({ method: 'POST', body: 'abc', fields: ['Host', 'a', 'Content-Length', '3'] });
  const cut = pipe.request({ method: 'PUT', body: 'one,', open: true });
  cut.write('two,');
  cut.write('three');
  cut.remoteDone = true;
  cut.end();
  await Promise.all([whole.ended, cut.ended]);
  assert.deepEqual([String(whole.body), String(cut.body)], ['POSTabc', 'PUTone,two,three']);
});

test('a streamed response, and one that is too large for a frame', async (t) => {
  const { pipe } = await fed(t, `serve((req, res) => { if (req.url === '/big') return res.end(Buffer.alloc(1e6, 'x')); res.write('a'); setImmediate(() => { res.write('b'); res.end('c'); }); });`);
  const [streamed, big] = [pipe.request(), pipe.request({ target: '/big' })];
  await Promise.all([streamed.ended, big.ended]);
  assert.equal(String(streamed.body), 'abc');
  assert.equal(streamed.field('content-length'), undefined);
  assert.equal(big.body.length, 1e6);
  assert.equal(big.field('content-length'), '1000000');
});

test('the endpoint appears when the pipes are ready', async (t) => {
  const { app, front } = await fed(t, `serve((req, res) => res.end('x'));`, { front: { shards: 3 } });
  for (let shard = 0; shard < 3; shard++) {
    const answer = (await front.ready({ shard })).request();
    await answer.ended;
    assert.equal(String(answer.body), 'x');
  }
  assert.equal(front.connections.length, 3);
  await until(() => fs.existsSync(app.endpoint), 'the endpoint');
});
