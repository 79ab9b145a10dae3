// Checks of OpenTelemetry's instrumentation of http.
import { assert } from './lib.mjs';

/** The spans that ended since the last look, once there are so many. */
async function spans(t, count) {
  const all = [];
  while (all.length < count) all.push(...JSON.parse((await t.get('/spans', { quiet: true })).text));
  all.sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  for (const span of all) t.note(`span ${JSON.stringify(span)}`);
  assert(all.length === count, `${all.length} spans`);
  return all;
}

export default async function (t) {
  await t.check('a span of a request', async () => {
    await t.get('/ok');
    const [span] = await spans(t, 1);
    assert(span.kind === 'server' && span.status === 200, 'not what it was');
  });
  await t.check('a span of a body', async () => {
    await t.send('POST', '/post', { body: 'x'.repeat(200_000) });
    await spans(t, 1);
  });
  await t.check('an error', async () => {
    await t.get('/fail', { expect: 500 });
    assert((await spans(t, 1))[0].error, 'no error');
  });
  await t.check('a trace that goes on', async () => {
    await t.get('/ok', { headers: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } });
    assert((await spans(t, 1))[0].remote, 'a trace of its own');
  });
  await t.check('a span within', async () => {
    await t.get('/inside');
    assert((await spans(t, 2)).some((span) => span.name === 'work' && span.parent), 'no parent');
  });
  await t.check('an outgoing request', async () => {
    await t.get('/outgoing');
    await spans(t, 3);
  });
  await t.check('contexts are kept apart', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => t.get('/context', { quiet: true })));
    assert(all.every(({ text }) => text === 'true'), 'a context was lost');
    await spans(t, 50);
  });
  await t.check('a client that leaves', async () => {
    const request = t.open('GET', '/never');
    request.on('error', () => {});
    request.end();
    // It was received once this later one is answered; then there is a span to be ended.
    await t.get('/ok', { quiet: true });
    setTimeout(() => request.destroy(), 100);
    await spans(t, 2);
  });
}
