// Orders to end, where there are no signals: on Windows the supervisor writes a word to a pipe that this process dials.
'use strict';

const { connect } = require('net');

/**
 * What an application may listen to, and what its listeners are given: as from a signal of that name, or PM2's message to
 * applications on Windows. The first that has a listener is meant.
 */
const ORDERS = [
  ['SIGTERM', 'SIGTERM', 15],
  ['SIGINT', 'SIGINT', 2],
  ['SIGBREAK', 'SIGBREAK', 21],
  ['message', 'shutdown', undefined],
];

/** Dials, and does as told. Keeps no process alive that has nothing else to do. */
function takeOrders(path) {
  const socket = connect(path);
  socket.unref();
  // Without a supervisor there are no orders.
  socket.on('error', () => {});
  socket.once('data', () => {
    socket.destroy();
    end();
  });
}

function end() {
  for (const order of ORDERS) {
    if (process.listenerCount(order[0]) > 0) return void process.emit(...order);
  }
  // As a signal ends a process that does not listen to it: at once.
  process.kill(process.pid, 'SIGTERM');
}

module.exports = { takeOrders };
