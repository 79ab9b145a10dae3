// Listens on a port of its own choice, whatever it was told.
'use strict';
require('node:http').createServer().listen(0, '127.0.0.1');
