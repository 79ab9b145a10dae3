// Learned prototypes: requests and responses that are built with the prototypes their application gives them anyway.
//
// Express calls Object.setPrototypeOf on every request and response. On some versions of V8 that gives each object a hidden
// class of its own, and everything that touches it afterwards misses its caches: tens of microseconds a request. An object
// that has the right prototype already is left alone by V8. So once it was seen that the server's listener, an
// application with `request` and `response` of its own, leaves them on the objects, they are there from the start.
//
// Nobody but that listener sees them early: learning needs a single 'request' listener, which is the application itself,
// and node's own classes. What it calls later finds what it would have found. If the application does something else
// with its objects one day, or another listener comes, it is forgotten for good.
//
// Which construction is fast depends on V8, so a few are timed when the first prototype was seen.
'use strict';

const http = require('http');
const { kHeaders, kIncomingMessage, kServerResponse } = require('./hidden.cjs');

/** Requests that have to end alike before anything is concluded. */
const SEEN_MIN = 8;
/** Every so often node makes `headers`, and it is seen whether somebody has asked for them. */
const ASK_EVERY = 32;
const PROBE_OBJECTS = 200;

const KINDS = { padded, called, constructed };

/** Room for the fields that node's constructors add: V8 counts the assignments it reads in a constructor. */
function padded(Base, prototype) {
  function Message(first, second) {
    Base.call(this, first, second);
    if (first === padded) {
      this.a0 = this.a1 = this.a2 = this.a3 = this.a4 = this.a5 = this.a6 = this.a7 = this.a8 = this.a9 = 0;
      this.b0 = this.b1 = this.b2 = this.b3 = this.b4 = this.b5 = this.b6 = this.b7 = this.b8 = this.b9 = 0;
      this.c0 = this.c1 = this.c2 = this.c3 = this.c4 = this.c5 = this.c6 = this.c7 = this.c8 = this.c9 = 0;
      this.d0 = this.d1 = this.d2 = this.d3 = this.d4 = this.d5 = this.d6 = this.d7 = this.d8 = this.d9 = 0;
    }
  }
  Message.prototype = prototype;
  return (first, second) => new Message(first, second);
}

function called(Base, prototype) {
  function Message(first, second) {
    Base.call(this, first, second);
  }
  Message.prototype = prototype;
  return (first, second) => new Message(first, second);
}

function constructed(Base, prototype) {
  function Message() {}
  Message.prototype = prototype;
  return (first, second) => Reflect.construct(Base, [first, second], Message);
}

/** The fastest of KINDS here, for these prototypes. */
function choose(request, response, options) {
  let [best, bestTime] = [padded, Infinity];
  for (const kind of Object.values(KINDS)) {
    const makers = [kind(http.IncomingMessage, request), kind(http.ServerResponse, response)];
    for (let round = 0; round < 4; round++) {
      const time = timeOf(makers, request, response, options);
      if (time < bestTime) [best, bestTime] = [kind, time];
      // Hopeless ones are not worth another millisecond.
      if (time > 8 * bestTime) break;
    }
  }
  return best;
}

function timeOf([makeRequest, makeResponse], request, response, options) {
  const began = process.hrtime.bigint();
  for (let i = 0; i < PROBE_OBJECTS; i++) {
    const req = makeRequest(undefined);
    req.method = 'GET';
    req.httpVersionMajor = 1;
    req.httpVersionMinor = 1;
    req.url = '/';
    const res = makeResponse(req, options);
    Object.setPrototypeOf(req, request);
    Object.setPrototypeOf(res, response);
    req.next = undefined;
    res.locals = req;
    res.setHeader('a', 'b');
    touch(req, res);
  }
  return Number(process.hrtime.bigint() - began);
}

function touch(req, res) {
  for (let i = 0; i < 4; i++) {
    if (req.complete || req.aborted || res.finished || req.res === res || res.req !== req) return false;
  }
  return req.listenerCount('end') === 0;
}

class Learned {
  constructor(server) {
    this.server = server;
    this.seen = 0;
    this.isOver = false;
    this.listener = undefined;
    this.makeRequest = undefined;
    this.makeResponse = undefined;
  }

  /** Whether pairs can be built by makeRequest and makeResponse now. */
  get isReady() {
    if (this.makeRequest === undefined) return false;
    if (this.server._events.request === this.listener) return true;
    this.forget();
    return false;
  }

  forget() {
    this.isOver = true;
    this.makeRequest = undefined;
    this.makeResponse = undefined;
  }

  /** A request has been answered: what did the application make of the pair? */
  look(req, res) {
    if (this.isOver) return;
    const { server } = this;
    const { request: listener } = server._events;
    const { request, response } = typeof listener === 'function' ? listener : {};
    const isApplication = isObject(request) && isObject(response);
    if (!isApplication || !inherits(req, request) || !inherits(res, response)) {
      this.forget();
      return;
    }
    if (this.makeRequest !== undefined) {
      if (listener !== this.listener || request !== this.request || response !== this.response) this.forget();
      return;
    }
    this.seen++;
    if (this.seen < SEEN_MIN) return;
    const isNodes = server[kIncomingMessage] === http.IncomingMessage && server[kServerResponse] === http.ServerResponse;
    if (!isNodes || !inherits(req, http.IncomingMessage.prototype) || !inherits(res, http.ServerResponse.prototype)) {
      this.forget();
      return;
    }
    const kind = choose(request, response, { highWaterMark: res.writableHighWaterMark });
    this.listener = listener;
    this.request = request;
    this.response = response;
    this.makeRequest = kind(http.IncomingMessage, request);
    this.makeResponse = kind(http.ServerResponse, response);
  }
}

/** Whether the application reads `headers`: asked of one request in a few, assumed of those between. */
class Habits {
  constructor() {
    this.readsHeaders = false;
    this.count = 0;
  }

  isAsked() {
    this.count++;
    return this.readsHeaders && kHeaders !== undefined && this.count % ASK_EVERY !== 0;
  }

  look(req) {
    this.readsHeaders = Boolean(req[kHeaders]);
  }
}

function isObject(value) {
  return typeof value === 'object' && value !== null;
}

function inherits(object, prototype) {
  return Object.getPrototypeOf(object) === prototype || Object.prototype.isPrototypeOf.call(prototype, object);
}

module.exports = { Habits, Learned };
