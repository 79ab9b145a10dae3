// Fails before it listens.
console.error('broken: about to fail');
require('no-such-module');
