// Served over HTTP and through frames, an application notices the same: events, their order, states, errors, contexts.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { before, after, test } = require('node:test');
const { start, said, until } = require('./helpers.js');
const { FLAG, Front } = require('./front.js');

const front = new Front();
const cleanups = [];
let app, pipe;
before(async () => {
  const where = path.join(os.tmpdir(), `forebay-alike-${process.pid}`);
  await front.listen(where);
  const code = fs.readFileSync(path.join(__dirname, 'fixtures', 'alike.cjs'), 'utf8');
  app = await start({ after: (run) => cleanups.push(run) }, code, { env: { FOREBAY_PIPE: where } });
  pipe = await front.ready();
  await until(() => fs.existsSync(app.endpoint), 'the endpoint');
});
after(async () => {
  for (const run of cleanups) await run();
  front.close();
});

const HOP = ['connection', 'keep-alive', 'transfer-encoding', 'date'];
const fieldsOf = (fields) => {
  const list = [];
  for (let i = 0; i < fields.length; i += 2) if (!HOP.includes(fields[i].toLowerCase())) list.push(`${fields[i]}: ${fields[i + 1]}`);
  return list;
};

/** What node's parser would have made of the response, more or less. */
function overHttp(request) {
  return new Promise((done) => {
    const socket = net.connect(app.endpoint);
    let text = '';
    const parse = (isEnd) => {
      const informs = [];
      let rest = text;
      for (;;) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0) return isEnd ? { cut: true, text } : undefined;
        const [first, ...lines] = rest.slice(0, end).split('\r\n');
        rest = rest.slice(end + 4);
        const [, status, reason] = /^HTTP\/1.1 (\d+) ?(.*)$/.exec(first);
        const fields = lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
        if (status[0] === '1') {
          informs.push([Number(status), fieldsOf(fields)]);
          if (request.body && status === '100') socket.write(request.body);
          continue;
        }
        const isChunked = /\r\ntransfer-encoding: chunked/i.test(text);
        const length = fields.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === 'content-length');
        const bodiless = request.method === 'HEAD' || status === '204' || status === '304';
        const answer = { status: Number(status), reason, fields: fieldsOf(fields), informs, isChunked, body: rest, cut: false, trailers: [] };
        if (bodiless) return answer;
        if (!isChunked) {
          if (length < 0) return isEnd ? answer : undefined;
          if (rest.length >= Number(fields[length + 1])) return answer;
          return isEnd ? { ...answer, cut: true } : undefined;
        }
        let body = '';
        for (;;) {
          const size = parseInt(rest, 16);
          const from = rest.indexOf('\r\n') + 2;
          if (Number.isNaN(size) || from < 2 || rest.length < from + size) return isEnd ? { ...answer, body, cut: true } : undefined;
          if (size === 0) {
            const tail = rest.slice(from);
            if (!tail.endsWith('\r\n')) return undefined;
            return { ...answer, body, trailers: tail.split('\r\n').filter(Boolean) };
          }
          body += rest.slice(from, from + size);
          rest = rest.slice(from + size + 2);
        }
      }
    };
    const finish = (isEnd) => {
      const answer = parse(isEnd);
      if (answer === undefined) return;
      socket.destroy();
      done(answer);
    };
    socket.setEncoding('latin1');
    socket.on('data', (part) => {
      text += part;
      if (request.abort && text.includes(request.abort)) {
        socket.destroy();
        done({ aborted: true });
        return;
      }
      finish(false);
    });
    socket.on('end', () => finish(true)).on('close', () => finish(true)).on('error', () => {});
    const lines = request.fields.flatMap((field, i) => (i % 2 === 0 ? [`${field}: ${request.fields[i + 1]}`] : []));
    const body = request.expect ? '' : request.chunked ? `${request.body.length.toString(16)}\r\n${request.body}\r\n${request.open ? '' : `0\r\n${(request.trailers ?? []).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`}` : request.body ?? '';
    socket.write(`${request.method} ${request.target} HTTP/${request.version ?? '1.1'}\r\n${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
  });
}

async function throughFrames(request) {
  const flags = (request.expect ? FLAG.EXPECT : 0) | (request.version === '1.0' ? FLAG.HTTP_10 : 0);
  const isTogether = request.body !== undefined && !request.expect && !request.abort;
  const open = () => pipe.request({ ...request, flags, body: '', open: request.body !== undefined });
  const stream = isTogether ? pipe.together(() => {
    const one = open();
    one.write(request.body);
    one.remoteDone = true;
    one.end(request.trailers?.flat());
    return one;
  }) : open();
  if (request.body !== undefined && !isTogether) {
    if (request.expect) await Promise.race([stream.until((one) => one.informs.length > 0), stream.ended]);
    if (!stream.localDone && request.body.length > 0) stream.write(request.body);
    if (!request.open) {
      stream.remoteDone = true;
      if (!stream.localDone || !request.expect) stream.end(request.trailers?.flat());
    }
  }
  if (request.abort) {
    await stream.until((one) => String(one.body).includes(request.abort));
    stream.remoteDone = true;
    stream.reset(0);
    return { aborted: true };
  }
  await stream.ended;
  if (request.expect && stream.localDone && !stream.remoteDone) stream.reset(0);
  const isWhole = (stream.flags & FLAG.END) !== 0;
  const { STATUS_CODES } = require('node:http');
  const bodiless = request.method === 'HEAD' || stream.status === 204 || stream.status === 304;
  const fields = fieldsOf(stream.fields);
  const hasLength = fields.some((field) => /^content-length:/i.test(field));
  const isClosing = (stream.flags & FLAG.CLOSE) !== 0;
  if (isWhole && !bodiless && !hasLength) fields.push(`Content-Length: ${stream.body.length}`);
  const trailers = [];
  for (let i = 0; i < stream.trailers.length; i += 2) trailers.push(`${stream.trailers[i]}: ${stream.trailers[i + 1]}`);
  if (stream.status === undefined) return { cut: true, text: '' };
  return {
    status: stream.status,
    reason: stream.reason || STATUS_CODES[stream.status],
    fields,
    informs: stream.informs.map(([status, list]) => [status, fieldsOf(list)]),
    isChunked: !isWhole && !bodiless && !hasLength,
    body: stream.body.toString('latin1'),
    // The front cuts off what is shorter than was said.
    cut: stream.resetCode !== undefined || (!bodiless && Number(stream.field('content-length') ?? 0) > stream.body.length),
    trailers,
    isClosing,
  };
}

/** What was written down in this run of a scenario. */
async function seen(name) {
  const find = () => said(app, 'seen').find((one) => one.name === name);
  await until(find, `something about ${name}\n${app.err}`);
  return find().events.map((event) => event.replaceAll(name, 'NAME'));
}

const cases = {
  plain: {}, silent: { noEvents: true }, watched: {}, onlyResponse: {}, later: {}, writes: {}, encodings: { noEvents: true }, piped: {},
  bothFinished: {}, twice: {}, errors: {}, heads: {}, flatHeads: {}, pairHeads: {}, latin: {}, noContent: {}, notModified: {},
  unknownStatus: {}, closes: {}, noDate: {}, noLength: {}, strict: {}, flushed: {}, trailers: {}, informs: {}, facts: {}, contextsRun: {},
  times: {}, prototypes: {}, replaced: {}, rawSocket: {},
  destroysResponse: {}, destroysRequest: {}, destroysWithError: {}, destroysSocket: {}, timesOut: {},
};
for (const name of ['readAll', 'iterate', 'ignoreBody', 'lateBody', 'paused', 'readable', 'pipelined', 'contexts', 'requestTrailers']) {
  cases[name] = { method: 'POST', body: 'a body of some bytes', chunked: true };
}
cases.requestTrailers.trailers = [['X-One', '1'], ['x-two', '2']];
for (const name of ['readAll', 'lateBody', 'iterate', 'pipelined', 'bothFinished']) cases[`${name} without a body`] = {};
for (const name of ['plain', 'watched', 'writes', 'piped', 'facts', 'heads']) cases[`${name} to HEAD`] = { method: 'HEAD' };
for (const name of ['plain', 'writes']) cases[`${name} to HTTP/1.0`] = { version: '1.0' };
for (const name of ['hangs', 'hangsSilently', 'hangsFinished']) cases[`${name}, aborted`] = { abort: 'started' };
for (const name of ['hangs', 'hangsReading', 'hangsSilently', 'hangsFinished']) {
  cases[`${name} in an upload, aborted`] = { method: 'POST', body: 'begun', chunked: true, open: true, abort: 'started' };
}
cases['readAll, expected'] = { method: 'POST', body: 'wanted', expect: true };
cases['plain/refuse, expected'] = { method: 'POST', body: 'unwanted', expect: true };
const QUIET = ['plain', 'silent', 'encodings', 'heads', 'flatHeads', 'pairHeads', 'latin', 'notModified', 'unknownStatus', 'noDate', 'noLength', 'trailers', 'facts', 'prototypes', 'rawSocket', 'requestTrailers'];

let count = 0;
for (const [title, options] of Object.entries(cases)) {
  test(title, { timeout: 30_000 }, async () => {
    const scenario = title.split(/[ ,]/)[0];
    const [handler, ...rest] = scenario.split('/');
    const results = [];
    for (const [way, go] of [['http', overHttp], ['pipe', throughFrames]]) {
      const name = `${way}${count++}`;
      const fields = ['Host', 'a.example', 'X-Twice', '1', 'x-twice', '2', 'Cookie', 'a=1', 'cookie', 'b=2'];
      if (options.chunked) fields.push('Transfer-Encoding', 'chunked');
      if (options.expect) fields.push('Content-Length', `${options.body.length}`, 'Expect', '100-continue');
      const request = { method: 'GET', ...options, target: ['', handler, name, ...rest].join('/'), fields };
      const answer = await go(request);
      const { isClosing, ...comparable } = answer;
      // To old clients the front frames better than node does.
      if (options.version === '1.0') Object.assign(comparable, { fields: [], isChunked: false });
      if (comparable.fields) comparable.fields = comparable.fields.filter((field) => handler !== 'rawSocket' || !/^server/i.test(field)).sort();
      const events = QUIET.includes(handler) && !options.expect ? [] : await seen(name);
      results.push({ ...comparable, events, body: comparable.body?.replaceAll(name, 'NAME') });
    }
    assert.deepEqual(results[1], results[0]);
  });
}
