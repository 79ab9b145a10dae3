// A run of checks against a server, and its transcript.
//
// Whatever a server says goes into the transcript, so that two servers that differ give two transcripts. What may differ
// between any two runs is normalised here and nowhere else.
import { createHash } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';

/** Milliseconds until a check counts as failed. */
const CHECK_TIMEOUT = 20_000;

/** Fields that belong to a connection and not to an answer, or say when it was given. */
const LEFT_OUT = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding']);

/** A body in the transcript: as it is, or its length and hash. */
export function shown(bytes) {
  const text = bytes.toString('utf8');
  const isText = bytes.length <= 600 && !text.includes('\ufffd') && !/[\0-\x08\x0e-\x1f]/.test(text);
  return isText ? JSON.stringify(text) : `${bytes.length} bytes, sha1 ${createHash('sha1').update(bytes).digest('hex')}`;
}

export function assert(condition, what) {
  if (!condition) throw new Error(what);
}

/** Resolves with the first argument of an event, rejects with an error. */
export function once(emitter, event) {
  return new Promise((resolve, reject) => {
    emitter.once(event, resolve);
    if (event !== 'error') emitter.once('error', reject);
  });
}

export class Run {
  checks = 0;
  lines = [];

  constructor(base) {
    this.base = new URL(base);
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  }

  note(line) {
    this.lines.push(`  ${line.replaceAll('\n', ' ')}`);
  }

  /** One check: its name and what it noted are part of the transcript. */
  async check(name, body) {
    this.checks++;
    this.lines.push(name);
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('takes too long')), CHECK_TIMEOUT);
    });
    try {
      await Promise.race([body(), late]);
    } catch (error) {
      this.lines.push(`  FAILED: ${error.message.replaceAll('\n', ' ')}`);
      if (process.env.COMPAT_TRACE) console.error(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The options of a request and a request that is not ended. */
  open(method, path, headers = {}, more = {}) {
    const { hostname, port } = this.base;
    return http.request({ hostname, port, method, path, headers, agent: this.agent, ...more });
  }

  /** Notes status and fields of a response. `except`: fields whose value is another each time. */
  head(response, except = []) {
    this.note(`< ${response.statusCode} ${response.statusMessage}`);
    const raw = response.rawHeaders;
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i].toLowerCase();
      if (LEFT_OUT.has(name)) continue;
      // Forebay leaves out a Content-Length that RFC 9110 section 8.6 forbids.
      if (response.statusCode === 204 && name === 'content-length') continue;
      this.note(`< ${raw[i]}: ${except.includes(name) ? '...' : raw[i + 1]}`);
    }
    // Node sends no framing beyond these two; which of them is part of the answer.
    const { 'transfer-encoding': coding } = response.headers;
    const isKnown = response.statusCode === 204 || 'content-length' in response.headers;
    this.note(`< ${isKnown ? 'length known' : (coding ?? 'no framing')}`);
  }

  /** Sends a request, notes everything about its answer, but not a body that `varies`. `expect` is its status. */
  async send(method, path, { headers, body, expect = 200, except, quiet, varies } = {}) {
    const request = this.open(method, path, headers);
    const sent = body === undefined ? '' : ` ${shown(Buffer.from(body))}`;
    if (!quiet) this.note(`> ${method} ${path}${sent}`);
    const answered = once(request, 'response');
    request.end(body);
    const response = await answered;
    if (!quiet) this.head(response, except);
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (!quiet) this.note(`< ${varies ? '...' : shown(bytes)}`);
    for (const [name, value] of Object.entries(response.trailers)) this.note(`< trailer ${name}: ${value}`);
    assert(response.statusCode === expect, `status ${response.statusCode} instead of ${expect}: ${bytes.subarray(0, 200)}`);
    return { status: response.statusCode, headers: response.headers, bytes, text: bytes.toString() };
  }

  get(path, options) {
    return this.send('GET', path, options);
  }

  /** A check that is one request, whose answer holds `contains`. */
  ask(name, method, path, { contains, ...options } = {}) {
    return this.check(name, async () => {
      const { text } = await this.send(method, path, options);
      assert(contains === undefined || text.includes(contains), `no ${contains} in ${text.slice(0, 200)}`);
    });
  }

  json(value, headers) {
    return { body: JSON.stringify(value), headers: { 'Content-Type': 'application/json', ...headers } };
  }

  /** Reads a response in pieces: resolves with what has arrived once it holds `mark`. */
  async until(response, mark) {
    response.piece ??= '';
    while (!response.piece.includes(mark)) {
      const chunk = response.read() ?? (await once(response, 'readable'), response.read());
      if (chunk === null && response.readableEnded) throw new Error(`ended before ${mark}: ${response.piece}`);
      if (chunk !== null) response.piece += chunk;
    }
    const piece = response.piece;
    response.piece = '';
    return piece;
  }

  /** Bytes on a connection of their own; resolves with everything that came back. */
  raw(bytes) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.base.port, this.base.hostname, () => socket.write(bytes));
      const chunks = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', reject);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    });
  }
}
