// Loaded before an application: tells each response how many connections its server has accepted.
'use strict';

const http = require('node:http');
const net = require('node:net');

let opened = 0;
const emit = net.Server.prototype.emit;
net.Server.prototype.emit = function (name, ...rest) {
  if (name === 'connection') opened++;
  return emit.call(this, name, ...rest);
};
const writeHead = http.ServerResponse.prototype.writeHead;
http.ServerResponse.prototype.writeHead = function (...args) {
  this.setHeader('X-Connections', opened);
  return writeHead.apply(this, args);
};
