// Checks of compression.
import zlib from 'node:zlib';
import { assert, once } from './lib.mjs';

export default async function (t) {
  for (const [coding, decode] of [['gzip', zlib.gunzipSync], ['br', zlib.brotliDecompressSync], ['deflate', zlib.inflateSync]]) {
    await t.check(`a long text with ${coding}`, async () => {
      const { bytes, headers } = await t.get('/long', { headers: { 'Accept-Encoding': coding } });
      assert(headers['content-encoding'] === coding && decode(bytes).length === 60_000, 'not the text');
    });
  }
  await t.ask('without a coding', 'GET', '/long');
  await t.ask('HEAD', 'HEAD', '/long', { headers: { 'Accept-Encoding': 'gzip' } });
  await t.ask('a short text', 'GET', '/short', { headers: { 'Accept-Encoding': 'gzip' }, contains: 'short' });
  await t.ask('an image', 'GET', '/image', { headers: { 'Accept-Encoding': 'gzip' } });
  await t.ask('no transformation', 'GET', '/no-transform', { headers: { 'Accept-Encoding': 'gzip' } });
  await t.check('many pieces', async () => {
    const { bytes } = await t.get('/pieces', { headers: { 'Accept-Encoding': 'gzip' }, quiet: true });
    t.note(`${zlib.gunzipSync(bytes).length} bytes`);
  });
  await t.check('a flushed stream', async () => {
    const request = t.open('GET', '/events', { 'Accept-Encoding': 'gzip' });
    const answered = once(request, 'response');
    request.end();
    const response = await answered;
    t.head(response);
    const text = response.pipe(zlib.createGunzip());
    t.note(`first ${JSON.stringify(await t.until(text, 'one\n\n'))}`);
    await t.get('/release', { quiet: true });
    t.note(`then ${JSON.stringify(await t.until(text, 'two\n\n'))}`);
  });
}
