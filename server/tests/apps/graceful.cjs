// Told to end, it closes its server and ends when the last of its connections has: what many applications do.
'use strict';

const http = require('node:http');

const server = http.createServer((req, res) => {
  if (req.url === '/slow') return setTimeout(() => res.end('slow'), 1000);
  res.end('hello');
});
server.keepAliveTimeout = 60_000;
process.on('SIGTERM', () => {
  const began = Date.now();
  server.close(() => {
    console.log(`closed after ${Date.now() - began} ms`);
    process.exit(7);
  });
});
server.listen(process.env.PORT);
