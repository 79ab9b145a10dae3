// hapi: validation, state, streams, payloads, extensions.
'use strict';

const { Readable } = require('node:stream');
const Hapi = require('@hapi/hapi');

async function main() {
  const server = Hapi.server({ port: process.env.PORT, host: '127.0.0.1', routes: { cors: true } });
  server.state('visits', { encoding: 'base64json', isSecure: false, isHttpOnly: true });
  server.ext('onPreResponse', (request, h) => {
    const { response } = request;
    if (response.isBoom) response.output.headers['x-ext'] = 'boom';
    else response.header('x-ext', 'fine');
    return h.continue;
  });
  server.route([
    { method: 'GET', path: '/', handler: () => 'hello' },
    { method: 'GET', path: '/users/{id}/{rest*}', handler: (request) => ({ params: request.params, query: request.query }) },
    { method: 'POST', path: '/json', handler: (request, h) => h.response({ got: request.payload }).code(201) },
    { method: 'POST', path: '/bytes', options: { payload: { maxBytes: 100_000 } }, handler: (r) => String(r.payload.length) },
    { method: 'GET', path: '/stream', handler: (request, h) => h.response(Readable.from(Buffer.from('streamed'), { objectMode: false })) },
    { method: 'GET', path: '/etag', handler: (request, h) => h.response('tagged').etag('t1') },
    { method: 'GET', path: '/buffer', handler: (request, h) => h.response(Buffer.alloc(40_000, 1)).type('image/png').charset('') },
    {
      method: 'GET',
      path: '/visit',
      handler: (request, h) => {
        const count = (request.state.visits?.count ?? 0) + 1;
        return h.response({ count }).state('visits', { count });
      },
    },
    {
      method: 'GET',
      path: '/error',
      handler: () => {
        throw new Error('hidden');
      },
    },
    { method: 'GET', path: '/redirect', handler: (request, h) => h.redirect('/').permanent() },
  ]);
  await server.start();
}
main();
