// What applications listen to in order to end in peace: `GOODBYE` has some of message, SIGTERM, deaf.
'use strict';

const http = require('node:http');

const server = http.createServer((req, res) => res.end('hello')).listen(process.env.PORT);
const listens = (process.env.GOODBYE || '').split(' ');
const end = (why) => {
  console.log(`told to end by ${why}`);
  server.close(() => process.exit(0));
};
if (listens.includes('message')) process.on('message', (message) => message === 'shutdown' && end('message'));
if (listens.includes('deaf')) process.on('message', () => console.log('so what'));
if (listens.includes('SIGTERM')) process.on('SIGTERM', () => end('SIGTERM'));
