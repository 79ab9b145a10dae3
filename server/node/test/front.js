// A front made of little: listens where workers dial, opens streams, and shows what comes back. For tests.
'use strict';

const { EventEmitter, once } = require('node:events');
const net = require('node:net');
const { CODES, FLAG, METHODS, SPELLINGS, TABLE, TYPE } = require('../pipe/wire.cjs');

const NAME_OF = Object.fromEntries(Object.entries(TYPE).map(([name, type]) => [type, name]));

function frame(type, id, ...parts) {
  const payload = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
  const header = Buffer.alloc(8);
  header.writeUInt32LE(payload.length + type * 2 ** 24);
  header.writeUInt32LE(id, 4);
  return Buffer.concat([header, payload]);
}

function u16(value) {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

function encodeFields(list) {
  const parts = [];
  for (let i = 0; i < list.length; i += 2) {
    const known = CODES.get(list[i]);
    parts.push(u32(list[i + 1].length + (known ?? list[i].length) * 2 ** 18));
    parts.push(Buffer.from((known === undefined ? list[i] : '') + list[i + 1], 'latin1'));
  }
  return Buffer.concat(parts);
}

function decodeFields(bytes, at, count) {
  const list = [];
  for (let i = 0; i < count; i++) {
    const number = bytes.readUInt32LE(at);
    const [length, code] = [number & 0x3ffff, number >>> 18];
    at += 4;
    if (code < TABLE) {
      list.push(bytes.latin1Slice(at, at + code));
      at += code;
    } else {
      list.push(SPELLINGS[code - TABLE]);
    }
    list.push(bytes.latin1Slice(at, at + length));
    at += length;
  }
  return list;
}

/** One stream, as the front sees it. */
class Stream extends EventEmitter {
  constructor(connection, id) {
    super();
    this.connection = connection;
    this.id = id;
    this.status = undefined;
    this.reason = undefined;
    this.flags = 0;
    this.fields = [];
    this.informs = [];
    this.trailers = [];
    this.chunks = [];
    this.isRaw = false;
    this.resetCode = undefined;
    this.granted = 0;
    this.frames = [];
    this.ended = new Promise((done) => this.once('ended', done));
  }

  get body() {
    return Buffer.concat(this.chunks);
  }

  /** Field values by name in lower case. */
  field(name) {
    const at = this.fields.findIndex((one, i) => i % 2 === 0 && one.toLowerCase() === name);
    return at < 0 ? undefined : this.fields[at + 1];
  }

  write(data) {
    this.connection.send(frame(TYPE.DATA, this.id, Buffer.from(data)));
  }

  end(trailers) {
    const payload = trailers === undefined ? [] : [u16(0), u16(trailers.length / 2), encodeFields(trailers)];
    this.connection.send(frame(TYPE.END, this.id, ...payload));
  }

  reset(code = 0) {
    this.connection.send(frame(TYPE.RESET, this.id, Buffer.from([code])));
  }

  grant(bytes) {
    this.connection.send(frame(TYPE.WINDOW, this.id, u32(bytes)));
  }

  /** Resolves with the first event of this name, whose condition holds now or later. */
  async until(condition) {
    while (!condition(this)) await once(this, 'frame');
    return this;
  }
}

class Connection extends EventEmitter {
  constructor(front, socket) {
    super();
    this.front = front;
    this.socket = socket;
    this.streams = new Map();
    this.frames = [];
    this.uses = [];
    this.free = [];
    this.slots = 0;
    this.held = null;
    this.left = Buffer.alloc(0);
    socket.on('data', (bytes) => this.read(bytes));
    socket.on('error', () => {});
    this.closed = new Promise((done) => socket.once('close', done));
  }

  send(bytes) {
    if (this.held === null) this.socket.write(bytes);
    else this.held.push(bytes);
  }

  /** Collects what `run` sends, so that it arrives in one piece. */
  together(run) {
    this.held = [];
    const result = run();
    const bytes = Buffer.concat(this.held);
    this.held = null;
    this.socket.write(bytes);
    return result;
  }

  read(bytes) {
    this.left = this.left.length > 0 ? Buffer.concat([this.left, bytes]) : bytes;
    for (;;) {
      const { left } = this;
      if (left.length < 8) return;
      const length = left.readUIntLE(0, 3);
      if (left.length < 8 + length) return;
      this.left = left.subarray(8 + length);
      this.frame(NAME_OF[left[3]], left.readUInt32LE(4), Buffer.from(left.subarray(8, 8 + length)));
    }
  }

  frame(name, id, payload) {
    if (id === 0) {
      this.frames.push({ name, payload });
      if (name === 'HELLO') this.hello(payload);
      this.emit('frame', name, payload);
      this.emit(name, payload);
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      // Late credit for a stream that is closed.
      if (name === 'WINDOW') return;
      throw new Error(`${name} for stream ${id}, which is not open`);
    }
    if (stream.localDone && name !== 'WINDOW') throw new Error(`${name} behind the end of stream ${id}`);
    stream.frames.push(name);
    let ends = false;
    if (name === 'RESPONSE') ends = this.response(stream, payload);
    else if (name === 'DATA') stream.chunks.push(payload);
    else if (name === 'INFORM') {
      const count = payload.readUInt16LE(8);
      stream.informs.push([payload.readUInt16LE(6), decodeFields(payload, 12 + payload.readUInt16LE(10), count)]);
    } else if (name === 'RAW') stream.isRaw = true;
    else if (name === 'WINDOW') stream.granted += payload.readUInt32LE(0);
    else if (name === 'RESET') stream.resetCode = payload[0];
    else if (name === 'END' && payload.length > 0) stream.trailers = decodeFields(payload, 4, payload.readUInt16LE(2));
    if (name === 'DATA' && this.front.autoGrant) stream.grant(payload.length);
    if (ends || name === 'END' || name === 'RESET') {
      stream.localDone = true;
      // The front answers a RESET, and ends what it has not ended.
      if (name === 'RESET' && !stream.remoteDone) {
        stream.remoteDone = true;
        stream.reset(0);
      }
      if (stream.remoteDone) this.close(stream);
      stream.emit('ended');
    }
    stream.emit('frame', name);
  }

  close(stream) {
    this.streams.delete(stream.id);
    this.free.push(stream.id & 0xffff);
  }

  response(stream, payload) {
    stream.flags = payload.readUInt16LE(4);
    stream.status = payload.readUInt16LE(6);
    const reason = payload.readUInt16LE(10);
    stream.reason = payload.latin1Slice(12, 12 + reason);
    stream.fields = decodeFields(payload, 12 + reason, payload.readUInt16LE(8));
    const body = payload.subarray(12 + payload.readUInt32LE(0));
    if (body.length > 0) stream.chunks.push(body);
    if (body.length > 0 && this.front.autoGrant && (stream.flags & FLAG.END) === 0) stream.grant(body.length);
    return (stream.flags & FLAG.END) !== 0;
  }

  hello(payload) {
    const version = payload.readUInt16LE(28);
    const about = {
      worker: payload.readUInt16LE(6),
      generation: payload.readUInt32LE(12),
      pid: payload.readUInt32LE(16),
      node: payload.latin1Slice(30, 30 + version),
    };
    if (payload.length > 30 + version) about.endpoint = payload.toString('utf8', 32 + version);
    this.about = about;
    const { shards, window, streamsMax, dataBytesMax, mute } = this.front;
    if (mute) return;
    const answer = [Buffer.from('FBAY'), u16(1), u16(streamsMax), u32(0), u32(window), u32(dataBytesMax), u16(shards)];
    this.send(frame(TYPE.WELCOME, 0, ...answer));
    this.isReady = true;
    this.front.emit('ready', this);
  }

  /** Opens a stream. `body`: what the REQUEST frame carries; `open`: more follows. */
  request(options = {}) {
    const { method = 'GET', target = '/', fields = ['Host', 'a'], body = '', open = false, flags = 0 } = options;
    const { client = '', clientPort = 0, localPort = 0 } = options;
    const slot = this.free.shift() ?? ++this.slots;
    const uses = this.uses[slot] ?? 0;
    this.uses[slot] = (uses + 1) % 16384;
    const id = uses * 65536 + slot;
    const stream = new Stream(this, id);
    stream.remoteDone = !open && (flags & FLAG.UPGRADE) === 0;
    this.streams.set(id, stream);
    const number = METHODS.indexOf(method) + 1;
    const written = number === 0 ? method : '';
    const text = Buffer.concat([Buffer.from(written + target + client, 'latin1'), encodeFields(fields)]);
    const numbers = [u32(text.length), u32(target.length), u16(flags | (stream.remoteDone ? FLAG.END : 0)), u16(fields.length / 2)];
    const more = [u16(clientPort), u16(localPort), Buffer.from([number, written.length, client.length, 0])];
    this.send(frame(TYPE.REQUEST, id, ...numbers, ...more, text, Buffer.from(body)));
    return stream;
  }

  ping(token = '01234567') {
    this.send(frame(TYPE.PING, 0, token));
  }

  drain() {
    this.send(frame(TYPE.DRAIN, 0));
  }

  /** Resolves with the payload of the first frame of this name. */
  async got(name) {
    for (;;) {
      const found = this.frames.find((one) => one.name === name);
      if (found !== undefined) return found.payload;
      await once(this, 'frame');
    }
  }
}

class Front extends EventEmitter {
  constructor(options = {}) {
    super();
    Object.assign(this, { shards: 1, window: 262144, streamsMax: 1024, dataBytesMax: 65536, autoGrant: true, mute: false }, options);
    this.connections = [];
    this.servers = [];
  }

  async listen(path) {
    this.path = path;
    for (let shard = 0; shard < this.shards; shard++) {
      const server = net.createServer((socket) => {
        const connection = new Connection(this, socket);
        connection.shard = shard;
        this.connections.push(connection);
      });
      server.listen(shard === 0 ? path : `${path}.${shard}`);
      await once(server, 'listening');
      this.servers.push(server);
    }
    return this;
  }

  close() {
    for (const { socket } of this.connections) socket.destroy();
    for (const server of this.servers) server.close();
  }

  /** Resolves with the connection that was greeted, of the given shard or endpoint. */
  async ready({ shard = 0, endpoint } = {}) {
    for (;;) {
      const found = this.connections.find((one) => one.isReady && one.shard === shard && (endpoint === undefined || one.about.endpoint === endpoint));
      if (found !== undefined) return found;
      await once(this, 'ready');
    }
  }
}

module.exports = { FLAG, Front, frame };
