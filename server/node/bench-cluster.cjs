// Runs a command line of node under node's cluster module: `node bench-cluster.cjs PROCESSES ARGUMENT…`.
'use strict';

const cluster = require('node:cluster');

const [processes, first, ...rest] = process.argv.slice(2);

// A worker's command line is execArgv, exec, args, in this order: what node made of the arguments stays as it was.
cluster.setupPrimary({ execArgv: [], exec: first, args: rest });
for (let i = 0; i < Number(processes); i++) cluster.fork();

cluster.on('exit', (worker, code, signal) => {
  console.error(`worker ${worker.id} ended (${signal ?? `exit status ${code}`})`);
  // A cluster with fewer processes would be another contender.
  process.exit(1);
});

process.on('SIGTERM', () => {
  cluster.removeAllListeners('exit');
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
  process.exit(0);
});
