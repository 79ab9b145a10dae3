// Forebay's demo application: shows which worker answered, and how requests spread over the workers.
'use strict';

const http = require('node:http');
const os = require('node:os');

const started = Date.now();
const worker = process.env.FOREBAY_WORKER === undefined ? '?' : process.env.FOREBAY_WORKER;
let requests = 0;

/** The vCPU this process last ran on; Linux tells. */
function cpu() {
  try {
    const stat = require('node:fs').readFileSync('/proc/self/stat', 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[36]);
  } catch {
    return null;
  }
}

function whoami() {
  return {
    worker,
    pid: process.pid,
    node: process.version,
    cpu: cpu(),
    cpus: os.cpus().length,
    requests,
    uptime_s: Math.round((Date.now() - started) / 1000),
    rss_mib: Math.round(process.memoryUsage.rss() / 1048576),
  };
}

function json(res, status, value) {
  const body = JSON.stringify(value);
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  res.end(body);
}

/** Server-sent events: the time and this worker, once a second, until the client leaves. */
function events(req, res) {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const tick = () => res.write(`data: ${JSON.stringify({ time: new Date().toISOString(), ...whoami() })}\n\n`);
  tick();
  const timer = setInterval(tick, 1000);
  res.on('close', () => clearInterval(timer));
}

/** The request as this worker saw it, body included. */
function echo(req, res) {
  res.writeHead(200, { 'content-type': req.headers['content-type'] || 'application/octet-stream', 'x-method': req.method });
  req.pipe(res);
}

const routes = {
  '/': (req, res) => {
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': Buffer.byteLength(page) });
    res.end(page);
  },
  '/health': (req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain', 'content-length': 3 });
    res.end('ok\n');
  },
  '/api/whoami': (req, res) => json(res, 200, whoami()),
  '/json': (req, res) => json(res, 200, { hello: 'world', worker }),
  '/headers': (req, res) => json(res, 200, { method: req.method, url: req.url, headers: req.headers }),
  '/slow': (req, res, url) => {
    const ms = Math.min(Math.max(Number(url.searchParams.get('ms')) || 1000, 0), 60000);
    setTimeout(() => json(res, 200, { slept_ms: ms, ...whoami() }), ms);
  },
  '/events': events,
  '/echo': echo,
};

const server = http.createServer((req, res) => {
  requests += 1;
  let url;
  try {
    url = new URL(req.url, 'http://localhost');
  } catch {
    return json(res, 400, { error: 'not a URL' });
  }
  const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
  if (route === undefined) return json(res, 404, { error: 'not here', paths: Object.keys(routes) });
  return route(req, res, url);
});

// As any application would: the port that the environment names.
server.listen(process.env.PORT || 3000);

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Forebay</title>
<style>
  :root { --bg: #0b1220; --card: #131c2e; --ink: #e8eefb; --dim: #8fa0bf; --a: #38bdf8; --line: #22304a; }
  @media (prefers-color-scheme: light) {
    :root { --bg: #f3f6fb; --card: #fff; --ink: #0f1b2d; --dim: #5a6a85; --a: #0369a1; --line: #dde5f0; }
  }
  * { box-sizing: border-box; }
  body { margin: 0; background: var(--bg); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
  main { max-width: 60rem; margin: 0 auto; padding: 3rem 1.25rem; }
  h1 { font-size: clamp(2rem, 6vw, 3.25rem); line-height: 1.1; margin: 0 0 .5rem; letter-spacing: -.02em; }
  p { color: var(--dim); margin: .25rem 0 1.5rem; max-width: 44rem; }
  .grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); margin-bottom: 1rem; }
  .card { background: var(--card); border: 1px solid var(--line); border-radius: .9rem; padding: 1.1rem 1.25rem; }
  .card small { display: block; color: var(--dim); text-transform: uppercase; letter-spacing: .06em; font-size: .72rem; }
  .card b { font-size: 1.5rem; font-variant-numeric: tabular-nums; font-weight: 650; }
  .row { display: grid; grid-template-columns: 7.5rem 1fr 4.5rem; gap: .8rem; align-items: center; margin: .5rem 0; }
  .bar { height: .8rem; border-radius: 1rem; background: var(--line); overflow: hidden; }
  .bar i { display: block; height: 100%; width: 0; border-radius: 1rem; transition: width .25s; }
  .row span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
  button { font: inherit; font-weight: 600; border: 0; border-radius: .6rem; padding: .6rem 1.1rem; cursor: pointer;
    background: var(--a); color: var(--bg); margin-right: .5rem; }
  button:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
  code, a { color: var(--a); } ul { padding-left: 1.1rem; color: var(--dim); }
  h2 { font-size: 1.05rem; margin: 0 0 .6rem; }
</style>
</head>
<body>
<main>
  <h1>It runs.</h1>
  <p>This page comes from Forebay's built-in demo: a plain <code>http.createServer</code> application, once per vCPU.
     Run your own with <code>forebay run path/to/app</code>.</p>
  <div class="grid" id="facts" aria-live="polite"></div>
  <section class="card" style="margin-bottom:1rem">
    <h2>Who answers?</h2>
    <p style="margin-bottom:.8rem">Each request goes to a worker that has room. <span id="total">0</span> requests so far,
       <span id="rate">0</span> per second.</p>
    <div id="spread"></div>
    <div style="margin-top:1rem"><button id="toggle">Pause</button><button id="burst">Send 200</button></div>
  </section>
  <section class="card">
    <h2>More to try</h2>
    <ul>
      <li><a href="/api/whoami">/api/whoami</a>, <a href="/json">/json</a>, <a href="/headers">/headers</a>,
          <a href="/health">/health</a></li>
      <li><a href="/slow?ms=2000">/slow?ms=2000</a> answers late; the others go on</li>
      <li><a href="/events">/events</a> is an endless stream: worker <b id="tick">…</b></li>
      <li><code>curl -d hello .../echo</code> sends the body back</li>
    </ul>
  </section>
</main>
<script>
  const $ = (id) => document.getElementById(id);
  const counts = new Map();
  let total = 0, running = true, recent = [];
  const colour = (n) => 'hsl(' + ((Number(n) * 67 + 200) % 360) + ' 80% 58%)';
  function facts(me) {
    const shown = { worker: me.worker, process: me.pid, node: me.node, 'vCPU': me.cpu === null ? '–' : me.cpu,
      memory: me.rss_mib + ' MiB', uptime: me.uptime_s + ' s' };
    $('facts').replaceChildren(...Object.entries(shown).map(([name, value]) => {
      const card = document.createElement('div'); card.className = 'card';
      const small = document.createElement('small'); small.textContent = name;
      const bold = document.createElement('b'); bold.textContent = value;
      card.append(small, bold); return card;
    }));
  }
  function draw() {
    $('total').textContent = total;
    const now = performance.now(); recent = recent.filter((t) => now - t < 2000);
    $('rate').textContent = Math.round(recent.length / 2);
    const rows = [...counts].sort((a, b) => String(a[0]).localeCompare(b[0], 'en', { numeric: true }));
    const most = Math.max(1, ...counts.values());
    for (const [worker, count] of rows) {
      let row = $('w' + worker);
      if (!row) {
        row = document.createElement('div'); row.className = 'row'; row.id = 'w' + worker;
        row.innerHTML = '<span></span><div class="bar"><i></i></div><span></span>';
        row.children[0].textContent = 'worker ' + worker;
        row.querySelector('i').style.background = colour(worker);
        $('spread').append(row);
      }
      row.querySelector('i').style.width = 100 * count / most + '%';
      row.children[2].textContent = count;
    }
  }
  async function ask() {
    const me = await (await fetch('/api/whoami', { cache: 'no-store' })).json();
    counts.set(me.worker, (counts.get(me.worker) || 0) + 1); total += 1; recent.push(performance.now());
    return me;
  }
  async function loop() {
    for (;;) {
      if (running && !document.hidden) {
        try { facts((await Promise.all([ask(), ask(), ask(), ask()]))[0]); draw(); } catch { /* again soon */ }
      }
      await new Promise((done) => setTimeout(done, 250));
    }
  }
  $('toggle').onclick = () => { running = !running; $('toggle').textContent = running ? 'Pause' : 'Go on'; };
  $('burst').onclick = async () => { await Promise.allSettled(Array.from({ length: 200 }, ask)); draw(); };
  new EventSource('/events').onmessage = (event) => {
    const tick = JSON.parse(event.data); $('tick').textContent = tick.worker + ', ' + tick.time.slice(11, 19);
  };
  loop();
</script>
</body>
</html>
`;
