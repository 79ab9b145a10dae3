// Checks of NestJS.
export default async function (t) {
  await t.ask('a list', 'GET', '/cats', { contains: '[]' });
  await t.ask('an addition', 'POST', '/cats', { ...t.json({ name: 'Tom' }), expect: 202, contains: '"count":1' });
  await t.ask('a pipe and a parameter', 'GET', '/cats/0', { contains: 'Tom' });
  await t.ask('a pipe that refuses', 'GET', '/cats/x', { expect: 400 });
  await t.ask('an exception', 'GET', '/cats/9', { expect: 404, contains: 'no cat 9' });
  await t.ask('server-sent events', 'GET', '/cats/events', { contains: '{"n":2}' });
  await t.ask('a file', 'GET', '/cats/file');
  await t.ask('a guard that refuses', 'GET', '/cats/secret', { expect: 403 });
  await t.ask('a guard that lets in', 'GET', '/cats/secret', { headers: { Authorization: 'let me in' }, contains: 'secret' });
  await t.ask('a preflight', 'OPTIONS', '/cats', {
    headers: { Origin: 'http://a', 'Access-Control-Request-Method': 'PUT' },
    expect: 204,
  });
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
}
