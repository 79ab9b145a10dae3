// PM2's message to end, for applications that know no other: `process.on('message', (m) => m === 'shutdown' && …)`.
//
// Written for Windows, where there are no signals, such an application does not listen to SIGTERM. So SIGTERM becomes that
// message, if nobody listens to the signal itself. Who listens to neither ends as ever: nothing is installed until there
// is a listener for messages.
'use strict';

/** From now on. A process that has a parent to talk to means its parent with 'message', and is left alone. */
function shutdownByMessage() {
  if (process.channel) return;
  process.on('newListener', function onListener(name) {
    if (name !== 'message') return;
    process.removeListener('newListener', onListener);
    process.on('SIGTERM', onTerm);
  });
}

function onTerm() {
  if (process.listenerCount('SIGTERM') > 1) return;
  if (process.listenerCount('message') > 0) return void process.emit('message', 'shutdown', undefined);
  process.removeListener('SIGTERM', onTerm);
  process.kill(process.pid, 'SIGTERM');
}

module.exports = { shutdownByMessage };
