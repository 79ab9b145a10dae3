// TypeScript that needs nothing but its types left out.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

const kind: string = 'typed';
const server = createServer((req: IncomingMessage, res: ServerResponse): void => {
  res.end(JSON.stringify({ kind, address: server.address() }));
});
server.listen(process.env.PORT);
