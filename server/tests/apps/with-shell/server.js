// Started by a shell, on a fixed port.
const http = require('http');
http.createServer((req, res) => res.end(JSON.stringify({ kind: 'shell' }))).listen(8080);
