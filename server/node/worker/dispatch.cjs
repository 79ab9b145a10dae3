// Turns a request's head into node's own objects and emits 'request', as node's server does after its parser.
'use strict';

const { AsyncResource } = require('async_hooks');
const diagnostics = require('diagnostics_channel');
const { IncomingMessage } = require('http');
const { FLAG } = require('../pipe/wire.cjs');
const { connectionListener, kExchange, kHeaders, kIncomingMessage, kServerResponse, kUniqueHeaders } = require('./hidden.cjs');
const { Socket } = require('./socket.cjs');
const { isWanted, upgrade } = require('./upgrade.cjs');

const startChannel = diagnostics.channel('http.server.request.start');

/** Nobody but us ends the resource; without it node would watch for its collection, which costs. */
const RESOURCE = { requireManualDestroy: true };

/** Builds the pair for `exchange` and hands it to the server's listeners. */
function dispatch(exchange) {
  if (exchange.localDone) return;
  const { head, server } = exchange;
  const socket = new Socket(exchange, server);
  exchange.socket = socket;
  exchange.resource = new AsyncResource('HTTPINCOMINGMESSAGE', RESOURCE);
  if (server._events.connection !== connectionListener) exchange.inScope(announce, undefined, server, socket);
  if (exchange.localDone) return;
  const req = makeRequest(exchange, head, server, socket);
  if ((head.flags & FLAG.UPGRADE) !== 0 || head.method === 'CONNECT') {
    if (isWanted(server, req)) {
      exchange.inScope(upgrade, undefined, exchange);
      return;
    }
    // The front ends its half when it sees an answer; the request has no body.
    exchange.isBodiless = true;
  }
  const res = makeResponse(exchange, server, req, socket);
  if (server.timeout > 0) socket.setTimeout(server.timeout);
  exchange.resource.runInAsyncScope(emit, undefined, server, req, res, exchange);
  if (exchange.isBodiless && !req.destroyed) {
    // Now, and not before the handler ran, as with node's parser.
    req.complete = true;
    exchange.eofPending = true;
    // Somebody reads already and waits for the end.
    if (req._consuming) exchange.inScope(exchange.wantBody, exchange);
  }
}

function makeRequest(exchange, head, server, socket) {
  const { learned } = exchange.link;
  const req = learned.isReady ? learned.makeRequest(socket) : new server[kIncomingMessage](socket);
  const minor = (head.flags & FLAG.HTTP_10) === 0 ? 1 : 0;
  req.httpVersionMajor = 1;
  req.httpVersionMinor = minor;
  req.httpVersion = minor === 1 ? '1.1' : '1.0';
  req.joinDuplicateHeaders = server.joinDuplicateHeaders || null;
  req.url = head.target;
  req.upgrade = false;
  const fields = head.rawHeaders;
  const { maxHeadersCount } = server;
  const most = typeof maxHeadersCount === 'number' && maxHeadersCount > 0 ? maxHeadersCount * 2 : fields.length;
  req._addHeaderLines(fields, Math.min(most, fields.length));
  // Where the application reads `headers` anyway, the codec makes them faster than node's getter, which stays for the rest.
  const { habits } = exchange.link;
  if (habits.isAsked() && most === fields.length && !req.joinDuplicateHeaders && server[kIncomingMessage] === IncomingMessage) {
    req[kHeaders] = head.headers;
    exchange.areHeadersMade = true;
  }
  req.method = head.method;
  exchange.req = req;
  return req;
}

function makeResponse(exchange, server, req, socket) {
  const options = {
    highWaterMark: socket.writableHighWaterMark,
    rejectNonStandardBodyWrites: server.rejectNonStandardBodyWrites,
  };
  const { learned } = exchange.link;
  const res = learned.isReady ? learned.makeResponse(req, options) : new server[kServerResponse](req, options);
  res[kExchange] = exchange;
  res._keepAliveTimeout = server.keepAliveTimeout;
  res._maxRequestsPerSocket = server.maxRequestsPerSocket;
  res.shouldKeepAlive = true;
  res[kUniqueHeaders] = server[kUniqueHeaders];
  exchange.res = res;
  if (startChannel.hasSubscribers) startChannel.publish({ request: req, response: res, socket, server });
  socket._httpMessage = res;
  res.socket = socket;
  if (res._eventsCount > 0) res.emit('socket', socket);
  return res;
}

/** Shows the socket to those who track connections: everybody who listens but node, which would parse HTTP on it. */
function announce(server, socket) {
  for (const listener of server.rawListeners('connection')) {
    if (listener !== connectionListener) listener.call(server, socket);
  }
}

function emit(server, req, res, exchange) {
  const { flags } = exchange.head;
  if ((flags & FLAG.EXPECT) !== 0) {
    res._expect_continue = true;
    if (server.listenerCount('checkContinue') > 0) {
      server.emit('checkContinue', req, res);
      return;
    }
    res.writeContinue();
  } else if (expects(req.rawHeaders) && (flags & FLAG.HTTP_10) === 0) {
    if (server.listenerCount('checkExpectation') > 0) {
      server.emit('checkExpectation', req, res);
    } else {
      res.writeHead(417);
      res.end();
    }
    return;
  }
  server.emit('request', req, res);
}

/** Whether there is an expectation; the usual one has a flag. */
function expects(fields) {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i].length === 6 && fields[i].toLowerCase() === 'expect') {
      return !/(?:^|\W)100-continue(?:$|\W)/i.test(fields[i + 1]);
    }
  }
  return false;
}

module.exports = { dispatch };
