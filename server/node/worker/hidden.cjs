// What node keeps under symbols of its own, found by description: the places where real HTTP objects store their state.
//
// The names are not documented, so they are looked up once in objects that are thrown away. `missing` lists what this
// version of node no longer has and the fast path cannot do without; then everything stays with HTTP.
'use strict';

const http = require('http');

function find(object, description) {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
}

const message = new http.OutgoingMessage();
const server = new http.Server();

/** Header fields as they were set: name in lower case to [name, value]. */
const kOutHeaders = find(message, 'kOutHeaders');
/** Whether somebody waits for 'drain'. */
const kNeedDrain = find(message, 'kNeedDrain');
/** Newer versions keep a flag where older ones compute it. */
const kWritableFinished = find(message, 'kWritableFinished');
const kEndCallbacks = find(message, 'kEndCallbacks');
/** A request's `headers`, once somebody has asked for them. */
const kHeaders = find(new http.IncomingMessage(), 'kHeaders');
const kIncomingMessage = find(server, 'IncomingMessage');
const kServerResponse = find(server, 'ServerResponse');
const kUniqueHeaders = find(server, 'kUniqueHeaders');
/** Newer versions tie an AbortSignal to the socket. */
const kDetachAbortSignal = find(http.IncomingMessage.prototype, 'kDetachAbortSignal');

/** node's callback for writes without one. */
const nop = message._onPendingData;
/** node's own 'connection' listener, which would start to parse HTTP. */
const connectionListener = server.listeners('connection')[0];

const wanted = { kOutHeaders, kNeedDrain, kIncomingMessage, kServerResponse, kUniqueHeaders, nop, connectionListener };
const missing = Object.keys(wanted).filter((name) => wanted[name] === undefined);

/** On responses and sockets: the exchange they belong to. Without it everything is node's own. */
const kExchange = Symbol('forebay.exchange');
/** On servers: the set of links that feed them. */
const kLinks = Symbol('forebay.links');

module.exports = {
  connectionListener,
  kDetachAbortSignal,
  kEndCallbacks,
  kExchange,
  kHeaders,
  kIncomingMessage,
  kLinks,
  kNeedDrain,
  kOutHeaders,
  kServerResponse,
  kUniqueHeaders,
  kWritableFinished,
  missing,
  nop,
};
