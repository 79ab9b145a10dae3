// Attached processes, which somebody else has started: every server on a path is announced to a front that runs already.
//
// Nothing is moved: servers listen where they want, and serve HTTP there. 'listening' is held back until the front has
// answered, so that whoever waits for it finds the server fed through frames.
'use strict';

const { AsyncResource } = require('async_hooks');
const http = require('http');
const { existsSync } = require('fs');
const { dirname, join, resolve } = require('path');
const { feed } = require('./links.cjs');

/** Announces servers from here on; `about`: pipe (unless it is beside the server's path), worker, generation. */
function announce(about) {
  const { prototype } = http.Server;
  const own = prototype.listen;
  function listen(...args) {
    const result = own.apply(this, args);
    const path = this._pipeName;
    const { _handle: handle } = this;
    // A handle with a socket name is TCP; the path is that of an earlier life.
    if (handle && typeof path === 'string' && typeof handle.getsockname !== 'function') {
      const endpoint = process.platform === 'win32' ? path : resolve(path);
      const pipe = about.pipe || beside(endpoint);
      if (pipe) feed(this, { ...about, pipe, endpoint }, holdListening(this));
    }
    return result;
  }
  Object.defineProperty(listen, 'name', { value: own.name, configurable: true });
  Object.defineProperty(listen, 'length', { value: own.length, configurable: true });
  prototype.listen = listen;
}

/** The pipe of a front whose endpoints are in the same folder, if there is one. */
function beside(endpoint) {
  const path = join(dirname(endpoint), 'forebay.pipe');
  // Looking at a pipe dials it, on Windows: that is tried at once.
  return process.platform === 'win32' || existsSync(path) ? path : undefined;
}

/** Holds 'listening' back; returns what lets it go. */
function holdListening(server) {
  const { _handle: handle, emit } = server;
  const before = Object.getOwnPropertyDescriptor(server, 'emit');
  const resource = new AsyncResource('FOREBAYLISTENING');
  let isHeld = false;
  const holder = function (name, ...args) {
    if (name !== 'listening') return emit.call(this, name, ...args);
    isHeld = true;
    return true;
  };
  server.emit = holder;
  return () => {
    if (server.emit === holder) {
      if (before) Object.defineProperty(server, 'emit', before);
      else delete server.emit;
    }
    if (isHeld && server._handle === handle) resource.runInAsyncScope(server.emit, server, 'listening');
    isHeld = false;
  };
}

module.exports = { announce };
