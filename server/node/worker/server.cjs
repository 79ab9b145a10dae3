// What http.Server's methods mean for requests that come through links: close, and the ends of connections.
'use strict';

const http = require('http');
const { kLinks } = require('./hidden.cjs');

let patched = false;

/** Shadows methods; once, and only when some server is fed through frames. */
function patchServers() {
  if (patched) return;
  patched = true;
  shadow('close', (links) => links.close());
  shadow('closeIdleConnections', (links) => links.idle.closeAll());
  shadow('closeAllConnections', (links) => {
    links.idle.closeAll();
    for (const socket of links.sockets()) socket.destroy();
  });
}

function shadow(name, first) {
  const { prototype } = http.Server;
  const own = prototype[name];
  if (typeof own !== 'function') return;
  const replacement = {
    [name](...args) {
      const links = this[kLinks];
      if (links !== undefined) first(links);
      return own.apply(this, args);
    },
  }[name];
  Object.defineProperty(replacement, 'name', { value: own.name, configurable: true });
  Object.defineProperty(replacement, 'length', { value: own.length, configurable: true });
  prototype[name] = replacement;
}

module.exports = { patchServers };
