// Uploads with busboy on plain node, streamed and never held.
'use strict';

const { createHash } = require('node:crypto');
const http = require('node:http');
const busboy = require('busboy');

const server = http.createServer((req, res) => {
  const parts = [];
  const form = busboy({ headers: req.headers });
  form.on('field', (name, value) => parts.push([name, value]));
  form.on('file', (name, stream, info) => {
    const hash = createHash('sha1');
    let bytes = 0;
    stream.on('data', (chunk) => (hash.update(chunk), (bytes += chunk.length)));
    stream.on('close', () => parts.push([name, info.filename, info.mimeType, bytes, hash.digest('hex')]));
  });
  form.on('close', () => res.writableEnded || res.end(JSON.stringify(parts)));
  form.on('error', (error) => {
    res.statusCode = 400;
    res.end(error.message);
  });
  req.pipe(form);
});
server.listen(process.env.PORT, '127.0.0.1');
