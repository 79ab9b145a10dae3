// Koa: middleware, kinds of bodies, cookies, errors.
'use strict';

const { Readable } = require('node:stream');
const Koa = require('koa');

const app = new Koa({ proxy: true, keys: ['a key'] });
app.silent = true;
app.use(async (ctx, next) => {
  const before = ctx.state.depth ?? 0;
  await next();
  ctx.set('X-Depth', String(before + 1));
});
const routes = {
  '/': (ctx) => (ctx.body = 'hello'),
  '/json': (ctx) => (ctx.body = { ip: ctx.ip, host: ctx.host, query: ctx.query, fresh: ctx.fresh }),
  '/buffer': (ctx) => (ctx.body = Buffer.from('bytes')),
  '/stream': (ctx) => (ctx.body = Readable.from(['a', 'b', 'c'])),
  '/null': (ctx) => (ctx.body = null),
  '/etag': (ctx) => {
    ctx.etag = 'tag';
    ctx.status = 200;
    if (ctx.fresh) ctx.status = 304;
    else ctx.body = 'fresh body';
  },
  '/cookie': (ctx) => {
    ctx.cookies.set('a', '1', { signed: true });
    ctx.body = ctx.cookies.get('a', { signed: true }) ?? 'none';
  },
  '/throw': (ctx) => ctx.throw(403, 'forbidden here'),
  '/error': () => {
    throw new Error('hidden');
  },
  '/redirect': (ctx) => ctx.redirect('/json'),
  '/accepts': (ctx) => (ctx.body = ctx.accepts('html', 'json') || 'nothing'),
  '/by-hand': (ctx) => {
    ctx.respond = false;
    ctx.res.statusCode = 200;
    ctx.res.end('by hand');
  },
  '/body': async (ctx) => {
    const chunks = [];
    for await (const chunk of ctx.req) chunks.push(chunk);
    ctx.body = { bytes: Buffer.concat(chunks).length, type: ctx.request.type, length: ctx.request.length };
  },
};
app.use((ctx) => routes[ctx.path]?.(ctx));
app.listen(process.env.PORT, '127.0.0.1');
