// Checks of Koa.
export default async function (t) {
  await t.ask('text', 'GET', '/', { contains: 'hello' });
  await t.ask('JSON and the client', 'GET', '/json?a=1&a=2', { contains: '"ip":"127.0.0.1"', headers: { Host: 'example.com' } });
  await t.ask('bytes', 'GET', '/buffer');
  await t.ask('a stream', 'GET', '/stream', { contains: 'abc' });
  await t.ask('HEAD', 'HEAD', '/');
  await t.ask('nothing', 'GET', '/null', { expect: 204 });
  await t.ask('an entity tag', 'GET', '/etag', { contains: 'fresh body' });
  await t.ask('the same tag', 'GET', '/etag', { headers: { 'If-None-Match': '"tag"' }, expect: 304 });
  await t.check('a signed cookie', async () => {
    const { headers } = await t.get('/cookie');
    const cookie = headers['set-cookie'].map((it) => it.split(';')[0]).join('; ');
    await t.get('/cookie', { headers: { Cookie: cookie } });
    await t.get('/cookie', { headers: { Cookie: cookie.replace('a=1', 'a=2') } });
  });
  await t.ask('a thrown status', 'GET', '/throw', { expect: 403, contains: 'forbidden here' });
  await t.ask('an error stays hidden', 'GET', '/error', { expect: 500, contains: 'Internal Server Error' });
  await t.ask('a redirect', 'GET', '/redirect', { expect: 302 });
  await t.ask('content negotiation', 'GET', '/accepts', { headers: { Accept: 'application/json' }, contains: 'json' });
  await t.ask('by hand', 'GET', '/by-hand', { contains: 'by hand' });
  await t.ask('a body', 'POST', '/body', { ...t.json('x'.repeat(500_000)), contains: '500002' });
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
}
