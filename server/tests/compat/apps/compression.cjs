// compression: gzip, brotli, thresholds, streams that are flushed.
'use strict';

const compression = require('compression');
const express = require('express');

const app = express();
const held = [];
app.use(compression({ threshold: 1000 }));
app.get('/long', (req, res) => res.type('text').send('compress me '.repeat(5000)));
app.get('/short', (req, res) => res.type('text').send('short'));
app.get('/image', (req, res) => res.type('png').send(Buffer.alloc(5000)));
app.get('/no-transform', (req, res) => res.set('Cache-Control', 'no-transform').type('text').send('x'.repeat(5000)));
app.get('/events', (req, res) => {
  res.type('text/event-stream');
  res.write('data: one\n\n');
  res.flush();
  held.push(res);
});
app.get('/release', (req, res) => {
  for (const other of held.splice(0)) other.end('data: two\n\n');
  res.end();
});
app.get('/pieces', async (req, res) => {
  res.type('text');
  for (let i = 0; i < 200; i++) {
    if (!res.write(`${'piece '.repeat(500)}${i}\n`)) await new Promise((resolve) => res.once('drain', resolve));
  }
  res.end();
});
app.listen(process.env.PORT, '127.0.0.1');
