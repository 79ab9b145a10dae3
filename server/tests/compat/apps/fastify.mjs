// Fastify: schemas, hooks, streams, errors, uploads.
import { Readable } from 'node:stream';
import multipart from '@fastify/multipart';
import Fastify from 'fastify';

const app = Fastify({ trustProxy: true, requestIdHeader: false, bodyLimit: 2 << 20 });
await app.register(multipart);
app.decorateRequest('began', 0);
app.addHook('onRequest', async (req) => {
  req.began = 1;
});
app.addHook('onSend', async (req, reply, payload) => {
  reply.header('x-hook', `sent ${req.began}`);
  return payload;
});
const person = { type: 'object', required: ['name'], properties: { name: { type: 'string' }, age: { type: 'integer' } } };
app.get('/', async () => ({ hello: 'world' }));
app.get('/ip', async (req) => ({ ip: req.ip, host: req.host, protocol: req.protocol }));
app.get('/users/:id', { schema: { params: { type: 'object', properties: { id: { type: 'integer' } } } } }, async (req) => ({ id: req.params.id, q: req.query }));
app.post('/person', { schema: { body: person, response: { 200: person } } }, async (req) => ({ ...req.body, secret: 1 }));
app.get('/stream', async (req, reply) => reply.type('text/plain').send(Readable.from(['one ', 'two ', 'three'])));
app.get('/buffer', async (req, reply) => reply.type('image/png').send(Buffer.alloc(100_000, 3)));
app.get('/error', async () => {
  throw Object.assign(new Error('on purpose'), { statusCode: 409 });
});
app.get('/redirect', async (req, reply) => reply.redirect('/', 307));
app.get('/raw', (req, reply) => {
  reply.hijack();
  reply.raw.writeHead(200, { 'X-Raw': ['a', 'b'] });
  reply.raw.end('by hand');
});
app.get('/trailer', async (req, reply) => {
  reply.trailer('x-check', (_, payload, done) => done(null, 'sum'));
  return 'with a trailer';
});
app.post('/upload', async (req) => {
  const files = [];
  for await (const part of req.parts()) {
    if (part.file) files.push([part.fieldname, part.filename, (await part.toBuffer()).length]);
    else files.push([part.fieldname, part.value]);
  }
  return { files };
});
await app.listen({ port: process.env.PORT, host: '127.0.0.1' });
