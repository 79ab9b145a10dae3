// Learned prototypes: applications that give every request a prototype behave as if nobody had learned anything.
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { test } = require('node:test');
const { Habits, Learned } = require('../worker/learn.cjs');
const response = require('../worker/response.cjs');
const { MemoryLink } = require('../worker/selftest.cjs');

response.install();

const WELCOME = '14000002000000004642415901000004000000000000040000000100';

/** A link in memory whose requests go to `server`; ask() resolves when one was answered and settled. */
function linked(server) {
  const link = new MemoryLink(server);
  link.input(WELCOME);
  let uses = 0;
  const ask = async (target = '/') => {
    const head = Buffer.from(target);
    const frame = Buffer.alloc(28 + head.length + 5);
    frame.writeUInt32LE((frame.length - 8) | (0x10 << 24), 0);
    frame.writeUInt32LE(uses++ * 65536 + 1, 4);
    frame.writeUInt32LE(head.length + 5, 8);
    frame.writeUInt32LE(head.length, 12);
    frame.writeUInt16LE(1, 16);
    frame.writeUInt16LE(1, 18);
    frame[24] = 1;
    head.copy(frame, 28);
    Buffer.from('0100008061', 'hex').copy(frame, 28 + head.length);
    link.input(frame.toString('hex'));
    await new Promise(setImmediate);
  };
  return { link, ask };
}

/** As Express: a function with prototypes of its own, which it sets on each pair. */
function application(handle) {
  const app = (req, res) => {
    app.before?.(req, res);
    Object.setPrototypeOf(req, app.request);
    Object.setPrototypeOf(res, app.response);
    handle(req, res);
  };
  app.request = Object.create(http.IncomingMessage.prototype, { app: { value: app }, query: { get: () => 'mine' } });
  app.response = Object.create(http.ServerResponse.prototype, { app: { value: app } });
  return app;
}

test('a pair is built with the prototypes that its application sets', async () => {
  const seen = [];
  const app = application((req, res) => {
    assert.equal(req.query, 'mine');
    assert.ok(req instanceof http.IncomingMessage && res instanceof http.ServerResponse);
    assert.equal(req.constructor, http.IncomingMessage);
    assert.equal(req.headers.host, 'a');
    res.end('x');
  });
  app.before = (req, res) => seen.push(Object.getPrototypeOf(req) === app.request && Object.getPrototypeOf(res) === app.response);
  const { ask } = linked(http.createServer(app));
  for (let i = 0; i < 20; i++) await ask();
  assert.deepEqual([seen[0], seen.at(-1)], [false, true]);
});

test('a pair looks the same, however it was built', async () => {
  const keys = [];
  const app = application((req, res) => {
    keys.push(JSON.stringify([Object.keys(req), Object.keys(res), res.shouldKeepAlive, req.complete, req.readable, res.writable]));
    res.end();
  });
  const { ask, link } = linked(http.createServer(app));
  for (let i = 0; i < 20; i++) await ask();
  assert.ok(link.learned.isReady);
  assert.equal(keys.at(-1), keys[0]);
});

test('nothing is learned from what comes before an application', async () => {
  const app = application((req, res) => res.end());
  const server = http.createServer((req, res) => (req.url === '/raw' ? res.end() : app(req, res)));
  const { ask, link } = linked(server);
  for (let i = 0; i < 20; i++) await ask(i % 5 === 0 ? '/raw' : '/');
  assert.equal(link.learned.isReady, false);
});

test('it is forgotten when another listener comes', async () => {
  const app = application((req, res) => res.end());
  const server = http.createServer(app);
  const { ask, link } = linked(server);
  for (let i = 0; i < 20; i++) await ask();
  assert.ok(link.learned.isReady);
  server.removeAllListeners('request');
  let isPlain;
  server.on('request', (req, res) => {
    isPlain = Object.getPrototypeOf(req) === http.IncomingMessage.prototype && req.query === undefined;
    res.end();
  });
  await ask();
  assert.ok(isPlain);
});

test('a sub-application has its own, above those of its parent', async () => {
  const child = application((req, res) => res.end());
  const app = application((req, res) => (req.url === '/sub' ? child(req, res) : res.end()));
  Object.setPrototypeOf(child.request, app.request);
  Object.setPrototypeOf(child.response, app.response);
  const wrong = [];
  child.before = (req) => wrong.push(req.app !== app);
  const { ask, link } = linked(http.createServer(app));
  for (let i = 0; i < 30; i++) await ask(i % 2 ? '/sub' : '/');
  assert.ok(link.learned.isReady);
  assert.ok(!wrong.includes(true));
});

test('classes of the server\'s own are left alone', async () => {
  class Request extends http.IncomingMessage {}
  const app = application((req, res) => res.end());
  const { ask, link } = linked(http.createServer({ IncomingMessage: Request }, app));
  for (let i = 0; i < 20; i++) await ask();
  assert.equal(link.learned.isReady, false);
});

test('headers that are asked for anyway are the same', async () => {
  const seen = [];
  const { ask, link } = linked(http.createServer((req, res) => {
    seen.push(JSON.stringify(req.headers));
    res.end();
  }));
  for (let i = 0; i < 40; i++) await ask();
  assert.ok(link.habits.readsHeaders);
  assert.deepEqual([...new Set(seen)], ['{"host":"a"}']);
  assert.equal(new Habits().isAsked(), false);
  assert.equal(new Learned(http.createServer()).isReady, false);
});
