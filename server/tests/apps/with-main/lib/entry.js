// What package.json names as main.
const http = require('http');
http.createServer((req, res) => res.end(JSON.stringify({ kind: 'main', cwd: process.cwd() }))).listen(process.env.PORT);
