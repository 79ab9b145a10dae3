// Hono on node: web standard requests and responses.
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { HTTPException } from 'hono/http-exception';
import { stream, streamSSE } from 'hono/streaming';

const app = new Hono();
app.use(async (c, next) => {
  await next();
  c.header('X-After', 'middleware');
});
app.get('/', (c) => c.text('hello'));
app.get('/json/:id', (c) => c.json({ id: c.req.param('id'), q: c.req.queries('a'), path: new URL(c.req.url).pathname }));
app.post('/json', async (c) => c.json({ got: await c.req.json() }, 201));
app.post('/form', async (c) => {
  const { file, ...rest } = await c.req.parseBody();
  return c.json({ ...rest, file: file && { name: file.name, size: file.size } });
});
app.post('/echo', (c) => c.body(c.req.raw.body, 200, { 'Content-Type': 'application/x-echo' }));
app.get('/stream', (c) => stream(c, async (out) => {
  for (const part of ['a', 'b', 'c']) await out.write(part);
}));
app.get('/sse', (c) => streamSSE(c, async (out) => {
  for (let i = 0; i < 3; i++) await out.writeSSE({ data: String(i), event: 'tick', id: String(i) });
}));
app.get('/cookie', (c) => (setCookie(c, 'a', '1', { httpOnly: true }), setCookie(c, 'b', '2'), c.text(getCookie(c, 'c') ?? 'none')));
app.get('/error', () => {
  throw new HTTPException(418, { message: 'on purpose' });
});
app.get('/redirect', (c) => c.redirect('/', 308));
app.get('/response', () => new Response(new Uint8Array(50_000).fill(5), { status: 203, headers: { 'X-Web': 'yes' } }));
serve({ fetch: app.fetch, port: process.env.PORT, hostname: '127.0.0.1' });
