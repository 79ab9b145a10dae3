// express-session: a counter in a session.
'use strict';

const express = require('express');
const session = require('express-session');

const app = express();
app.set('trust proxy', true);
app.use(session({ secret: 'cat', name: 'sid', resave: false, saveUninitialized: false, cookie: { maxAge: 60_000, sameSite: 'lax' } }));
app.get('/count', (req, res) => {
  req.session.count = (req.session.count ?? 0) + 1;
  res.json({ count: req.session.count });
});
app.get('/peek', (req, res) => res.json({ count: req.session.count ?? null }));
app.get('/end', (req, res, next) => req.session.destroy((error) => (error ? next(error) : res.end('ended'))));
app.get('/renew', (req, res, next) => req.session.regenerate((error) => (error ? next(error) : res.json({ count: req.session.count ?? null }))));
app.listen(process.env.PORT, '127.0.0.1');
