// An application that writes: lines by number, long ones, complaints, and last words.
'use strict';

const http = require('node:http');

let count = 0;
const routes = {
  '/': (res) => {
    count += 1;
    console.log(`Request${count}`);
    res.end(`Hello, world ${count}`);
  },
  '/long': (res) => {
    console.log('x'.repeat(1024));
    res.end('Hello, world');
  },
  '/complain': (res) => {
    console.error('this is bad');
    res.end();
  },
  // As fast as it goes, in lines that say which they are.
  '/many': (res, query) => {
    const last = Number(query.get('lines'));
    const more = (n) => {
      for (let i = 0; i < 100 && n < last; i++) console.log(`line ${n++} ${'.'.repeat(100)}`);
      if (n < last) setImmediate(more, n);
      else res.end('done');
    };
    more(0);
  },
  '/throw': () => {
    throw new TypeError('an exception in the night');
  },
  '/reject': () => void Promise.reject(new Error('a promise in the night')),
  '/exit': (res, query) => process.exit(Number(query.get('code'))),
  '/oom': () => {
    const all = [];
    for (;;) all.push(new Array(1000).fill({}));
  },
};

http
  .createServer((req, res) => {
    const { pathname, searchParams } = new URL(req.url, 'http://test');
    (routes[pathname] || routes['/'])(res, searchParams);
  })
  .listen(process.env.PORT);
