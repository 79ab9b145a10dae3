// CommonJS, with the port read as most applications do.
const http = require('http');
const port = parseInt(process.env.PORT || '3000', 10);
const server = http.createServer((req, res) => {
  res.end(JSON.stringify({ kind: 'common', address: server.address() }));
});
server.listen(port, () => console.log('address', JSON.stringify(server.address())));
