// Checks of hapi.
export default async function (t) {
  await t.ask('text', 'GET', '/', { contains: 'hello' });
  await t.ask('parameters', 'GET', '/users/7/a/b?x=1', { contains: 'a/b' });
  await t.ask('a body', 'POST', '/json', { ...t.json({ a: 1 }), expect: 201 });
  await t.ask('a body that is none', 'POST', '/json', { ...t.json(1), body: '{', expect: 400 });
  await t.ask('a body that is too large', 'POST', '/bytes', { body: Buffer.alloc(200_000), expect: 413 });
  await t.ask('a stream', 'GET', '/stream', { contains: 'streamed' });
  await t.ask('a tag', 'GET', '/etag');
  await t.ask('the same tag', 'GET', '/etag', { headers: { 'If-None-Match': '"t1"' }, expect: 304 });
  await t.ask('a range', 'GET', '/buffer', { headers: { Range: 'bytes=0-9' }, expect: 206 });
  await t.ask('HEAD', 'HEAD', '/buffer');
  await t.check('state in a cookie', async () => {
    const { headers } = await t.get('/visit');
    await t.get('/visit', { headers: { Cookie: headers['set-cookie'][0].split(';')[0] } });
  });
  await t.ask('an error', 'GET', '/error', { expect: 500 });
  await t.ask('a redirect', 'GET', '/redirect', { expect: 301 });
  await t.ask('a preflight', 'OPTIONS', '/', { headers: { Origin: 'http://a', 'Access-Control-Request-Method': 'GET' } });
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
}
