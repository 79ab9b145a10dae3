// A folder with nothing but this.
const http = require('http');
http.createServer((req, res) => res.end(JSON.stringify({ kind: 'index' }))).listen({ port: process.env.PORT });
