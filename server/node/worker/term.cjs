// PM2's message to end, for applications that know no other: `process.on('message', (m) => m === 'shutdown' && …)`.
//
// Written for Windows, where there are no signals, such an application does not listen to SIGTERM. So SIGTERM becomes that
// message, if nobody listens to the signal itself. This listens to it only once there is a listener for messages: without
// one, a process ends as ever, even while its event loop does not turn.
'use strict';

function onTerm() {
  if (process.listenerCount('SIGTERM') > 1) return;
  if (process.listenerCount('message') > 0) return void process.emit('message', 'shutdown', undefined);
  process.removeListener('SIGTERM', onTerm);
  process.kill(process.pid, 'SIGTERM');
}

module.exports = { onTerm };
