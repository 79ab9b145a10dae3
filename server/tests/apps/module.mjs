// An ES module with top-level await and an imported server.
import { createServer } from 'node:http';

const port = await Promise.resolve(process.env.PORT);
const server = createServer((req, res) => {
  res.end(JSON.stringify({ kind: 'module', address: server.address() }));
});
server.listen(port);
