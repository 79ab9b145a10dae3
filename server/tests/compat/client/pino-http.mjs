// Checks of pino-http.
async function lines(t, count) {
  const all = [];
  while (all.length < count) all.push(...JSON.parse((await t.get('/lines', { quiet: true })).text));
  for (const line of all) t.note(`logged ${JSON.stringify(line)}`);
}

export default async function (t) {
  await t.check('a request', async () => {
    await t.get('/ok', { contains: 'request 1' });
    await lines(t, 2);
  });
  await t.check('an error', async () => {
    await t.get('/error', { expect: 500 });
    await lines(t, 2);
  });
  await t.check('a client that leaves', async () => {
    const request = t.open('GET', '/never');
    request.on('error', () => {});
    request.end();
    await lines(t, 1);
    request.destroy();
    await lines(t, 1);
  });
}
