// Checks of node:http itself.
import { assert, once, shown } from './lib.mjs';

/** What happened on the server under this name, once there are so many lines. */
async function events(t, name, count) {
  let list = [];
  while (list.length < count) list = JSON.parse((await t.get(`/events?name=${name}`, { quiet: true })).text);
  t.note(`events: ${list.join(', ')}`);
}

/** A raw answer without what is another each time. */
function steady(text) {
  return JSON.stringify(text.replace(/Date: [^\r]*\r\n/g, ''));
}

async function answer(t, request) {
  const response = await once(request, 'response');
  t.head(response);
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  t.note(`< ${shown(Buffer.concat(chunks))}`);
  return response;
}

export default async function (t) {
  await t.check('trailers in both directions', async () => {
    const request = t.open('POST', '/trailers', { Trailer: 'X-Check', TE: 'trailers' });
    const answered = answer(t, request);
    request.write('body');
    request.addTrailers({ 'X-Check': 'yes' });
    request.end();
    const response = await answered;
    t.note(JSON.stringify(response.trailers));
  });
  await t.check('informational responses', async () => {
    const request = t.open('GET', '/hints');
    request.on('information', ({ statusCode, headers }) => t.note(`information ${statusCode} ${headers.link ?? ''}`));
    request.end();
    await answer(t, request);
  });
  await t.check('an expectation that is met', async () => {
    const request = t.open('POST', '/echo', { Expect: '100-continue', 'Content-Length': 4 });
    request.on('continue', () => (t.note('continue'), request.end('body')));
    request.flushHeaders();
    await answer(t, request);
  });
  await t.check('an expectation that is not', async () => {
    const request = t.open('POST', '/refuse', { Expect: '100-continue', 'Content-Length': 4 }, { agent: false });
    request.on('continue', () => t.note('continue'));
    request.on('error', () => {});
    request.flushHeaders();
    await answer(t, request);
    request.destroy();
  });
  await t.ask('a head as an array', 'GET', '/head-array', { expect: 299 });
  await t.ask('a head by calls', 'GET', '/head-calls', { contains: 'x-list' });
  for (const code of [204, 304, 205, 404, 599]) await t.ask(`status ${code}`, 'GET', `/status?code=${code}`, { expect: code });
  await t.ask('a known length', 'GET', '/length', { contains: 'hello' });
  await t.ask('an unknown length', 'GET', '/no-length', { contains: 'hello' });
  await t.ask('HEAD of a known length', 'HEAD', '/length');
  await t.ask('HEAD of an unknown length', 'HEAD', '/no-length');
  await t.ask('corked', 'GET', '/corked', { contains: 'abcd' });
  await t.check('the order of events', async () => {
    await t.send('POST', '/watched?name=one', { body: 'x'.repeat(100_000) });
    await events(t, 'one', 6);
  });
  await t.check('the order of callbacks', async () => {
    await t.get('/callbacks');
    await events(t, 'callbacks', 4);
  });
  await t.check('after the end', async () => {
    await t.get('/after-end', { contains: 'first' });
    await events(t, 'after-end', 2);
  });
  await t.check('a client that leaves within the response', async () => {
    const request = t.open('GET', '/abandoned?name=two', {}, { agent: false });
    request.end();
    const response = await once(request, 'response');
    await t.until(response, 'begun');
    response.on('error', () => {});
    response.destroy();
    await events(t, 'two', 5);
  });
  await t.check('a client that leaves within its body', async () => {
    const request = t.open('POST', '/watched?name=three', { 'Content-Length': 100 }, { agent: false });
    request.on('error', () => {});
    request.write('part');
    let list = null;
    while (list === null) {
      // Known as soon as the request has arrived.
      list = JSON.parse((await t.get('/events?name=three', { quiet: true })).text);
      if (list.length === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    request.destroy();
    await events(t, 'three', 4);
  });
  await t.check('a reader that rests', async () => {
    const request = t.open('GET', '/large', {}, { agent: false });
    request.end();
    const response = await once(request, 'response');
    await new Promise((resolve) => setTimeout(resolve, 200));
    let bytes = 0;
    for await (const chunk of response) bytes += chunk.length;
    t.note(`${bytes} bytes`);
    await events(t, 'large', 2);
  });
  await t.ask('a server that reads slowly', 'POST', '/slow-reader', { body: Buffer.alloc(8_000_000, 'slow'), contains: '"complete":true' });
  await t.ask('an echo of 10 MB', 'POST', '/echo', { body: Buffer.alloc(10_000_000, 'echo') });
  await t.check('a response that is destroyed', async () => {
    const request = t.open('GET', '/destroy', {}, { agent: false });
    request.end();
    const response = await once(request, 'response');
    response.resume();
    const error = await once(response, 'error');
    t.note(`${response.statusCode}, ${error.code}`);
  });
  await t.ask('a time-out of the response', 'GET', '/timeout', { expect: 504, contains: 'too late' });
  await t.check('answers in the order of requests', async () => {
    const get = (ms, more = '') => `GET /delay?ms=${ms} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const text = await t.raw(get(60) + get(1) + get(30, 'Connection: close\r\n'));
    t.note(text.match(/delayed \d+/g).join(', '));
  });
  await t.check('a client of HTTP/1.0', async () => {
    t.note(steady(await t.raw('GET /length HTTP/1.0\r\nHost: x\r\n\r\n')));
    t.note(steady(await t.raw('GET /no-length HTTP/1.0\r\nHost: x\r\n\r\n')));
  });
  await t.check('contexts are kept apart', async () => {
    const all = await Promise.all(Array.from({ length: 64 }, (_, i) => t.get(`/context?${i}`, { quiet: true })));
    assert(all.every(({ text }) => text === '{"same":true,"url":true}'), 'a context was lost');
  });
  await t.ask('prototypes of others', 'GET', '/handed-on', { contains: '"same":true' });
  await t.ask('facts about the socket', 'GET', '/socket', { contains: '"same":true' });
  await t.check('an upgrade to something else', async () => {
    const request = t.open('GET', '/', { Connection: 'Upgrade', Upgrade: 'shout' }, { agent: false });
    request.end();
    const [response, socket, head] = await new Promise((resolve) => request.once('upgrade', (...all) => resolve(all)));
    t.head(response);
    socket.write('hello');
    // What came together with the head is not data of the socket.
    let text = head.toString();
    socket.on('data', (data) => {
      text += data;
      if (text.endsWith('HELLO')) socket.write('bye');
    });
    await once(socket, 'end');
    t.note(text);
  });
  await t.ask('channels of diagnostics', 'GET', '/published', { contains: 'true' });
  await t.ask('no such page', 'GET', '/none', { expect: 404 });
}
