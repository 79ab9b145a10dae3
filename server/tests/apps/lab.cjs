// The application of most end-to-end tests: one route for each thing an application may do to its client.
'use strict';

const fs = require('node:fs');
const http = require('node:http');

/** What tests ask about: how many clients were lost, where, and how far a paused transfer is. */
const seen = { closed: 0, aborted: 0, pending: 0, written: 0, blocked: false, order: 0 };
/** The longest time this process was kept from running since it was last asked for, in ms: what a busy machine does. */
let late = 0;
let turned = Date.now();
setInterval(() => {
  const now = Date.now();
  late = Math.max(late, now - turned);
  turned = now;
}, 20).unref();

/** Continuations of requests that wait until another request releases them. */
const waiting = [];

/** The bytes of every large body: a pattern that repeats after 64 KiB, twice. */
const BLOCK = 64 * 1024;
const pattern = Buffer.alloc(2 * BLOCK);
for (let i = 0; i < pattern.length; i++) pattern[i] = (i * 31 + (i >> 8)) & 0xff;

/** Counts what comes, and whether it is the pattern: nothing lost, doubled or out of order. */
class Check {
  bytes = 0;
  intact = true;

  take(chunk) {
    for (let at = 0; at < chunk.length; at += BLOCK) {
      const piece = chunk.subarray(at, at + BLOCK);
      const from = this.bytes % BLOCK;
      this.intact &&= piece.equals(pattern.subarray(from, from + piece.length));
      this.bytes += piece.length;
    }
  }
}

function json(res, value) {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify(value));
}

function watch(req, res) {
  seen.pending++;
  req.on('aborted', () => seen.aborted++);
  res.on('close', () => {
    seen.pending--;
    if (!res.writableFinished) seen.closed++;
  });
}

/** Kills this process the first time only; `name` tells the cases apart. */
function dieOnce(query, then) {
  const file = query.get('flag');
  if (fs.existsSync(file)) return then();
  fs.writeFileSync(file, '');
  process.kill(process.pid, 'SIGKILL');
}

const routes = {
  '/': (req, res) => res.end('hello\n'),
  '/info': (req, res) => {
    const { method, url, httpVersion, headers, rawHeaders } = req;
    json(res, { method, url, httpVersion, headers, rawHeaders, pid: process.pid, address: server.address() });
  },
  '/seen': (req, res) => json(res, seen),
  '/late': (req, res) => {
    json(res, late);
    late = 0;
  },
  '/release': (req, res) => {
    for (const go of waiting.splice(0)) go();
    res.end();
  },

  // Streaming.
  '/echo': (req, res) => {
    res.writeHead(200, { 'Content-Type': req.headers['content-type'] || 'application/octet-stream' });
    res.flushHeaders();
    req.pipe(res);
  },
  '/sum': (req, res) => {
    const check = new Check();
    req.on('data', (chunk) => check.take(chunk));
    req.on('end', () => json(res, { ...check, trailers: req.trailers }));
  },
  '/sse': (req, res) => {
    watch(req, res);
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.write('data: first\n\n');
    const next = (n) => waiting.push(() => (res.write(`data: ${n}\n\n`), next(n + 1)));
    next(2);
  },
  '/pieces': (req, res, query) => {
    res.write('one ', () => console.log('lab has written one'));
    waiting.push(() => (query.has('die') ? process.kill(process.pid, 'SIGKILL') : res.end('two')));
  },
  '/large': (req, res, query) => {
    watch(req, res);
    const total = Number(query.get('bytes'));
    if (query.has('length')) res.setHeader('Content-Length', total);
    seen.written = 0;
    const more = () => {
      seen.blocked = false;
      while (seen.written < total) {
        const length = Math.min(BLOCK, total - seen.written);
        const goesOn = res.write(pattern.subarray(0, length));
        seen.written += length;
        if (!goesOn) {
          seen.blocked = true;
          return res.once('drain', more);
        }
      }
      res.end();
    };
    more();
  },
  '/slow-reader': (req, res) => {
    watch(req, res);
    const check = new Check();
    waiting.push(() => {
      req.on('data', (chunk) => check.take(chunk));
      req.on('end', () => json(res, check));
    });
  },

  // Waiting, being left, dying.
  '/wait': (req, res) => {
    watch(req, res);
    console.log('lab has /wait');
    waiting.push(() => res.end('released'));
  },
  '/upload': (req, res) => {
    watch(req, res);
    req.resume();
    req.on('end', () => res.end('complete'));
  },
  '/slow': (req, res, query) => {
    console.log('lab has /slow');
    setTimeout(() => res.end('slow'), Number(query.get('ms')));
  },
  '/order': (req, res) => json(res, ++seen.order),
  '/die': () => process.kill(process.pid, 'SIGKILL'),
  '/die-once': (req, res, query) => dieOnce(query, () => res.end('alive')),
  '/die-in-head': (req, res) => {
    req.socket.write('HTTP/1.1 200 OK\r\nContent-Le', () => process.kill(process.pid, 'SIGKILL'));
  },
  '/die-in-body': (req, res) => {
    res.write('part', () => process.kill(process.pid, 'SIGKILL'));
  },
  '/garbage': (req, res) => req.socket.end('SSH-2.0-OpenSSH\r\n\r\n'),

  // Forms of responses.
  '/trailers': (req, res) => {
    res.writeHead(200, { Trailer: 'X-Sum' });
    res.write('body');
    res.addTrailers({ 'X-Sum': '42' });
    res.end();
  },
  '/hints': (req, res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    waiting.push(() => res.end('after the hints'));
  },
  '/status': (req, res, query) => {
    res.writeHead(Number(query.get('code')), { ETag: '"x"' });
    res.end();
  },
  '/length': (req, res) => {
    res.writeHead(200, { 'Content-Length': 5 });
    res.end('hello');
  },
  '/last': (req, res) => {
    res.setHeader('Connection', 'close');
    res.end('last');
  },
  '/until-close': (req, res) => {
    res.useChunkedEncodingByDefault = false;
    res.write('no length, ');
    res.end('no chunks');
  },
  '/refuse': (req, res) => {
    res.writeHead(403, { 'Content-Length': 2 });
    res.end('no');
  },
};

const server = http.createServer((req, res) => {
  const { pathname, searchParams } = new URL(req.url, 'http://lab');
  const route = routes[pathname];
  if (route) return route(req, res, searchParams);
  res.statusCode = 404;
  res.end();
});
server.keepAliveTimeout = Number(process.env.LAB_KEEP_ALIVE_MS || 5000);
// With this set, bodies are refused before they are sent.
if (process.env.LAB_EXPECT) {
  server.on('checkContinue', (req, res) => {
    res.writeHead(Number(process.env.LAB_EXPECT), { 'Content-Length': 7 });
    res.end('refused');
  });
}
// With this set, it is a while until bodies are asked for.
if (process.env.LAB_EXPECT_MS) {
  server.on('checkContinue', (req, res) => {
    const goOn = () => (res.writeContinue(), server.emit('request', req, res));
    setTimeout(goOn, Number(process.env.LAB_EXPECT_MS));
  });
}
// With this set, the worker with this number never listens.
if (process.env.LAB_MUTE_WORKER !== process.env.FOREBAY_WORKER || !process.env.LAB_MUTE_WORKER) {
  server.listen(process.env.PORT, () => console.log('lab listens'));
} else {
  setInterval(() => {}, 1000);
}
