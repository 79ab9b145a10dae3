// Checks of http-proxy.
import { WebSocket } from 'ws';
import { assert, once } from './lib.mjs';

export default async function (t) {
  await t.ask('GET', 'GET', '/a?b=c', { contains: 'GET /a?b=c on the way' });
  await t.ask('POST', 'POST', '/a', { body: 'body', contains: 'body' });
  await t.ask('a large body, there and back', 'POST', '/a', { body: Buffer.alloc(4_000_000, 'proxy') });
  await t.ask('DELETE', 'DELETE', '/a', { contains: 'DELETE' });
  await t.ask('a backend that is not there', 'GET', '/dead', { expect: 502, contains: 'no backend' });
  await t.check('a WebSocket', async () => {
    const socket = new WebSocket(`ws://${t.base.host}/`);
    await once(socket, 'open');
    for (const message of ['hello', 'x'.repeat(500_000)]) {
      const back = once(socket, 'message');
      socket.send(message);
      assert((await back).toString() === message, 'not what was sent');
    }
    socket.close();
    t.note(`closed with ${await once(socket, 'close')}`);
  });
}
