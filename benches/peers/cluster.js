// Serves APP with node's cluster module, WORKERS processes on one port.
'use strict';
const cluster = require('cluster');
if (cluster.isPrimary) {
  for (let left = Number(process.env.WORKERS); left > 0; left--) cluster.fork();
} else {
  require(process.env.APP);
}
