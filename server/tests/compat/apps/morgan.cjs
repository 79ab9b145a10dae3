// morgan: what it logs of each request.
'use strict';

const express = require('express');
const morgan = require('morgan');

const app = express();
const lines = [];
app.set('trust proxy', true);
app.get('/lines', (req, res) => res.json(lines.splice(0)));
const format = ':method :url HTTP/:http-version :status :res[content-length] ":referrer" ":user-agent" :remote-user :remote-addr';
app.use(morgan(format, { stream: { write: (line) => lines.push(line) } }));
app.use(morgan(':response-time :total-time', { stream: { write: (line) => lines.push(/^\d+\.\d+ \d+\.\d+\n$/.test(line)) } }));
app.use(morgan('begins :method :url', { immediate: true, stream: { write: (line) => lines.push(line) } }));
app.get('/ok', (req, res) => res.send('fine'));
app.get('/stream', (req, res) => (res.write('a'), setImmediate(() => res.end('b'))));
app.post('/post', (req, res) => req.resume().on('end', () => res.status(201).end()));
app.get('/never', () => {});
app.listen(process.env.PORT, '127.0.0.1');
