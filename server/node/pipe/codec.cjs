// The pipe protocol's codec for a worker: decodes what the front sends, encodes what goes back.
//
// PROTOCOL.md in core/src/pipe is the specification. No IO, no timers, no dependencies; node 18 or newer.
//
// Decoder: push(buffer, start, end) takes what a read brought, in whatever pieces, and calls the handler. The buffer may
// be used again afterwards: what is handed out is a copy. A head becomes one latin1 string, out of which fields are read
// when somebody asks for them.
//
// Encoder: writes frames one after the other into one buffer, which is written at the end of a turn and used again.
//
// Deliberately does not: know streams' states or credits (the caller does), check characters of what the front sends (it
// sends only what was judged), or write body bytes that are better written from where they are (see dataHeader).
'use strict';

const { Decoder } = require('./decode.cjs');
const { Encoder } = require('./encode.cjs');
const { RequestHead } = require('./head.cjs');
const wire = require('./wire.cjs');

module.exports = {
  CODE: wire.CODE,
  DATA_BYTES_DEFAULT: wire.DATA_BYTES_DEFAULT,
  Decoder,
  Encoder,
  FLAG: wire.FLAG,
  HEAD_FRAME_BYTES_MAX: wire.HEAD_FRAME_BYTES_MAX,
  METHODS: wire.METHODS,
  NAMES: wire.NAMES,
  ProtocolError: wire.ProtocolError,
  RequestHead,
  UnsendableError: wire.UnsendableError,
  VERSION: wire.VERSION,
  WINDOW_BYTES_DEFAULT: wire.WINDOW_BYTES_DEFAULT,
};
