// Checks of Fastify.
import { multipart } from './form.mjs';

export default async function (t) {
  await t.ask('JSON', 'GET', '/', { contains: 'world' });
  await t.ask('the client', 'GET', '/ip', { contains: '"ip":"127.0.0.1"', headers: { Host: 'example.com' } });
  await t.ask('parameters are coerced', 'GET', '/users/7?a=1&a=2', { contains: '"id":7' });
  await t.ask('parameters are validated', 'GET', '/users/x', { expect: 400 });
  await t.ask('a body that fits its schema', 'POST', '/person', { ...t.json({ name: 'a', age: '5' }), contains: '"age":5' });
  await t.ask('a body that does not', 'POST', '/person', { ...t.json({ age: 5 }), expect: 400 });
  await t.ask('an unknown type of body', 'POST', '/person', { headers: { 'Content-Type': 'text/x' }, body: 'x', expect: 415 });
  await t.ask('a body that is too large', 'POST', '/person', { ...t.json({ name: 'x'.repeat(3 << 20) }), expect: 413 });
  await t.ask('a stream', 'GET', '/stream', { contains: 'one two three' });
  await t.ask('bytes', 'GET', '/buffer');
  await t.ask('HEAD', 'HEAD', '/buffer');
  await t.ask('an error', 'GET', '/error', { expect: 409 });
  await t.ask('a redirect', 'GET', '/redirect', { expect: 307 });
  await t.ask('by hand', 'GET', '/raw', { contains: 'by hand' });
  await t.ask('a trailer', 'GET', '/trailer', { contains: 'with a trailer' });
  await t.ask('an upload', 'POST', '/upload', { ...multipart({ name: 'n', file: Buffer.alloc(300_000, 1) }), contains: '300000' });
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
}
