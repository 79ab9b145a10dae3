// pino-http: structured lines of each request, with its own ids.
'use strict';

const http = require('node:http');
const pinoHttp = require('pino-http');

const lines = [];
const kept = (line) => {
  const { level, msg, req, res, err } = JSON.parse(line);
  lines.push({ level, msg, id: req?.id, method: req?.method, url: req?.url, status: res?.statusCode, type: res?.headers?.['content-type'], err: err?.message });
};
let next = 0;
const log = pinoHttp({ genReqId: () => ++next, customLogLevel: (req, res, error) => (error || res.statusCode >= 500 ? 'error' : 'info') }, { write: kept });
const server = http.createServer((req, res) => {
  if (req.url === '/lines') return res.end(JSON.stringify(lines.splice(0)));
  log(req, res);
  req.log.info('within');
  if (req.url === '/error') {
    res.err = new Error('on purpose');
    res.statusCode = 500;
    return res.end('failed');
  }
  if (req.url === '/never') return undefined;
  res.setHeader('Content-Type', 'text/plain');
  return res.end(`request ${req.id}`);
});
server.listen(process.env.PORT, '127.0.0.1');
