// Checks of Next.js.
import { assert, once } from './lib.mjs';

export default async function (t) {
  await t.ask('a page of the build', 'GET', '/', { contains: 'static page' });
  await t.check('the same page again', async () => {
    const { headers } = await t.get('/', { quiet: true });
    await t.get('/', { headers: { 'If-None-Match': headers.etag }, expect: 304 });
  });
  await t.ask('HEAD', 'HEAD', '/');
  await t.ask('a page of the request', 'GET', '/items/a%20b?q=1', { headers: { Cookie: 'c=2', 'X-Sent': '3' }, contains: 'item' });
  await t.ask('its data', 'GET', '/items/7?q=1&_rsc', { headers: { RSC: '1' }, contains: 'item', varies: true });
  await t.check('a page in two parts', async () => {
    const request = t.open('GET', '/stream');
    const answered = once(request, 'response');
    request.end();
    const response = await answered;
    t.head(response);
    const first = await t.until(response, 'the quick part');
    assert(!first.includes('the slow part'), 'it was held back');
    assert((await t.until(response, '</html>')).includes('the slow part'), 'the second part is missing');
  });
  await t.ask('an answer of the API', 'GET', '/api/echo?q=1', { contains: '"q":"1"' });
  await t.ask('a body for the API', 'POST', '/api/echo', { body: 'x'.repeat(300_000), expect: 201 });
  await t.ask('a method that the API has not', 'DELETE', '/api/echo', { expect: 405 });
  await t.ask('a public file', 'GET', '/file.txt', { contains: 'a public file', except: ['last-modified', 'etag'] });
  await t.check('a script of the page', async () => {
    const { text } = await t.get('/', { quiet: true });
    const [script] = text.match(/\/_next\/static\/chunks\/[^"]+\.js/);
    await t.get(script, { except: ['last-modified', 'etag'] });
    await t.get(script, { headers: { 'Accept-Encoding': 'gzip' }, except: ['last-modified', 'etag'] });
  });
  await t.ask('a page that is not found', 'GET', '/items/none', { expect: 404 });
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
}
