// What every contender serves: node's own http module, nothing else. Listens where PORT says, a number or a path.
'use strict';
const http = require('http');

const rows = [];
for (let n = 1; n <= 150; n++) {
  rows.push({ sku: 'F-' + n, title: 'Turbine part no. ' + n, stock: n % 7, cents: 995 + 10 * n, on: n % 3 === 0 });
}
const big = Buffer.alloc(1024 * 1024, 0x62);

const routes = {
  '/': (req, res) => {
    res.setHeader('Content-Type', 'text/plain; charset=utf-8');
    res.end('Water rises in the forebay.\n');
  },
  '/json': (req, res) => {
    const text = JSON.stringify({ count: rows.length, rows });
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
    res.end(text);
  },
  '/big': (req, res) => {
    res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': big.length });
    res.end(big);
  },
  '/echo': (req, res) => {
    res.setHeader('Content-Type', 'application/octet-stream');
    req.pipe(res);
  },
};

const server = http.createServer((req, res) => {
  const route = routes[req.url];
  if (route) return route(req, res);
  res.statusCode = 404;
  res.end();
});
server.keepAliveTimeout = 65000;
server.listen(process.env.PORT);
