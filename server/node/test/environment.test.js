// Who else gets to see the preload: nobody.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { preload, start, said, get } = require('./helpers.js');

const HEAD = `const http = require('node:http');
const say = (name, value) => console.log(name + ' ' + JSON.stringify(value === undefined ? null : value));
const env = () => [process.env.NODE_OPTIONS ?? null, process.env.FOREBAY_ENDPOINT ?? null, process.env.FOREBAY_INHERIT ?? null];
`;

test('NODE_OPTIONS is gone when the user had none', async (t) => {
  const app = await start(t, `${HEAD} say('env', env()); console.log('READY');`);
  assert.deepEqual(said(app, 'env'), [[null, null, null]]);
});

for (const options of ['--no-warnings', '--no-warnings  --max-old-space-size=300 ', '--title="a b"']) {
  test(`NODE_OPTIONS is the user's own again: ${options}`, async (t) => {
    const app = await start(t, `${HEAD} say('env', env()); console.log('READY');`, { options });
    assert.deepEqual(said(app, 'env'), [[options, null, null]]);
  });
}

test('the preload may come last, through a link and without quotes', { skip: process.platform === 'win32' }, async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'forebay-link-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  fs.symlinkSync(path.dirname(preload), path.join(folder, 'link'));
  for (const name of [preload, path.join(folder, 'link', 'preload.cjs')]) {
    for (const options of ['--no-warnings', '']) {
      const env = { NODE_OPTIONS: `${options} --require ${name}`.trim() };
      const app = await start(t, `${HEAD} say('env', env()); console.log('READY');`, { env });
      assert.deepEqual(said(app, 'env'), [[options || null, null, null]]);
    }
  }
});

test('a path with blanks, quotes and a link in it', { skip: process.platform === 'win32' }, async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'forebay "odd" '));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  fs.mkdirSync(path.join(folder, 'real'));
  fs.copyFileSync(preload, path.join(folder, 'real', 'preload.cjs'));
  fs.symlinkSync('real', path.join(folder, 'link'));
  for (const place of ['real', 'link']) {
    const name = path.join(folder, place, 'preload.cjs').replace(/[\\"]/g, '\\$&');
    const env = { NODE_OPTIONS: `--require "${name}" --no-warnings` };
    const app = await start(t, `${HEAD} say('env', env()); http.createServer((q, s) => s.end('odd')).listen(1, () => console.log('READY'));`, { env });
    assert.deepEqual(said(app, 'env'), [['--no-warnings', null, null]]);
    assert.equal(await get(app.endpoint), 'odd');
  }
});

test('child processes and worker threads do not inherit it', async (t) => {
  const app = await start(t, `${HEAD} const { execFileSync, fork } = require('child_process');
    const { Worker } = require('worker_threads');
    const probe = 'const http = require("http"), net = require("net"); ' +
      'JSON.stringify([Object.hasOwn(http.Server.prototype, "listen"), process.env.NODE_OPTIONS ?? null])';
    http.createServer((q, s) => s.end('app')).listen(3000, () => {
      say('child', JSON.parse(execFileSync(process.execPath, ['-p', probe])));
      const thread = new Worker(\`const { parentPort } = require('worker_threads'); parentPort.postMessage(eval(\${JSON.stringify(probe)}))\`, { eval: true });
      thread.on('message', (text) => { say('thread', JSON.parse(text)); console.log('READY'); });
    });`);
  assert.deepEqual([said(app, 'child'), said(app, 'thread')], [[[false, null]], [[false, null]]], app.err);
  assert.equal(await get(app.endpoint), 'app');
});

test('behind a launcher it lives until the server is found', { skip: process.platform === 'win32' }, async (t) => {
  const code = `${HEAD} const { spawn } = require('child_process');
    if (process.argv[2] !== 'server') {
      say('launcher', env().map((value) => value !== null));
      spawn(process.execPath, [__filename, 'server'], { stdio: 'inherit' }).on('exit', (code) => process.exit(code));
    } else {
      http.createServer((q, s) => s.end('launched')).listen(3000, () => { say('server', env()); console.log('READY'); });
      setInterval(() => process.ppid === 1 && process.exit(), 20);
    }`;
  const app = await start(t, code, { env: { FOREBAY_INHERIT: '1' }, options: '--no-warnings' });
  assert.deepEqual(said(app, 'launcher'), [[true, true, true]]);
  assert.deepEqual(said(app, 'server'), [['--no-warnings', null, null]]);
  assert.equal(await get(app.endpoint), 'launched');
});

test('behind a launcher only one process gets the endpoint', { skip: process.platform === 'win32' }, async (t) => {
  const code = `${HEAD} const { spawn } = require('child_process');
    const [role] = process.argv.slice(2);
    const serve = (port, then) => { const s = http.createServer((q, r) => r.end(role)); s.listen(port, '127.0.0.1', () => then(s)); };
    if (role === undefined) {
      const run = (name) => spawn(process.execPath, [__filename, name], { stdio: ['ignore', 'pipe', 'inherit'] });
      const first = run('first');
      first.stdout.once('data', () => { const second = run('second'); second.stdout.on('data', (text) => process.stdout.write(text)); });
    } else {
      serve(role === 'first' ? 3000 : Number(process.env.FREE), (s) => { say(role, s.address().port); console.log('READY'); });
      setInterval(() => process.ppid === 1 && process.exit(), 20);
    }`;
  const { freePort } = require('./helpers.js');
  const port = await freePort();
  const app = await start(t, code, { env: { FOREBAY_INHERIT: '1', FREE: String(port) } });
  assert.deepEqual([await get(app.endpoint), await get(port)], ['first', 'second']);
});

test('an application that uses cluster itself is served by its own workers', async (t) => {
  const app = await start(t, `${HEAD} const cluster = require('cluster');
    if (cluster.isPrimary) {
      cluster.fork().on('listening', () => console.log('READY'));
      process.on('disconnect', () => process.exit());
    } else {
      http.createServer((q, s) => s.end('clustered')).listen(process.env.PORT);
    }`);
  assert.equal(await get(app.endpoint), 'clustered');
});

test('without variables a server stays where it is, and so does the environment', async (t) => {
  const app = await start(t, `${HEAD} say('options', process.env.NODE_OPTIONS !== undefined);
    http.createServer().listen(0, function () { say('port', this.address().port > 0); console.log('READY'); });`,
  { env: { FOREBAY_ENDPOINT: '' } });
  assert.deepEqual([said(app, 'options'), said(app, 'port')], [[true], [true]]);
});

test('timeouts stay as the application has them', async (t) => {
  const app = await start(t, `${HEAD} const s = http.createServer(); const plain = [s.keepAliveTimeout, s.headersTimeout, s.requestTimeout, s.timeout];
    s.listen(3000, () => { say('same', JSON.stringify(plain) === JSON.stringify([s.keepAliveTimeout, s.headersTimeout, s.requestTimeout, s.timeout])); console.log('READY'); });`);
  assert.deepEqual(said(app, 'same'), [true]);
});

test('a process with nothing to do ends', async (t) => {
  const app = await start(t, `${HEAD} console.log('READY');`);
  assert.equal(await app.exited, 0);
});
