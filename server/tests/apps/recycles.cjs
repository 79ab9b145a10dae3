// An application that asks for its own recycle, as with iisnode: what is in `say` goes to the control pipe, in these pieces.
'use strict';

const http = require('node:http');
const net = require('node:net');

const pipe = process.env.IISNODE_CONTROL_PIPE;
http
  .createServer((req, res) => {
    const { pathname, searchParams } = new URL(req.url, 'http://test');
    res.setHeader('processpid', process.pid);
    if (pathname !== '/ask') return res.end(pipe ? 'Hello, world!' : 'no pipe');
    const client = net.connect(pipe);
    const pieces = searchParams.getAll('say');
    const next = () => {
      if (pieces.length === 0) return client.end(() => res.end('asked'));
      client.write(pieces.shift(), () => setTimeout(next, 20));
    };
    client.on('error', () => {});
    client.on('connect', next);
  })
  .listen(process.env.PORT);
