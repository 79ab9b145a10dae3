// The demo answers on every path that its page names.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const { start, until } = require('./helpers.js');

const demo = fs.readFileSync(path.join(__dirname, '..', 'demo.cjs'), 'utf8');

function request(socketPath, url, { method = 'GET', body, first = false } = {}) {
  return new Promise((done, fail) => {
    const req = http.request({ socketPath, path: url, method, agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (part) => {
        text += part;
        if (first) done({ status: res.statusCode, type: res.headers['content-type'], text }, req.destroy());
      });
      res.on('end', () => done({ status: res.statusCode, type: res.headers['content-type'], text }));
    });
    req.on('error', fail);
    req.end(body);
  });
}

test('the demo', async (t) => {
  const app = await start(t, `${demo}\nserver.on('listening', () => console.log('READY'));`, { env: { FOREBAY_WORKER: '3' } });
  await until(() => fs.existsSync(app.endpoint) || process.platform === 'win32', 'endpoint');
  const ask = (url, options) => request(app.endpoint, url, options);

  const page = await ask('/');
  assert.deepEqual([page.status, page.type], [200, 'text/html; charset=utf-8']);
  assert.doesNotMatch(page.text, /https?:\/\//, 'no external assets');
  const links = [...page.text.matchAll(/href="([^"]+)"/g)].map((match) => match[1]);
  for (const link of links.filter((link) => link !== '/events' && !link.startsWith('/slow'))) {
    assert.equal((await ask(link)).status, 200, link);
  }
  const me = JSON.parse((await ask('/api/whoami')).text);
  assert.deepEqual([me.worker, me.pid, me.node], ['3', app.child.pid, process.version]);
  assert.equal(JSON.parse((await ask('/slow?ms=5')).text).slept_ms, 5);
  assert.equal((await ask('/echo', { method: 'POST', body: 'hello' })).text, 'hello');
  assert.match((await ask('/events', { first: true })).text, /^data: \{.*"worker":"3"/);
  assert.deepEqual([(await ask('/nowhere')).status, (await ask('//')).status], [404, 400]);
});
