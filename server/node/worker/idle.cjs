// Sockets whose exchange is over, and that somebody still listens to.
//
// A client's connection would live on for a while and then close. Trackers (terminus, stoppable, http-terminator) count on
// that 'close'. So does this: such a socket closes when the server's keepAliveTimeout has passed, when the application
// closes idle connections, or when there are too many. Sockets without listeners just become garbage.
'use strict';

const SOCKETS_MAX = 1000;
const PERIOD_MS = 1000;

class Idle {
  constructor(server, close) {
    this.server = server;
    this.closeSocket = close;
    /** Sockets in the order in which they became idle, with the time of that. */
    this.sockets = new Map();
    this.timer = undefined;
  }

  add(socket) {
    this.sockets.set(socket, Date.now());
    if (this.sockets.size > SOCKETS_MAX) this.close(this.sockets.keys().next().value);
    this.timer ??= setInterval(() => this.sweep(), PERIOD_MS).unref();
  }

  sweep() {
    const until = Date.now() - (this.server.keepAliveTimeout || 60_000);
    for (const [socket, since] of this.sockets) {
      if (since > until) break;
      this.close(socket);
    }
    if (this.sockets.size === 0) this.stop();
  }

  close(socket) {
    this.sockets.delete(socket);
    if (!socket.destroyed) this.closeSocket(socket);
  }

  closeAll() {
    for (const socket of [...this.sockets.keys()]) this.close(socket);
    this.stop();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

module.exports = { Idle };
