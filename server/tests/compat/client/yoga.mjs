// Checks of GraphQL Yoga.
export default async function (t) {
  const query = (query, variables) => t.json({ query, variables }, { 'User-Agent': 'compat', Accept: 'application/json' });
  const ask = (name, text, more) => t.ask(name, 'POST', '/graphql', { ...query(text, more?.variables), ...more });
  await ask('a query', '{ books { title } agent }', { contains: 'Dune' });
  await ask('variables', 'query ($n: String) { hello(name: $n) }', { variables: { n: 'ü' }, contains: 'hello ü' });
  await t.ask('a query by GET', 'GET', `/graphql?query=${encodeURIComponent('{ hello }')}`, { contains: 'hello you' });
  await ask('a mutation', 'mutation { add(title: "Emma") { title } }', { contains: 'Emma' });
  await ask('what was added', '{ books { title } }', { contains: 'Emma' });
  await ask('a hidden error', '{ fails }', { contains: 'Unexpected error' });
  await ask('a query that is none', '{ nothing }', { contains: 'Cannot query field' });
  await t.ask('a subscription', 'POST', '/graphql', {
    ...t.json({ query: 'subscription { count(to: 3) }' }, { Accept: 'text/event-stream' }),
    contains: '"count":3',
  });
  await t.ask('a mutation by GET', 'GET', `/graphql?query=${encodeURIComponent('mutation { add(title: "x") { title } }')}`, { expect: 405 });
  await t.ask('health', 'GET', '/health');
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
}
