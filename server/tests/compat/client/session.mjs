// Checks of sessions.
export default async function (t) {
  const except = ['set-cookie'];
  let cookie;
  await t.ask('no session without need', 'GET', '/peek', { contains: 'null' });
  await t.check('a session begins', async () => {
    const { headers } = await t.get('/count', { except });
    const [field] = headers['set-cookie'];
    t.note(field.replace(/s%3A[^;]+/, 's:...').replace(/Expires=[^;]+/, 'Expires=...'));
    cookie = field.split(';')[0];
  });
  for (const count of [2, 3]) {
    await t.ask(`it goes on: ${count}`, 'GET', '/count', { headers: { Cookie: cookie }, except, contains: `"count":${count}` });
  }
  await t.ask('somebody else', 'GET', '/peek', { contains: 'null' });
  await t.ask('a forged one', 'GET', '/peek', { headers: { Cookie: `${cookie}x` }, contains: 'null' });
  await t.ask('a new one', 'GET', '/renew', { headers: { Cookie: cookie }, except, contains: 'null' });
  await t.ask('the end', 'GET', '/end', { headers: { Cookie: cookie }, contains: 'ended' });
  await t.ask('after the end', 'GET', '/peek', { headers: { Cookie: cookie }, contains: 'null' });
}
