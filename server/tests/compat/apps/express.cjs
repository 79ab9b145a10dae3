// What an Express application does all day, for any version of Express.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const cookieParser = require('cookie-parser');

exports.start = (express) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'compat-'));
  const file = path.join(folder, 'file.txt');
  fs.writeFileSync(file, 'a file of forty bytes, line after line\n\n'.repeat(64));
  fs.utimesSync(file, 1700000000, 1700000000);
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));

  const app = express();
  const held = [];
  app.set('trust proxy', true);
  app.use(cookieParser('secret'));
  app.use('/static', express.static(folder, { maxAge: 60000 }));
  app.get('/', (req, res) => res.send('hello world'));
  app.get('/json', (req, res) => res.json({ list: [1, 2, 3], text: 'größer ✓' }));
  app.get('/users/:id', (req, res) => res.json({ params: req.params, query: req.query, path: req.path }));
  app.get('/facts', (req, res) => {
    const { ip, protocol, secure, hostname, httpVersion, xhr, fresh, subdomains, originalUrl, baseUrl } = req;
    const kinds = { accepts: req.accepts(['json', 'html']), is: req.is('json') };
    res.json({ ip, protocol, secure, hostname, httpVersion, xhr, fresh, subdomains, originalUrl, baseUrl, kinds });
  });
  app.get('/fields', (req, res) => {
    const ours = /^(x-forwarded|forwarded|x-request-id|connection|host)/i;
    const raw = [];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      if (!ours.test(req.rawHeaders[i])) raw.push([req.rawHeaders[i], req.rawHeaders[i + 1]]);
    }
    res.json({ raw, cookie: req.cookies, signed: req.signedCookies, list: req.headers['x-list'] });
  });
  app.post('/json', express.json({ limit: '1mb' }), (req, res) => res.json({ got: req.body, length: req.get('content-length') }));
  app.post('/form', express.urlencoded({ extended: true }), (req, res) => res.json(req.body));
  app.post('/text', express.text(), (req, res) => res.type('text').send(req.body.toUpperCase()));
  app.post('/raw', express.raw({ limit: '5mb' }), (req, res) => res.send(req.body));
  app.get('/cookies', (req, res) => {
    res.cookie('plain', 'a b').cookie('signed', 'yes', { signed: true, httpOnly: true, path: '/x' }).clearCookie('old').end();
  });
  app.get('/redirect', (req, res) => res.redirect(301, '/json?a=b'));
  app.get('/format', (req, res) => {
    res.format({ text: () => res.send('text'), html: () => res.send('<p>html</p>'), json: () => res.send({ json: true }) });
  });
  app.get('/file', (req, res) => res.sendFile(file));
  app.get('/download', (req, res) => res.download(file, 'name "quoted".txt'));
  app.get('/links', (req, res) => {
    res.links({ next: 'http://x/2' }).vary('Accept').append('X-Many', ['1', '2']).status(203).end('done');
  });
  app.get('/throw', () => {
    throw Object.assign(new Error('on purpose'), { status: 418 });
  });
  app.get('/later', (req, res, next) => setImmediate(next, new Error('later')));
  app.get('/empty', (req, res) => res.sendStatus(204));
  app.get('/stream', (req, res) => {
    res.type('text/event-stream');
    res.flushHeaders();
    res.write('data: one\n\n');
    held.push(res);
  });
  app.get('/release', (req, res) => {
    for (const other of held.splice(0)) other.end('data: two\n\n');
    res.end('released');
  });
  const sub = express.Router({ mergeParams: true });
  sub.use((req, res, next) => (res.set('X-Sub', req.baseUrl), next()));
  sub.get('/deep', (req, res) => res.json({ url: req.url, baseUrl: req.baseUrl, params: req.params }));
  app.use('/sub/:name', sub);
  const mounted = express();
  mounted.get('/', (req, res) => res.json({ mountpath: mounted.mountpath, same: req.app === mounted }));
  app.use('/mounted', mounted);
  app.all('/methods', (req, res) => res.send(req.method));
  // Four arguments make it a handler of errors.
  app.use((error, req, res, next) => {
    if (res.headersSent) return next(error);
    res.status(error.status ?? 500).json({ error: error.message });
  });
  app.listen(process.env.PORT, '127.0.0.1');
};
