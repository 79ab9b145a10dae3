// Where servers listen: every form of listen, several servers, what they are told about it.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { start, said, get, until, freePort } = require('./helpers.js');

const SERVER = `const http = require('node:http');
const say = (name, value) => console.log(name + ' ' + JSON.stringify(value));
const server = http.createServer((req, res) => res.end('app'));
let callbacks = 0, events = 0;
server.on('listening', () => { events += 1; });
const ready = () => { callbacks += 1; setImmediate(() => { say('told', { callbacks, events, address: server.address(), listening: server.listening }); console.log('READY'); }); };
`;

const numeric = {
  'listen(3000, cb)': [3000, '::', 'IPv6'],
  'listen("3000", cb)': [3000, '::', 'IPv6'],
  'listen(parseInt(process.env.PORT), cb)': [80, '::', 'IPv6'],
  'listen(+process.env.PORT || 3000, "127.0.0.1", 511, cb)': [3000, '127.0.0.1', 'IPv4'],
  'listen(Number(process.env.PORT), "localhost", cb)': [80, '127.0.0.1', 'IPv4'],
  'listen({ port: 3000, host: "::1" }, cb)': [3000, '::1', 'IPv6'],
  'listen({ port: process.env.PORT, host: "0.0.0.0" }, cb)': [80, '0.0.0.0', 'IPv4'],
  'listen({ port: NaN }, cb)': [80, '::', 'IPv6'],
  'listen(undefined, cb)': [80, '::', 'IPv6'],
  'listen(cb)': [80, '::', 'IPv6'],
};

for (const [call, [port, address, family]] of Object.entries(numeric)) {
  test(`${call} is moved, called back once, and plausible`, async (t) => {
    const app = await start(t, `${SERVER} const cb = ready; server.${call};`);
    assert.equal(await get(app.endpoint), 'app', app.err);
    assert.deepEqual(said(app, 'told'), [{ callbacks: 1, events: 1, address: { address, family, port }, listening: true }]);
    assert.match(app.err, /^forebay: listen\(.*\) was moved to this worker's endpoint; clients connect where Forebay listens\n$/);
  });
}

for (const call of ['listen(process.env.PORT, cb)', 'listen({ path: process.env.PORT }, cb)']) {
  test(`${call} is where it asked to be, without a word`, async (t) => {
    const app = await start(t, `${SERVER} const cb = ready; server.${call};`);
    assert.equal(await get(app.endpoint), 'app');
    assert.deepEqual(said(app, 'told'), [{ callbacks: 1, events: 1, address: app.endpoint, listening: true }]);
    assert.equal(app.err, '');
  });
}

test('listen() without arguments and a listening event', async (t) => {
  const app = await start(t, `${SERVER} server.on('listening', ready); server.listen();`);
  assert.equal(await get(app.endpoint), 'app');
});

test('an ES module with a named import', async (t) => {
  const code = `import { createServer } from 'node:http';
    const server = createServer((req, res) => res.end('esm'));
    await new Promise((done) => server.listen(8080, done)); console.log('READY');`;
  const app = await start(t, code, { extension: 'mjs' });
  assert.equal(await get(app.endpoint), 'esm');
});

test('http.Server without new, and a subclass', async (t) => {
  const code = `const http = require('http');
    class Mine extends http.Server { listen(...args) { return super.listen(...args); } }
    const a = new Mine((req, res) => res.end('mine'));
    if (!(http.Server(() => {}) instanceof http.Server)) throw new Error('no server');
    a.listen(3000, () => console.log('READY'));`;
  const app = await start(t, code);
  assert.equal(await get(app.endpoint), 'mine');
});

test('listen keeps its name, its length and its return value', async (t) => {
  const app = await start(t, `const http = require('http'), net = require('net');
    const [a, b] = [http.Server.prototype.listen, net.Server.prototype.listen];
    const server = http.createServer();
    console.log('told ' + JSON.stringify([a !== b, a.name === b.name, a.length === b.length, server.listen(1) === server,
      require.main === module]));
    console.log('READY');`);
  assert.deepEqual(said(app, 'told'), [[true, true, true, true, true]]);
});

test('a second server really listens on its port', async (t) => {
  const port = await freePort();
  const app = await start(t, `${SERVER} server.listen(3000, () => {
    http.createServer((req, res) => res.end('metrics')).listen(${port}, '127.0.0.1', ready); });`);
  assert.deepEqual([await get(app.endpoint), await get(port)], ['app', 'metrics']);
});

test('a server that listens on PORT wins over one that was first', async (t) => {
  const port = await freePort();
  const app = await start(t, `${SERVER} let others = 0;
    const other = http.createServer((req, res) => res.end('other'));
    other.on('listening', () => { others += 1; });
    other.listen(${port}, '127.0.0.1', () => {
      server.listen(process.env.PORT, () => setTimeout(() => { say('others', [others, other.address().port]); ready(); }, 50)); });`);
  assert.deepEqual([await get(app.endpoint), await get(port)], ['app', 'other']);
  assert.deepEqual(said(app, 'others'), [[1, port]]);
  assert.match(app.err, /another server listens on PORT: listen\(\d+\) really listens there/);
});

test('the same when both listen in one turn', async (t) => {
  const port = await freePort();
  const app = await start(t, `${SERVER} let others = [0, 0];
    const other = http.createServer((req, res) => res.end('other'));
    other.on('listening', () => { others[0] += 1; });
    other.listen(${port}, '127.0.0.1', () => { others[1] += 1; });
    server.listen(process.env.PORT, () => setTimeout(() => { say('others', others); ready(); }, 100));`);
  assert.deepEqual([await get(app.endpoint), await get(port)], ['app', 'other']);
  assert.deepEqual(said(app, 'others'), [[1, 1]]);
});

test('both addresses of one port, as for localhost, do not collide between workers', async (t) => {
  const port = await freePort();
  const app = await start(t, `${SERVER} server.listen(${port}, '127.0.0.1', () => {
    const twin = http.createServer(); twin.listen(${port}, '::1', () => { say('twin', twin.address()); ready(); }); });`);
  assert.deepEqual([await get(app.endpoint), await get(port)], ['app', 'ECONNREFUSED']);
  assert.deepEqual(said(app, 'twin'), [{ address: '::1', family: 'IPv6', port }]);
});

test('listen(0) gets any port, and what listens later is the application', async (t) => {
  const app = await start(t, `${SERVER} const helper = http.createServer((req, res) => res.end('helper'));
    helper.listen(0, '127.0.0.1', () => { say('helper', helper.address().port); server.listen(3000, ready); });`);
  const [port] = said(app, 'helper');
  assert.deepEqual([await get(app.endpoint), await get(port)], ['app', 'helper']);
});

test('listen(0) alone serves the endpoint too, a moment later', async (t) => {
  const app = await start(t, `${SERVER} server.listen(0, '127.0.0.1', ready);`);
  const [{ address }] = said(app, 'told');
  assert.equal(await get(address.port), 'app');
  await until(async () => (await get(app.endpoint)) === 'app', 'the endpoint answers');
});

test('paths of its own, descriptors and plain net servers are left alone', async (t) => {
  const app = await start(t, `${SERVER} const net = require('net'); const path = require('path');
    const own = path.join(process.cwd(), 'own.sock');
    net.createServer((socket) => socket.end()).listen(0, () => {
      http.createServer((req, res) => res.end('own')).listen(own, () => {
        say('before', [require('fs').existsSync(process.env.PORT)]);
        server.listen(3000, ready); }); });`);
  assert.deepEqual(said(app, 'before'), [[false]]);
  assert.deepEqual([await get(app.endpoint), await get(`${app.folder}/own.sock`)], ['app', 'own']);
});

test('close, then listen again', async (t) => {
  const app = await start(t, `${SERVER} server.listen(3000, () => { server.close(() => {
    say('closed', [server.address(), server.listening]);
    http.createServer((req, res) => res.end('again')).listen(3001, () => console.log('READY')); }); });`);
  assert.deepEqual(said(app, 'closed'), [[null, false]]);
  assert.equal(await get(app.endpoint), 'again');
});

test('listening twice is the error that it is in node', async (t) => {
  const app = await start(t, `${SERVER} server.listen(3000, () => {
    try { server.listen(3001); } catch (error) { say('error', error.code); } ready(); });`);
  assert.deepEqual(said(app, 'error'), ['ERR_SERVER_ALREADY_LISTEN']);
});

test('a bad port is the error that it is in node', async (t) => {
  const app = await start(t, `${SERVER} for (const bad of [99999, -1, {}, true]) {
    try { server.listen(bad); say('error', null); } catch (error) { say('error', error.code); } } console.log('READY');`);
  assert.deepEqual(said(app, 'error'), ['ERR_SOCKET_BAD_PORT', 'ERR_SOCKET_BAD_PORT', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_VALUE']);
});

test('an abort signal closes the server', async (t) => {
  const app = await start(t, `${SERVER} const stop = new AbortController();
    server.on('close', () => { say('closed', true); console.log('READY'); });
    server.listen({ port: 3000, signal: stop.signal }, () => stop.abort());`);
  assert.deepEqual(said(app, 'closed'), [true]);
});

test('a stale socket is replaced, a served one is an error', { skip: process.platform === 'win32' }, async (t) => {
  const code = `const net = require('net'), fs = require('fs'), { spawnSync } = require('child_process');
    spawnSync(process.execPath, ['-e', 'require("net").createServer().listen(process.env.PORT, () => process.kill(process.pid, "SIGKILL"))']);
    ${SERVER} say('stale', fs.existsSync(process.env.PORT)); server.listen(3000, ready);`;
  const app = await start(t, code);
  assert.deepEqual(said(app, 'stale'), [true]);
  assert.equal(await get(app.endpoint), 'app');
  const second = await start(t, `${SERVER} server.on('error', (error) => { say('error', error.code); console.log('READY'); }); server.listen(3000);`,
    { env: { PORT: app.endpoint, FOREBAY_ENDPOINT: app.endpoint } });
  assert.deepEqual(said(second, 'error'), ['EADDRINUSE']);
  assert.ok(fs.existsSync(app.endpoint));
});

test('a port that another worker has is explained', async (t) => {
  const port = await freePort();
  const code = `${SERVER} const metrics = http.createServer();
    metrics.on('error', (error) => { say('error', error.code); ready(); });
    server.listen(3000, () => metrics.listen(${port}, '127.0.0.1', ready));`;
  await start(t, code);
  const second = await start(t, code);
  assert.deepEqual(said(second, 'error'), ['EADDRINUSE']);
  assert.match(second.err, /port \d+ is taken, perhaps by another worker/);
});
