// Uploads with multer, in memory and on disk.
'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const express = require('express');
const multer = require('multer');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'compat-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
const sha1 = (bytes) => createHash('sha1').update(bytes).digest('hex');
const app = express();
const memory = multer({ limits: { fileSize: 8 << 20, files: 3 } });
const disk = multer({ dest: folder });
app.post('/memory', memory.any(), (req, res) => {
  const file = ({ fieldname, originalname, mimetype, size, buffer }) => ({ fieldname, originalname, mimetype, size, sha1: sha1(buffer) });
  res.json({ body: req.body, files: req.files.map(file) });
});
app.post('/disk', disk.single('file'), (req, res) => {
  res.json({ size: req.file.size, sha1: sha1(fs.readFileSync(req.file.path)) });
});
// Four arguments make it a handler of errors.
app.use((error, req, res, next) => res.status(400).json({ code: error.code, message: error.message }));
app.listen(process.env.PORT, '127.0.0.1');
