// Express 5.
require('./express.cjs').start(require('express'));
