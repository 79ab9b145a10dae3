// Socket.IO: long polling, upgrade, rooms, acknowledgements, bytes.
'use strict';

const http = require('node:http');
const { Server } = require('socket.io');

const server = http.createServer((req, res) => res.end('plain'));
const io = new Server(server, { cors: { origin: '*' }, pingInterval: 500, maxHttpBufferSize: 2 << 20 });
io.use((socket, next) => (socket.handshake.auth.token === 'bad' ? next(new Error('not you')) : next()));
io.on('connection', (socket) => {
  socket.emit('welcome', socket.handshake.query.who);
  socket.on('echo', (value, done) => done(value));
  socket.on('join', (room, done) => (socket.join(room), done(socket.rooms.has(room))));
  socket.on('say', (room, text) => io.to(room).emit('said', text));
  socket.on('leave', () => socket.disconnect(true));
});
io.of('/admin').on('connection', (socket) => socket.emit('admin', true));
server.listen(process.env.PORT, '127.0.0.1');
