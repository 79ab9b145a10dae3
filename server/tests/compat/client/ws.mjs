// Checks of WebSockets.
import { WebSocket } from 'ws';
import { assert, once, shown } from './lib.mjs';

function open(t, path, protocols, options) {
  const socket = new WebSocket(`ws://${t.base.host}${path}`, protocols, options);
  const waiting = [];
  const arrived = [];
  let failure;
  socket.on('error', (error) => {
    failure = error;
    for (const { reject } of waiting.splice(0)) reject(error);
  });
  // What comes before somebody asks for it is kept.
  socket.on('message', (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (waiting.length > 0) waiting.shift().resolve(message);
    else arrived.push(message);
  });
  socket.next = async () => {
    if (failure) throw failure;
    return arrived.length > 0 ? arrived.shift() : new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  return socket;
}

export default async function (t) {
  await t.ask('plain HTTP beside', 'GET', '/', { contains: 'plain' });
  await t.check('a handshake', async () => {
    const socket = open(t, '/chat?a=b', ['v1', 'v2'], { headers: { Cookie: 'c=1' } });
    const response = await once(socket, 'upgrade');
    t.head(response, ['sec-websocket-accept']);
    t.note(await socket.next());
    assert(socket.protocol === 'v2', 'the subprotocol is lost');
    assert(socket.extensions.includes('permessage-deflate'), 'the extension is lost');
    socket.close();
    await once(socket, 'close');
  });
  await t.check('echo: text, binary, empty, large, compressed', async () => {
    const socket = open(t, '/');
    await socket.next();
    const random = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7919) >> 3));
    for (const message of ['hello', '', 'ü✓', Buffer.from([0, 255]), random, 'x'.repeat(1_000_000), Buffer.alloc(3 << 20, 7)]) {
      socket.send(message);
      const back = await socket.next();
      assert(Buffer.from(message).equals(Buffer.from(back)), 'not what was sent');
      t.note(shown(Buffer.from(back)));
    }
    socket.close(1000, 'bye');
    t.note(`closed with ${await once(socket, 'close')}`);
  });
  await t.check('a thousand messages in order', async () => {
    const socket = open(t, '/');
    await socket.next();
    for (let i = 0; i < 1000; i++) socket.send(String(i));
    for (let i = 0; i < 1000; i++) assert((await socket.next()) === String(i), `message ${i} is not in its place`);
    socket.close();
    await once(socket, 'close');
  });
  await t.check('ping and pong', async () => {
    const socket = open(t, '/');
    await socket.next();
    socket.send('ping');
    t.note(await socket.next());
    socket.ping('from here');
    t.note(`pong ${await once(socket, 'pong')}`);
    socket.terminate();
  });
  await t.check('broadcast', async () => {
    const sockets = [open(t, '/'), open(t, '/')];
    for (const socket of sockets) await socket.next();
    sockets[0].send('all');
    for (const socket of sockets) t.note(await socket.next());
    for (const socket of sockets) socket.terminate();
  });
  await t.check('the server closes', async () => {
    const socket = open(t, '/');
    await socket.next();
    const closed = new Promise((resolve) => socket.once('close', (code, why) => resolve(`${code} ${why}`)));
    socket.send('close');
    t.note(await closed);
  });
  await t.check('the server hangs up', async () => {
    const socket = open(t, '/');
    await socket.next();
    socket.send('kill');
    t.note(`closed with ${await once(socket, 'close')}`);
  });
  await t.check('a refused upgrade', async () => {
    const socket = open(t, '/denied');
    const response = await new Promise((resolve, reject) => {
      socket.on('unexpected-response', (_, response) => resolve(response));
      socket.on('open', () => reject(new Error('it was accepted')));
    });
    t.head(response);
    t.note(await t.until(response, 'denied'));
  });
}
