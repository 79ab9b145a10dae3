// Checks of Socket.IO.
import { io } from 'socket.io-client';
import { assert, once } from './lib.mjs';

function open(t, namespace, options) {
  const url = new URL(namespace, t.base).href;
  return io(url, { forceNew: true, reconnection: false, query: { who: 'me' }, ...options });
}

async function talk(t, socket) {
  t.note(`welcome ${await once(socket, 'welcome')}`);
  for (const value of ['text', { deep: [1, 'ü', null] }, Buffer.from([0, 1, 255]), 'x'.repeat(300_000)]) {
    const back = await socket.timeout(10_000).emitWithAck('echo', value);
    t.note(Buffer.isBuffer(back) ? `bytes ${back.toString('hex')}` : JSON.stringify(back).slice(0, 40));
    assert(JSON.stringify(back) === JSON.stringify(value), 'not what was sent');
  }
}

export default async function (t) {
  await t.ask('plain HTTP beside', 'GET', '/', { contains: 'plain' });
  await t.ask('the client is served', 'HEAD', '/socket.io/socket.io.min.js');
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    await t.check(`by ${transports.join(', then ')}`, async () => {
      const socket = open(t, '/', { transports });
      if (transports.length > 1) socket.on('connect', () => socket.io.engine.once('upgrade', () => socket.emit('noop')));
      const upgraded = transports.length > 1 && new Promise((resolve) => socket.io.engine.once('upgrade', resolve));
      await talk(t, socket);
      await upgraded;
      t.note(`over ${socket.io.engine.transport.name}`);
      socket.close();
    });
  }
  await t.check('rooms', async () => {
    const sockets = [open(t, '/'), open(t, '/'), open(t, '/')];
    await Promise.all(sockets.map((socket) => once(socket, 'welcome')));
    for (const socket of sockets.slice(0, 2)) assert(await socket.emitWithAck('join', 'room'), 'not joined');
    let outside = false;
    sockets[2].on('said', () => (outside = true));
    const heard = sockets.slice(0, 2).map((socket) => once(socket, 'said'));
    sockets[2].emit('say', 'room', 'hello room');
    t.note((await Promise.all(heard)).join(' / '));
    assert(!outside, 'heard outside of the room');
    for (const socket of sockets) socket.close();
  });
  await t.check('a namespace', async () => {
    const socket = open(t, '/admin');
    t.note(`admin ${await once(socket, 'admin')}`);
    socket.close();
  });
  await t.check('a refused client', async () => {
    const socket = open(t, '/', { auth: { token: 'bad' } });
    t.note((await once(socket, 'connect_error')).message);
    socket.close();
  });
  await t.check('heartbeats', async () => {
    const socket = open(t, '/', { transports: ['websocket'] });
    await once(socket, 'welcome');
    for (let i = 0; i < 3; i++) await once(socket.io.engine, 'ping');
    t.note('three pings');
    socket.close();
  });
  await t.check('the server disconnects', async () => {
    const socket = open(t, '/');
    await once(socket, 'welcome');
    socket.emit('leave');
    t.note(await once(socket, 'disconnect'));
  });
}
