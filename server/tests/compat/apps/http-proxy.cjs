// http-proxy: this server passes everything on to another one in the same process, WebSockets too.
'use strict';

const http = require('node:http');
const httpProxy = require('http-proxy');
const { WebSocketServer } = require('ws');

const backend = http.createServer((req, res) => {
  res.setHeader('X-Backend', 'yes');
  res.write(`${req.method} ${req.url} ${req.headers['x-added']} `);
  return req.pipe(res);
});
new WebSocketServer({ server: backend }).on('connection', (client) => {
  client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
});

const agent = new http.Agent({ keepAlive: true });
const front = http.createServer();
backend.listen(0, '127.0.0.1', () => {
  const target = { host: '127.0.0.1', port: backend.address().port };
  const proxy = httpProxy.createProxyServer({ target, agent, headers: { 'X-Added': 'on the way' } });
  proxy.on('error', (error, req, res) => {
    if (!res.headersSent) res.writeHead?.(502);
    res.end('no backend');
  });
  proxy.on('proxyRes', (response) => (response.headers['x-proxied'] = '1'));
  front.on('request', (req, res) => {
    if (req.url === '/dead') return proxy.web(req, res, { target: 'http://127.0.0.1:1', agent: false });
    return proxy.web(req, res);
  });
  front.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head));
  front.listen(process.env.PORT, '127.0.0.1');
});
