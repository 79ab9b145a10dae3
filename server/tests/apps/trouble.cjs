// An application that does what it should not: hangs, and breaks the protocol it is fed by.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');

/** What the preload connects to the front with. */
const links = [];
const { connect } = net;
net.connect = (...args) => {
  const socket = connect(...args);
  if (/forebay\.pipe/.test(args[0]?.path)) links.push(socket);
  return socket;
};

if (process.env.TROUBLE_OWN_SIGUSR1) process.on('SIGUSR1', () => {});

function neverReturns() {
  for (;;);
}

const waiting = [];

http
  .createServer((req, res) => {
    const { pathname, searchParams } = new URL(req.url, 'http://test');
    if (pathname === '/hang' && !fs.existsSync(searchParams.get('flag'))) {
      fs.writeFileSync(searchParams.get('flag'), '');
      neverReturns();
    }
    if (pathname === '/wait') return waiting.push(res);
    // A frame of a type that does not exist.
    if (pathname === '/garble') for (const link of links) link.write(Buffer.from([0, 0, 0, 0x7f, 0, 0, 0, 0]));
    res.end(`${process.pid}`);
  })
  .listen(process.env.PORT);
