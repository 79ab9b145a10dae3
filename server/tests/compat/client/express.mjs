// Checks of the Express application, the same for every version.
import { assert, once } from './lib.mjs';

export default async function (t) {
  await t.ask('a greeting', 'GET', '/', { contains: 'hello world' });
  await t.check('a conditional request', async () => {
    const { headers } = await t.get('/');
    await t.get('/', { headers: { 'If-None-Match': headers.etag }, expect: 304 });
  });
  await t.ask('JSON, in UTF-8', 'GET', '/json', { contains: 'größer' });
  await t.ask('HEAD', 'HEAD', '/json');
  await t.ask('parameters and query', 'GET', '/users/a%20b?x[y]=1&z=2&z=3', { contains: 'a b' });
  await t.ask('facts about the request', 'GET', '/facts?q=1', {
    headers: { Accept: 'text/html', 'X-Requested-With': 'XMLHttpRequest', Host: 'a.b.example.com:81' },
    contains: '"hostname":"a.b.example.com"',
  });
  await t.ask('raw fields, repeated and odd', 'GET', '/fields', {
    headers: { 'X-List': ['a', 'b'], Cookie: 'a=1; b=%20', 'x-lower': 'v', 'X-Latin': 'caf\u00e9', 'X-Empty': '' },
    contains: '"list":"a, b"',
  });
  await t.ask('a JSON body', 'POST', '/json', { ...t.json({ a: [1, { b: null }] }), contains: '"b":null' });
  await t.ask('a JSON body that is none', 'POST', '/json', { ...t.json(0), body: '{"a":', expect: 400 });
  await t.ask('a JSON body that is too large', 'POST', '/json', { ...t.json('x'.repeat(1100000)), expect: 413 });
  await t.ask('a form', 'POST', '/form', {
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'a=1&b[]=2&b[]=3&c[d]=%C3%BC',
    contains: '"d":"ü"',
  });
  await t.ask('text', 'POST', '/text', { headers: { 'Content-Type': 'text/plain' }, body: 'abc', contains: 'ABC' });
  await t.ask('bytes', 'POST', '/raw', {
    headers: { 'Content-Type': 'application/octet-stream' },
    body: Buffer.alloc(3_000_000, 'forebay\0'),
  });
  await t.check('a body in chunks', async () => {
    const request = t.open('POST', '/text', { 'Content-Type': 'text/plain', 'Transfer-Encoding': 'chunked' });
    const answered = once(request, 'response');
    request.write('one ');
    setTimeout(() => request.end('two'), 50);
    const response = await answered;
    t.head(response);
    assert((await t.until(response, 'TWO')) === 'ONE TWO', 'not what was sent');
  });
  await t.ask('cookies', 'GET', '/cookies');
  await t.ask('a redirect', 'GET', '/redirect', { expect: 301 });
  for (const type of ['text/plain', 'text/html', 'application/json']) {
    await t.ask(`content negotiation: ${type}`, 'GET', '/format', { headers: { Accept: type } });
  }
  await t.ask('no acceptable content', 'GET', '/format', { headers: { Accept: 'image/png' }, expect: 406 });
  await t.ask('a file', 'GET', '/file');
  await t.ask('a range of a file', 'GET', '/static/file.txt', { headers: { Range: 'bytes=10-19' }, expect: 206 });
  await t.ask('several ranges', 'GET', '/static/file.txt', { headers: { Range: 'bytes=9999-' }, expect: 416 });
  await t.ask('a file that was not modified', 'GET', '/static/file.txt', {
    headers: { 'If-Modified-Since': 'Tue, 14 Nov 2023 22:13:20 GMT' },
    expect: 304,
  });
  await t.ask('a file that is not there', 'GET', '/static/none', { expect: 404 });
  await t.ask('a download', 'GET', '/download');
  await t.ask('links, fields and a status', 'GET', '/links', { expect: 203 });
  await t.ask('an error', 'GET', '/throw', { expect: 418, contains: 'on purpose' });
  await t.ask('a later error', 'GET', '/later', { expect: 500 });
  await t.ask('no content', 'GET', '/empty', { expect: 204 });
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
  await t.ask('a router', 'GET', '/sub/n/deep?x', { contains: '"name":"n"' });
  await t.ask('a mounted application', 'GET', '/mounted', { contains: '"same":true' });
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
    await t.ask(`method ${method}`, method, '/methods', { contains: method });
  }
  await t.ask('options of a route', 'OPTIONS', '/json');
  await t.check('a stream that is watched', async () => {
    const request = t.open('GET', '/stream');
    const answered = once(request, 'response');
    request.end();
    const response = await answered;
    t.head(response);
    t.note(`first ${JSON.stringify(await t.until(response, 'one\n\n'))}`);
    await t.get('/release');
    t.note(`then ${JSON.stringify(await t.until(response, 'two\n\n'))}`);
  });
  await t.check('requests behind one another on one connection', async () => {
    const one = 'GET /users/1 HTTP/1.1\r\nHost: x\r\n\r\n';
    const last = 'GET /users/2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const text = await t.raw(one + one + last);
    t.note(`${text.match(/HTTP\/1\.1 200 OK/g)?.length} answers, ${text.match(/"id":"\d"/g)}`);
  });
  await t.check('many at once', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => t.get(`/users/${i}`, { quiet: true })));
    assert(all.every(({ text }, i) => JSON.parse(text).params.id === String(i)), 'answers were mixed up');
  });
}
