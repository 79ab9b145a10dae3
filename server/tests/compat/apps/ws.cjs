// WebSockets with ws, beside plain HTTP on the same server.
'use strict';

const http = require('node:http');
const { WebSocketServer } = require('ws');

const server = http.createServer((req, res) => res.end('plain'));
const echo = new WebSocketServer({
  noServer: true,
  perMessageDeflate: { threshold: 256 },
  maxPayload: 4 << 20,
  handleProtocols: (protocols) => (protocols.has('v2') ? 'v2' : false),
});

server.on('upgrade', (req, socket, head) => {
  if (req.url === '/denied') {
    return socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\nConnection: close\r\n\r\ndenied');
  }
  echo.handleUpgrade(req, socket, head, (client) => echo.emit('connection', client, req));
});

echo.on('connection', (client, req) => {
  client.send(JSON.stringify({ url: req.url, protocol: client.protocol, cookie: req.headers.cookie }));
  client.on('message', (data, isBinary) => {
    const text = isBinary ? '' : data.toString();
    if (text === 'close') client.close(4001, 'as asked');
    else if (text === 'kill') client.terminate();
    else if (text === 'ping') client.ping('are you there');
    else if (text === 'all') for (const other of echo.clients) other.send('to all');
    else client.send(data, { binary: isBinary });
  });
  client.on('pong', (data) => client.send(`pong ${data}`));
});

server.listen(process.env.PORT, '127.0.0.1');
