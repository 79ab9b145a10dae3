// Checks of morgan.
import { assert } from './lib.mjs';

async function lines(t, count) {
  // A line is written once the response is finished, which a client may see sooner.
  const all = [];
  while (all.length < count) all.push(...JSON.parse((await t.get('/lines', { quiet: true })).text));
  all.sort();
  for (const line of all) t.note(`logged ${JSON.stringify(line)}`);
  assert(all.length === count, 'too many lines');
}

export default async function (t) {
  await t.check('a request', async () => {
    await t.get('/ok?a=b', { headers: { 'User-Agent': 'agent/1', Referer: 'http://x/', Authorization: 'Basic dXNlcjpw' } });
    await lines(t, 3);
  });
  await t.check('a stream', async () => {
    await t.get('/stream');
    await lines(t, 3);
  });
  await t.check('a body', async () => {
    await t.send('POST', '/post', { body: 'x'.repeat(100_000), expect: 201 });
    await lines(t, 3);
  });
  await t.check('an error', async () => {
    await t.get('/none', { expect: 404 });
    await lines(t, 3);
  });
  await t.check('a client that leaves', async () => {
    const request = t.open('GET', '/never');
    request.on('error', () => {});
    request.end();
    const begun = [];
    while (begun.length === 0) begun.push(...JSON.parse((await t.get('/lines', { quiet: true })).text));
    t.note(`logged ${JSON.stringify(begun)}`);
    request.destroy();
    await lines(t, 2);
  });
}
