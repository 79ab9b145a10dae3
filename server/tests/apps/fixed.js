// A port written into the source.
const http = require('http');
const server = http.createServer((req, res) => {
  res.end(JSON.stringify({ kind: 'fixed', address: server.address() }));
});
server.listen(3000, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
