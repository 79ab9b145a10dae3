// Listens only once a file appears: a start as slow as a test wants it.
const fs = require('fs');
const http = require('http');
const server = http.createServer((req, res) => res.end('at last'));
const look = setInterval(() => {
  if (!fs.existsSync(process.env.LATE_FILE)) return;
  clearInterval(look);
  server.listen(process.env.PORT);
}, 10);
