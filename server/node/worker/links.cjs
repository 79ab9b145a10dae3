// The connections of one server to the front's shards: dialled when it listens, closed when it closes.
//
// Every link is unref'd: it must not keep a process alive that has nothing else to do. While the server closes, or where
// the application has unref'd it, requests in flight keep their link, as clients' sockets would.
'use strict';

const { kExchange, kIncomingMessage, kLinks, kServerResponse } = require('./hidden.cjs');
const { closedByClient } = require('./exchange.cjs');
const { Idle } = require('./idle.cjs');
const { Learned } = require('./learn.cjs');
const { Link } = require('./link.cjs');
const { Heartbeat } = require('./stats.cjs');
const response = require('./response.cjs');
const { selfTest } = require('./selftest.cjs');
const { patchServers } = require('./server.cjs');

/** How long a server waits for the front before it goes on with HTTP alone: a machine may start many workers at once. */
const WELCOME_TIMEOUT_MS = 5000;
/** A connection that broke is dialled again after that, and more slowly each time it fails. */
const REDIAL_MIN_MS = 1000;
const REDIAL_MAX_MS = 30_000;

/** All that are in use, for the end of the process. */
const all = new Set();

class Links {
  /** `about`: pipe, worker, generation, endpoint. */
  constructor(server, about) {
    this.server = server;
    this.about = about;
    this.links = [];
    this.learned = new Learned(server);
    this.isReady = false;
    this.isClosing = false;
    this.expected = 1;
    this.greetedCount = 0;
    this.onReady = undefined;
    this.timer = undefined;
    this.redialMs = REDIAL_MIN_MS;
    this.heartbeat = undefined;
    this.idle = new Idle(server, (socket) => {
      const exchange = socket[kExchange];
      exchange.inScope(closedByClient, exchange, socket);
    });
    server[kLinks] = this;
    all.add(this);
  }

  /** Dials; calls back once, with whether all shards have answered. */
  open(onReady) {
    this.onReady = onReady;
    // An answer that is here already is read first: perhaps it was this process that did not come to look.
    this.timer = setTimeout(() => (this.timer = setImmediate(() => this.settle(false))), WELCOME_TIMEOUT_MS);
    this.dial(this.about.pipe);
  }

  dial(path) {
    const { worker, generation, endpoint } = this.about;
    const link = new Link(this, this.server, path, { worker, generation, endpoint });
    link.socket.unref();
    this.links.push(link);
  }

  settle(isReady) {
    const { onReady } = this;
    if (onReady === undefined) return;
    this.onReady = undefined;
    clearTimeout(this.timer);
    clearImmediate(this.timer);
    this.isReady = isReady;
    if (isReady) this.heartbeat = new Heartbeat(this);
    else this.abandon();
    onReady(isReady);
  }

  /** Gives all links up at once. */
  abandon() {
    this.stop();
    for (const link of this.links) link.socket.destroy();
  }

  stop() {
    this.heartbeat?.stop();
    this.heartbeat = undefined;
    this.idle.closeAll();
    if (this.server[kLinks] === this) this.server[kLinks] = undefined;
  }

  /** The application closes its server: what is open finishes. */
  close() {
    if (this.isClosing) return;
    this.isClosing = true;
    this.stop();
    this.settle(false);
    for (const link of this.links) {
      if (link.inFlight > 0) link.socket.ref();
      if (link.isGreeted && !link.isClosed) {
        link.encoder.closing();
        link.wrote();
      }
      link.stopTaking();
    }
  }

  /** The application needs what frames cannot carry. */
  demote(reason) {
    if (this.isClosing) return;
    this.isClosing = true;
    this.stop();
    const [first] = this.links.filter((link) => link.isGreeted && !link.isClosed);
    if (first !== undefined) {
      first.encoder.demote(reason);
      first.wrote();
    }
    for (const link of this.links) link.stopTaking();
  }

  /** Sockets of all exchanges that are open. */
  sockets() {
    return this.links.flatMap((link) => link.streams).flatMap((exchange) => exchange?.socket ?? []);
  }

  // What links tell.

  greeted(link, welcome) {
    this.redialMs = REDIAL_MIN_MS;
    if (this.isReady) {
      this.heartbeat ??= new Heartbeat(this);
      return;
    }
    if (link === this.links[0]) {
      this.expected = welcome.shards;
      for (let shard = 1; shard < welcome.shards; shard++) this.dial(`${this.about.pipe}.${shard}`);
    }
    this.greetedCount++;
    if (this.greetedCount === this.expected) this.settle(true);
  }

  began(link) {
    const { server } = this;
    server._connections++;
    if (server._unref && link.inFlight === 1) link.socket.ref();
  }

  finished(link, exchange) {
    const { server } = this;
    const { socket } = exchange;
    if (socket !== null && socket._eventsCount > 0 && !socket.destroyed) {
      if (this.isClosing) this.idle.closeSocket(socket);
      else this.idle.add(socket);
    }
    server._connections--;
    if (this.isClosing) {
      // As net.Server does when a connection has closed.
      if (server._connections === 0) server._emitCloseIfDrained();
    } else if (server._unref && link.inFlight === 0) {
      link.socket.unref();
    }
  }

  pinged(link, token) {
    if (this.heartbeat !== undefined) {
      this.heartbeat.pong(link, token);
    } else {
      link.encoder.pong(token, 0);
      link.wrote();
    }
  }

  closed(link) {
    this.links = this.links.filter((other) => other !== link);
    if (!link.isGreeted) this.settle(false);
    if (this.isReady && !this.isClosing && !link.isDrained) {
      this.redial(link.path);
    } else if (this.links.length === 0) {
      this.stop();
      all.delete(this);
    }
  }

  /** The front may be back soon. */
  redial(path) {
    setTimeout(() => {
      if (!this.isClosing && this.server.listening) this.dial(path);
    }, this.redialMs).unref();
    this.redialMs = Math.min(this.redialMs * 2, REDIAL_MAX_MS);
  }
}

let failure;

/**
 * Takes over what has to be, before the application and its instrumentation load: those who wrap methods later wrap
 * ours, and nobody sees the self-test.
 */
function prepare() {
  response.install();
  patchServers();
  failure = selfTest();
}

/** Why this server cannot be fed through frames, or undefined. */
function ineligible(server) {
  if (failure !== undefined) return `the self-test failed: ${failure}`;
  const isHttp = typeof server[kIncomingMessage] === 'function' && typeof server[kServerResponse] === 'function';
  return isHttp ? undefined : 'not a plain http.Server';
}

let atExit = false;

/** What was answered is sent, even if the process ends in the same turn. */
function flushAtExit() {
  if (atExit) return;
  atExit = true;
  process.on('exit', () => {
    for (const links of all) for (const link of links.links) link.flush();
  });
}

/** Feeds `server` through frames as well; calls back with whether it does. */
function feed(server, about, onReady) {
  const reason = ineligible(server);
  if (reason !== undefined) {
    onReady(false, reason);
    return undefined;
  }
  flushAtExit();
  const links = new Links(server, about);
  links.open(onReady);
  return links;
}

module.exports = { feed, prepare };
