// Checks of Hono.
import { multipart } from './form.mjs';

export default async function (t) {
  await t.ask('text', 'GET', '/', { contains: 'hello' });
  await t.ask('parameters', 'GET', '/json/a%2Fb?a=1&a=2', { contains: 'a/b' });
  await t.ask('a body', 'POST', '/json', { ...t.json({ deep: [1] }), expect: 201 });
  await t.ask('a form with a file', 'POST', '/form', { ...multipart({ name: 'n', file: Buffer.alloc(9000) }), contains: '9000' });
  await t.ask('echo', 'POST', '/echo', { body: Buffer.alloc(1_500_000, 'abc') });
  await t.ask('a stream', 'GET', '/stream', { contains: 'abc' });
  await t.ask('events', 'GET', '/sse', { contains: 'id: 2' });
  await t.ask('cookies', 'GET', '/cookie', { headers: { Cookie: 'c=3' }, contains: '3' });
  await t.ask('an error', 'GET', '/error', { expect: 418, contains: 'on purpose' });
  await t.ask('a redirect', 'GET', '/redirect', { expect: 308 });
  await t.ask('a web response', 'GET', '/response', { expect: 203 });
  await t.ask('HEAD', 'HEAD', '/response', { expect: 203 });
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
}
