// Express 4.
require('./express.cjs').start(require('express4'));
