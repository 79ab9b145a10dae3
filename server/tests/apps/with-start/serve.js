// What scripts.start runs, with an assignment, a flag of node and an argument.
import http from 'node:http';

const { GREETING } = process.env;
const about = { kind: 'start', greeting: GREETING, args: process.argv.slice(2), flags: process.execArgv };
http.createServer((req, res) => res.end(JSON.stringify(about))).listen(parseInt(process.env.PORT ?? '3000'));
