// Upgrades by hand: a WebSocket that echoes, and a protocol of plain lines that ends one direction at a time.
'use strict';

const http = require('node:http');
const { createHash } = require('node:crypto');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const seen = { opened: 0, closed: 0 };
const open = new Set();

const server = http.createServer((req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ ...seen, headers: req.headers }));
});

/** Frames of up to 125 bytes, masked as a client has to; text is sent back, close is answered and ends it. */
function webSocket(socket, head) {
  let input = head;
  const take = () => {
    while (input.length >= 6) {
      const opcode = input[0] & 15;
      const length = input[1] & 127;
      if (input.length < 6 + length) return;
      const payload = Buffer.from(input.subarray(6, 6 + length).map((byte, i) => byte ^ input[2 + (i % 4)]));
      input = input.subarray(6 + length);
      socket.write(Buffer.concat([Buffer.from([0x80 | opcode, payload.length]), payload]));
      if (opcode === 8) socket.end();
    }
  };
  socket.on('data', (chunk) => {
    input = Buffer.concat([input, chunk]);
    take();
  });
  // As the libraries do: half a WebSocket is none.
  socket.on('end', () => socket.end());
  take();
}

/** Sends every byte back; after the client's end it still has a word to say. */
function lines(socket, head) {
  socket.write(head);
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('end', () => socket.end('and goodbye\n'));
}

/** Ends its own direction at once and tells in the log what it hears afterwards. */
function listener(socket, head) {
  let heard = head.toString();
  socket.end('I listen\n');
  socket.on('data', (chunk) => (heard += chunk));
  socket.on('end', () => console.log(`heard: ${heard}`));
}

server.on('upgrade', (req, socket, head) => {
  socket.on('error', () => {});
  if (req.url === '/refuse') return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  seen.opened++;
  open.add(socket);
  socket.on('close', () => {
    seen.closed++;
    open.delete(socket);
  });
  const accept = createHash('sha1').update(req.headers['sec-websocket-key'] + GUID).digest('base64');
  const isWebSocket = req.headers.upgrade.toLowerCase() === 'websocket';
  const extra = isWebSocket ? `Sec-WebSocket-Accept: ${accept}\r\n` : '';
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${req.headers.upgrade}\r\nConnection: Upgrade\r\n${extra}\r\n`);
  (isWebSocket ? webSocket : req.url === '/listener' ? listener : lines)(socket, head);
});
server.listen(process.env.PORT);

process.on('SIGTERM', () => {
  for (const socket of open) socket.end('the server stops\n', () => socket.destroy());
  server.close(() => process.exit(0));
});
