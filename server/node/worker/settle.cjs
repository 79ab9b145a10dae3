// What follows a response that was handed over: 'finish', the rest of the request, 'close', in node's order.
//
// A response that nobody listens to needs no event, and most have no listeners. Those are settled together, one tick for
// all that ended in a turn. Where somebody listens, the tick is the response's own, so that listeners see the
// AsyncLocalStorage context in which end() was called, as with node's own server.
'use strict';

const channel = require('diagnostics_channel').channel('http.server.response.finish');
const { IncomingMessage } = require('http');
const { kDetachAbortSignal, kEndCallbacks, kWritableFinished } = require('./hidden.cjs');

/** Newer versions end an unread request at once, so before its response's 'close'; older ones after it. */
const DUMPS_AT_ONCE = /read\(0\)/.test(String(IncomingMessage.prototype._dump));

let batch = [];

/** The response of `exchange` was handed over by the short way. */
function settleSoon(exchange) {
  if (isHeard(exchange)) {
    process.nextTick(settle, exchange);
  } else if (batch.push(exchange) === 1) {
    process.nextTick(settleBatch);
  }
}

function isHeard({ req, res }) {
  return res._eventsCount > 0 || req._eventsCount > 0;
}

function settleBatch() {
  const exchanges = batch;
  batch = [];
  for (const exchange of exchanges) {
    // Whoever came later, after end(), is heard as well.
    if (isHeard(exchange)) exchange.inScope(settle, undefined, exchange);
    else settle(exchange);
  }
}

function settle(exchange) {
  if (exchange.settled) return;
  const { res } = exchange;
  onFinish(exchange);
  if (kWritableFinished !== undefined) {
    res[kWritableFinished] = true;
    // Of further calls of end(), which is allowed.
    const callbacks = res[kEndCallbacks];
    if (callbacks) {
      res[kEndCallbacks] = null;
      for (const callback of callbacks) callback(null);
    }
  }
  if (res._eventsCount > 0) {
    res.emit('finish');
    process.nextTick(close, exchange);
  } else {
    close(exchange);
  }
}

/** What node's server does before anybody else hears of 'finish'. */
function onFinish(exchange) {
  const { req, res, socket, server } = exchange;
  if (channel.hasSubscribers) channel.publish({ request: req, response: res, socket, server });
  // A body that is not there and that nobody looks at is left until 'close', see there.
  if (isUnread(req) && !(exchange.eofPending && req._eventsCount === 0)) dump(exchange, req);
  socket._httpMessage = null;
  res.socket = null;
  if (kDetachAbortSignal !== undefined) req[kDetachAbortSignal]();
}

function endUnread(exchange, req) {
  if (!exchange.eofPending || !isUnread(req)) return;
  if (req._eventsCount === 0) skipBody(exchange, req);
  else dump(exchange, req);
}

function dump(exchange, req) {
  // node's way out expects the end to be there.
  exchange.wantBody();
  req._dump();
}

function isUnread(req) {
  return !req._consuming && !req._readableState.resumeScheduled;
}

/** The end of a request without a body that nobody has looked at: the same state, without the events nobody hears. */
function skipBody(exchange, req) {
  exchange.eofPending = false;
  req._dumped = true;
  req._consuming = true;
  const state = req._readableState;
  state.ended = true;
  state.endEmitted = true;
  state.destroyed = true;
  state.closed = true;
  state.closeEmitted = true;
}

function close(exchange) {
  if (exchange.settled) return;
  exchange.settled = true;
  const { req, res } = exchange;
  const { learned } = exchange.link;
  if (!learned.isOver) learned.look(req, res);
  if (!exchange.areHeadersMade) exchange.link.habits.look(req);
  if (DUMPS_AT_ONCE) endUnread(exchange, req);
  if (!res._closed) {
    res.destroyed = true;
    res._closed = true;
    if (res._eventsCount > 0) res.emit('close');
  }
  if (!DUMPS_AT_ONCE) endUnread(exchange, req);
  exchange.link.settled(exchange);
}

module.exports = { close, onFinish, settleSoon };
