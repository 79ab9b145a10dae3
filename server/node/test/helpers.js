// Starts small applications under the preload, as Forebay would.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const preload = path.join(__dirname, '..', 'preload.cjs');

/** Runs `code` as a script under the preload; resolves when it printed the line READY. */
async function start(t, code, { extension = 'cjs', env = {}, options, args = [], command } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'forebay-test-'));
  const endpoint = process.platform === 'win32' ? `\\\\.\\pipe\\${path.basename(folder)}` : path.join(folder, 'w.sock');
  const script = path.join(folder, `app.${extension}`);
  fs.writeFileSync(script, code);
  const require = `--require "${preload.replace(/[\\"]/g, '\\$&')}"`;
  const child = spawn(command ? command[0] : process.execPath, [...(command ? command.slice(1) : []), ...args, ...(command ? [] : [script])], {
    cwd: folder,
    env: {
      ...process.env,
      NODE_TEST_CONTEXT: undefined,
      PORT: endpoint,
      FOREBAY_ENDPOINT: endpoint,
      NODE_OPTIONS: options === undefined ? require : `${require} ${options}`,
      SCRIPT: script,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const app = { child, endpoint, folder, script, out: '', err: '', code: undefined };
  app.exited = new Promise((done) => child.once('close', (code) => done((app.code = code))));
  child.stderr.setEncoding('utf8').on('data', (text) => (app.err += text));
  t.after(async () => {
    child.kill('SIGKILL');
    await app.exited;
    fs.rmSync(folder, { recursive: true, force: true });
  });
  await new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`no READY: ${app.out}${app.err}`)), 20000);
    const settle = (settled, value) => (clearTimeout(timer), settled(value));
    child.stdout.setEncoding('utf8').on('data', (text) => {
      app.out += text;
      if (app.out.includes('READY\n')) settle(done);
    });
    app.exited.then(() => settle(done));
    child.once('error', (error) => settle(fail, error));
  });
  return app;
}

/** The lines that the application printed as JSON behind `name`. */
function said(app, name) {
  const lines = app.out.split('\n').filter((line) => line.startsWith(`${name} `));
  return lines.map((line) => JSON.parse(line.slice(name.length + 1)));
}

/** GET / on a socket path or port; resolves with the body, or the error's code. */
function get(where) {
  const options = typeof where === 'string' ? { socketPath: where, path: '/' } : { port: where, host: '127.0.0.1', path: '/' };
  return new Promise((done) => {
    const request = http.get({ ...options, agent: false }, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (text) => (body += text)).on('end', () => done(body));
    });
    request.on('error', (error) => done(error.code));
  });
}

/** Resolves once `condition` holds. */
async function until(condition, what) {
  const deadline = Date.now() + 20000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((again) => setTimeout(again, 10));
  }
}

/** A port that is free now. */
function freePort() {
  return new Promise((done) => {
    const server = require('node:net').createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

module.exports = { preload, start, said, get, until, freePort };
