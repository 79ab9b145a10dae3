// Requests through frames: a front made of little, workers that are real processes under the preload.
'use strict';

const assert = require('node:assert/strict');
const { test: declare } = require('node:test');
const fs = require('node:fs');
const { start, said, get, until, freePort } = require('./helpers.js');
const { FLAG, Front } = require('./front.js');

const HEAD = `const http = require('node:http');
const say = (name, value) => console.log(name + ' ' + JSON.stringify(value === undefined ? null : value));
const serve = (listener) => { const server = http.createServer(listener); server.listen(3000, () => console.log('READY')); return server; };
`;

const test = (name, ...rest) => declare(name, { timeout: 30_000, ...(rest.length > 1 ? rest[0] : {}) }, rest.at(-1));

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

test('requests of one read do not see each other\'s context', async (t) => {
  const { pipe } = await fed(t, `const { AsyncLocalStorage } = require('async_hooks'); const als = new AsyncLocalStorage();
    serve((req, res) => {
      const before = als.getStore();
      als.enterWith(req.url);
      const leaks = [before];
      res.on('close', () => leaks.push(als.getStore() === req.url ? undefined : als.getStore()));
      req.on('data', () => leaks.push(als.getStore() === req.url ? undefined : als.getStore()));
      setImmediate(() => res.end(JSON.stringify(leaks.filter((one) => one !== undefined))));
    });`);
  for (let batch = 0; batch < 25; batch++) {
    const streams = pipe.together(() => Array.from({ length: 16 }, (_, i) => pipe.request({ target: `/${batch}/${i}`, method: 'POST', body: 'x' })));
    for (const stream of streams) {
      await stream.ended;
      assert.equal(String(stream.body), '[]');
    }
  }
});

test('a client that takes nothing stops its own response and no other', async (t) => {
  const { pipe } = await fed(t, `serve((req, res) => {
    if (req.url === '/small') return res.end('small');
    const state = { wrote: 0, drains: 0 };
    const more = () => { while (state.wrote < 4e6) { state.wrote += 50000; if (!res.write(Buffer.alloc(50000, 'x'))) return; } res.end(); };
    res.on('drain', () => { state.drains++; more(); });
    res.on('finish', () => say('finish', state));
    more();
    setImmediate(() => say('state', state));
  });`, { front: { autoGrant: false } });
  const large = pipe.request({ target: '/large' });
  await large.until((one) => one.body.length === 262144);
  for (let i = 0; i < 20; i++) {
    const small = pipe.request({ target: '/small' });
    await small.ended;
    assert.equal(String(small.body), 'small');
  }
  assert.equal(large.body.length, 262144);
  pipe.front.autoGrant = true;
  large.grant(262144);
  await large.ended;
  assert.equal(large.body.length, 4e6);
});

test('an upload that nobody reads stops at the window, and goes on when somebody does', async (t) => {
  const { app, pipe } = await fed(t, `serve((req, res) => {
    setTimeout(() => { say('held', req.readableLength); let bytes = 0; req.on('data', (part) => (bytes += part.length)).on('end', () => res.end(String(bytes))); }, 50);
  });`);
  const upload = pipe.request({ method: 'POST', open: true });
  for (let i = 0; i < 4; i++) upload.write(Buffer.alloc(65536));
  await upload.until((one) => one.granted > 0);
  let credit = upload.granted;
  let sent = 262144;
  while (sent < 2e6) {
    if (credit >= 65536) {
      upload.write(Buffer.alloc(65536));
      sent += 65536;
      credit -= 65536;
    } else {
      const before = upload.granted;
      await upload.until((one) => one.granted > before);
      credit += upload.granted - before;
    }
  }
  upload.remoteDone = true;
  upload.end();
  await upload.ended;
  assert.equal(String(upload.body), String(sent));
  await until(() => said(app, 'held').length === 1, 'what was held');
  assert.ok(said(app, 'held')[0] <= 262144);
});

test('a reader that takes all it has at once is given more', async (t) => {
  const { pipe } = await fed(t, `serve((req, res) => {
    setTimeout(async () => { let bytes = 0; for await (const part of req) bytes += part.length; res.end(String(bytes)); }, 50);
  });`);
  const upload = pipe.request({ method: 'POST', open: true });
  for (let i = 0; i < 4; i++) upload.write(Buffer.alloc(65536));
  await upload.until((one) => one.granted >= 262144);
  for (let i = 0; i < 4; i++) upload.write(Buffer.alloc(65536));
  upload.remoteDone = true;
  upload.end();
  await upload.ended;
  assert.equal(String(upload.body), '524288');
});

test('a body that was not read is taken, and granted', async (t) => {
  const { pipe } = await fed(t, `serve((req, res) => res.end('enough'));`);
  const upload = pipe.request({ method: 'POST', open: true });
  await upload.ended;
  for (let i = 0; i < 4; i++) upload.write(Buffer.alloc(65536));
  await upload.until((one) => one.granted >= 131072);
  upload.remoteDone = true;
  upload.end();
  pipe.close(upload);
  const again = pipe.request();
  await again.ended;
  assert.equal(again.id, 65537);
});

test('server.close() refuses what comes, finishes what is open, and ends', async (t) => {
  const { app, pipe } = await fed(t, `const server = serve((req, res) => {
      if (req.url === '/close') { server.close(() => say('closed', server.listening)); server.getConnections((_, count) => say('count', count)); }
      setTimeout(() => res.end('done'), 50);
    });`);
  const [open, closing] = [pipe.request({ target: '/open' }), pipe.request({ target: '/close' })];
  await pipe.got('CLOSING');
  const late = pipe.request({ target: '/late' });
  await late.ended;
  assert.equal(late.resetCode, 1);
  await Promise.all([open.ended, closing.ended]);
  assert.equal(String(open.body) + closing.body, 'donedone');
  await pipe.closed;
  assert.equal(await app.exited, 0);
  assert.deepEqual([said(app, 'closed'), said(app, 'count')], [[false], [2]]);
  assert.ok(!fs.existsSync(app.endpoint));
});

test('DRAIN: what is open finishes, then the connection ends, and the server goes on', async (t) => {
  const { app, pipe } = await fed(t, `serve((req, res) => setTimeout(() => res.end('done'), 50));`);
  const open = pipe.request();
  pipe.drain();
  await open.ended;
  assert.equal(String(open.body), 'done');
  await pipe.closed;
  assert.equal(await get(app.endpoint), 'done');
});

test('process.exit sends what was answered', async (t) => {
  const { app, pipe } = await fed(t, `serve((req, res) => { res.end('last words'); process.exit(3); });`);
  const answer = pipe.request();
  await answer.ended;
  assert.equal(String(answer.body), 'last words');
  assert.equal(await app.exited, 3);
});

test('an exception in a handler reaches uncaughtException, and the other requests go on', async (t) => {
  const { app, pipe } = await fed(t, `process.on('uncaughtException', (error) => say('caught', error.message));
    serve((req, res) => { if (req.url === '/2') throw new Error('mine'); res.end(req.url); });`);
  const [one, two, three] = pipe.together(() => ['/1', '/2', '/3'].map((target) => pipe.request({ target })));
  await Promise.all([one.ended, three.ended]);
  assert.equal(String(one.body) + three.body, '/1/3');
  assert.equal(two.status, undefined);
  await until(() => said(app, 'caught').length === 1, 'the exception');
});

test('an exception without a listener ends the process as ever', async (t) => {
  const { app } = await fed(t, `const server = serve((req, res) => { throw new Error('mine'); });`).then((rig) => {
    rig.pipe.request();
    return rig;
  });
  assert.equal(await app.exited, 1);
  assert.match(app.err, /app\.cjs:\d+\n.*throw new Error\('mine'\)/);
});

test('pings are answered, and statistics come', async (t) => {
  const { pipe } = await fed(t, `serve((req, res) => res.end());`);
  pipe.ping('tokentok');
  const pong = await pipe.got('PONG');
  assert.equal(pong.toString('latin1', 0, 8), 'tokentok');
  const stats = await pipe.got('STATS');
  assert.equal(stats.length, 68);
  assert.equal(stats.readUInt32LE(60), 0);
  assert.ok(Number(stats.readBigUInt64LE(8)) > 1e6 && Number(stats.readBigUInt64LE(40)) > 1e7);
});

test('pipes do not keep a process that has nothing else to do', async (t) => {
  const { app, pipe } = await fed(t, `const server = serve((req, res) => { server.unref(); setTimeout(() => res.end('x'), 50); });`);
  const answer = pipe.request();
  await answer.ended;
  assert.equal(String(answer.body), 'x');
  assert.equal(await app.exited, 0);
});

test('an upgrade is a raw stream both ways', async (t) => {
  const { pipe } = await fed(t, `const server = serve((req, res) => res.end('plain'));
    server.on('upgrade', (req, socket, head) => {
      say('facts', [Buffer.isBuffer(head), head.length, socket instanceof require('net').Socket, req.socket === socket, socket.readable, socket.writable]);
      socket.setTimeout(0); socket.setNoDelay(); socket.setKeepAlive(true, 0);
      if (head.length > 0) socket.unshift(head);
      socket.on('close', (hadError) => say('close', hadError)).on('end', () => say('end'));
      socket.cork();
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: echo\\r\\n\\r\\n');
      socket.uncork();
      socket.on('data', (data) => { if (String(data) === 'bye') socket.end('bye'); else socket.write(data); });
    });`);
  const stream = pipe.request({ flags: FLAG.UPGRADE, fields: ['Host', 'a', 'Connection', 'Upgrade', 'Upgrade', 'echo'] });
  await stream.until((one) => one.isRaw);
  stream.write('one ');
  stream.write(Buffer.alloc(60000, 'x'));
  await stream.until((one) => one.body.length > 60000);
  stream.write('bye');
  await stream.ended;
  assert.match(String(stream.body), /^HTTP\/1\.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\none x+bye$/);
  stream.remoteDone = true;
  stream.end();
  pipe.close(stream);
  const plain = pipe.request();
  await plain.ended;
  assert.equal(String(plain.body), 'plain');
});

test('an upgrade that nobody listens for is an ordinary request', async (t) => {
  const { pipe } = await fed(t, `serve((req, res) => res.end('plain ' + req.upgrade));`);
  const stream = pipe.request({ flags: FLAG.UPGRADE });
  await stream.ended;
  assert.equal(String(stream.body), 'plain false');
  stream.remoteDone = true;
  stream.end();
});

test('trackers of connections see them come and go', async (t) => {
  const { app, pipe } = await fed(t, `const server = serve((req, res) => res.end(req.socket.remoteAddress + ' ' + req.socket.remotePort + ' ' + req.socket.encrypted));
    server.keepAliveTimeout = 1000; const open = new Set();
    server.on('connection', (socket) => { open.add(socket); say('open', open.size); socket.on('close', () => { open.delete(socket); say('size', open.size); }); });`);
  const answer = pipe.request({ client: '203.0.113.9', clientPort: 4711, flags: FLAG.HTTPS });
  await answer.ended;
  assert.equal(String(answer.body), '::ffff:203.0.113.9 4711 true');
  await until(() => said(app, 'size').length === 1, 'the close');
  assert.deepEqual([said(app, 'open'), said(app, 'size')], [[1], [0]]);
});

test('diagnostics channels are told', async (t) => {
  const { app, pipe } = await fed(t, `const dc = require('diagnostics_channel');
    for (const name of ['http.server.request.start', 'http.server.response.finish']) dc.subscribe(name, ({ request, response, socket, server }) => say(name, [request.url, response.statusCode, socket === request.socket, server.listening]));
    serve((req, res) => res.end());`);
  await pipe.request({ target: '/x' }).ended;
  await until(() => said(app, 'http.server.response.finish').length === 1, 'the end');
  assert.deepEqual(said(app, 'http.server.request.start'), [['/x', 200, true, true]]);
  assert.deepEqual(said(app, 'http.server.response.finish'), [['/x', 200, true, true]]);
});

test('servers of an attached process announce themselves', async (t) => {
  const front = new Front({ shards: 2 });
  t.after(() => front.close());
  const path = `${require('node:os').tmpdir()}/forebay-attach-${process.pid}`;
  await front.listen(path);
  const app = await start(t, `${HEAD} const { mkdtempSync } = require('fs'); const folder = mkdtempSync(require('os').tmpdir() + '/forebay-att-');
    const listen = (name) => new Promise((done) => { const server = http.createServer((req, res) => res.end(name)).listen(folder + '/' + name, () => done(server)); });
    (async () => {
      const [a, b] = await Promise.all([listen('a'), listen('b')]);
      say('where', [folder, process.env.FOREBAY_PIPE ?? null]);
      http.createServer().listen(0, () => { console.log('READY'); a.close(() => say('closed')); });
    })();`, { env: { FOREBAY_PIPE: path, FOREBAY_ENDPOINT: undefined, PORT: undefined } });
  const [[folder, inherited]] = said(app, 'where');
  // Whoever set it may mean child processes, as a test runner's.
  assert.equal(inherited, path);
  const pipe = await front.ready({ endpoint: `${folder}/b`, shard: 1 });
  assert.deepEqual([pipe.about.worker, pipe.about.generation], [0xffff, 0]);
  const answer = pipe.request();
  await answer.ended;
  assert.equal(String(answer.body), 'b');
  await (await front.ready({ endpoint: `${folder}/a` })).closed;
  await until(() => said(app, 'closed').length === 1, 'the close');
});

test('without a front there is HTTP', async (t) => {
  const app = await start(t, `${HEAD} serve((req, res) => res.end('alone'));`, { env: { FOREBAY_PIPE: '/nowhere/pipe' } });
  await until(() => fs.existsSync(app.endpoint), 'the endpoint');
  assert.equal(await get(app.endpoint), 'alone');
  assert.match(app.err, /served over HTTP: the pipe does not answer/);
});

test('heads that cannot be sent end their exchange and nothing else', async (t) => {
  const { app, pipe } = await fed(t, `serve((req, res) => {
      res.on('close', () => say('closed', req.url));
      if (req.url === '/101') { res.statusCode = 101; return res.end(); }
      if (req.url === '/large') { res.setHeader('X-Large', 'x'.repeat(300000)); return res.end('x'); }
      if (req.url === '/written') { res.setHeader('X-Large', 'x'.repeat(300000)); res.write('x'); return res.end('y'); }
      res.end('fine');
    });`);
  const streams = ['/101', '/large', '/written', '/'].map((target) => pipe.request({ target }));
  for (const stream of streams) await stream.ended;
  assert.deepEqual(streams.map((stream) => stream.resetCode ?? String(stream.body)), [3, 2, 2, 'fine']);
  await until(() => said(app, 'closed').length === 4, 'four ends');
});

test('raw HTTP that cannot be carried costs its client, and the worker the pipe', async (t) => {
  const { pipe } = await fed(t, `serve((req, res) => { req.socket.write('220 smtp\\r\\n'); });`);
  const answer = pipe.request();
  await answer.ended;
  assert.equal(answer.resetCode, 2);
  assert.match(String(await pipe.got('DEMOTE')), /writes to sockets itself/);
});

test('who listens on PORT itself is fed, whoever came first', async (t) => {
  const { app, front, pipe } = await fed(t, `const first = http.createServer((req, res) => res.end('first')).listen(Number(process.env.FREE), '127.0.0.1', () => {
      setTimeout(() => http.createServer((req, res) => res.end('second')).listen(process.env.PORT, () => console.log('READY')), 100);
    });`, { env: { FREE: String(await freePort()) } });
  await pipe.got('CLOSING');
  await until(() => front.connections.some((one) => one !== pipe && one.isReady), 'the second server');
  const answer = front.connections.find((one) => one !== pipe && one.isReady).request();
  await answer.ended;
  assert.equal(String(answer.body), 'second');
  await pipe.closed;
  await until(() => fs.existsSync(app.endpoint), 'the endpoint');
  assert.equal(await get(app.endpoint), 'second');
});

test('an attached process finds the pipe beside its path', { skip: process.platform === 'win32' }, async (t) => {
  const folder = fs.mkdtempSync(`${require('node:os').tmpdir()}/forebay-beside-`);
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const front = new Front();
  t.after(() => front.close());
  await front.listen(`${folder}/forebay.pipe`);
  await start(t, `${HEAD} http.createServer((req, res) => res.end('beside')).listen('${folder}/app.sock', () => console.log('READY'));`,
    { env: { FOREBAY_ENDPOINT: undefined, PORT: undefined } });
  const answer = (await front.ready({ endpoint: `${folder}/app.sock` })).request();
  await answer.ended;
  assert.equal(String(answer.body), 'beside');
});
