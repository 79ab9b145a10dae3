// What both halves of the pipe protocol's codec share: bounds, types, flags, tables, errors.
'use strict';

const VERSION = 1;
// Bounds: PROTOCOL.md section 8.
const HEADER_BYTES = 8;
const HEAD_FRAME_BYTES_MAX = 256 * 1024 - 64;
const FIELDS_MAX = 2000;
const NAME_BYTES_MAX = 0x1fff;
const CONTROL_BYTES_MAX = 512;
const DEMOTE_BYTES_MAX = 1024;
const STACK_BYTES_MAX = 64 * 1024;
const ENDPOINT_BYTES_MAX = 256;
const DATA_BYTES_DEFAULT = 64 * 1024;
const WINDOW_BYTES_DEFAULT = 256 * 1024;
const WINDOW_BYTES_MIN = 1024;
const WINDOW_BYTES_MAX = 2 ** 30;
const USES = 1 << 14;

/** Frame types. */
const TYPE = {
  HELLO: 0x01,
  WELCOME: 0x02,
  PING: 0x03,
  PONG: 0x04,
  STATS: 0x05,
  DRAIN: 0x06,
  CLOSING: 0x07,
  DEMOTE: 0x08,
  STACK: 0x09,
  REQUEST: 0x10,
  RESPONSE: 0x11,
  INFORM: 0x12,
  DATA: 0x13,
  END: 0x14,
  RESET: 0x15,
  WINDOW: 0x16,
  RAW: 0x17,
};

/** Flags of REQUEST, RESPONSE and END. */
const FLAG = {
  END: 1,
  STOP: 2,
  HTTP_10: 4,
  UPGRADE: 8,
  EXPECT: 16,
  HTTPS: 32,
  TRAILERS: 64,
  NO_DATE: 128,
  CLOSE: 256,
};
const REQUEST_FLAGS = FLAG.END | FLAG.HTTP_10 | FLAG.UPGRADE | FLAG.EXPECT | FLAG.HTTPS | FLAG.TRAILERS;

/** Why an exchange is given up. */
const CODE = { CANCELLED: 0, REFUSED: 1, INTERNAL: 2, PROTOCOL: 3, SHUTTING_DOWN: 4, TIMEOUT: 5 };

const METHODS = `
  GET POST PUT DELETE HEAD OPTIONS PATCH ACL BIND CHECKOUT CONNECT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY
  MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND
  UNLINK UNLOCK UNSUBSCRIBE
`.trim().split(/\s+/);

const NAMES = `
  Host User-Agent Accept Accept-Encoding Accept-Language Accept-Charset Connection Cookie Referer Origin
  Authorization Cache-Control Pragma Content-Type Content-Length Content-Encoding Content-Language Content-Location
  Transfer-Encoding Upgrade Upgrade-Insecure-Requests DNT TE Expect From Range If-Match If-None-Match
  If-Modified-Since If-Unmodified-Since If-Range Max-Forwards Date Trailer Via Warning Forwarded X-Forwarded-For
  X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port X-Forwarded-Server X-Real-IP X-Client-IP X-Request-Id
  X-Correlation-Id X-Requested-With X-CSRF-Token X-XSRF-TOKEN X-Api-Key X-HTTP-Method-Override X-Original-URL
  Idempotency-Key Prefer Priority Purpose Save-Data Early-Data Last-Event-ID Service-Worker Sec-Fetch-Site
  Sec-Fetch-Mode Sec-Fetch-User Sec-Fetch-Dest Sec-Purpose Sec-GPC Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform
  Sec-WebSocket-Key Sec-WebSocket-Version Sec-WebSocket-Extensions Sec-WebSocket-Protocol Sec-WebSocket-Accept
  Access-Control-Request-Method Access-Control-Request-Headers Proxy-Authorization Traceparent Tracestate Baggage B3
  X-B3-TraceId X-B3-SpanId X-B3-ParentSpanId X-B3-Sampled X-Amzn-Trace-Id X-Cloud-Trace-Context CDN-Loop CF-Ray
  CF-Connecting-IP CF-IPCountry CF-Visitor True-Client-IP X-ARR-LOG-ID X-ARR-SSL X-Azure-Ref Server ETag
  Last-Modified Expires Age Vary Location Set-Cookie Content-Disposition Content-Range Accept-Ranges Accept-Patch
  Accept-Post Allow Retry-After Link WWW-Authenticate Proxy-Authenticate Authentication-Info
  Strict-Transport-Security Content-Security-Policy Content-Security-Policy-Report-Only X-Content-Type-Options
  X-Frame-Options X-XSS-Protection X-DNS-Prefetch-Control X-Download-Options X-Permitted-Cross-Domain-Policies
  Referrer-Policy Permissions-Policy Cross-Origin-Opener-Policy Cross-Origin-Embedder-Policy
  Cross-Origin-Resource-Policy Origin-Agent-Cluster Access-Control-Allow-Origin Access-Control-Allow-Credentials
  Access-Control-Allow-Methods Access-Control-Allow-Headers Access-Control-Expose-Headers Access-Control-Max-Age
  Timing-Allow-Origin X-Powered-By X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset RateLimit
  RateLimit-Policy RateLimit-Limit RateLimit-Remaining RateLimit-Reset Server-Timing X-Response-Time X-Cache
  X-Accel-Buffering X-Robots-Tag X-UA-Compatible Alt-Svc Clear-Site-Data Surrogate-Control CDN-Cache-Control
  Report-To Reporting-Endpoints NEL Refresh SourceMap Deprecation Sunset Accept-CH Critical-CH X-Nextjs-Cache
  X-Vercel-Id X-AspNet-Version Keep-Alive
`.trim().split(/\s+/);

/** Codes from here on are names of the table. */
const TABLE = 0x2000;
/** By code less TABLE: even ones are in the table's spelling, odd ones in lower case. */
const SPELLINGS = NAMES.flatMap((name) => [name, name.toLowerCase()]);
const CODES = new Map(SPELLINGS.map((name, at) => [name, TABLE + at]).reverse());

/** The front's fault; `code` is the name of PROTOCOL.md section 7. The connection has to be closed. */
class ProtocolError extends Error {
  constructor(code) {
    super(`pipe protocol: ${code}`);
    this.name = 'ProtocolError';
    this.code = code;
  }
}

/** What cannot be sent; the frame was not written. */
class UnsendableError extends RangeError {
  constructor(message) {
    super(message);
    this.name = 'UnsendableError';
    this.code = 'ERR_FOREBAY_UNSENDABLE';
  }
}

module.exports = {
  VERSION,
  HEADER_BYTES,
  HEAD_FRAME_BYTES_MAX,
  FIELDS_MAX,
  NAME_BYTES_MAX,
  CONTROL_BYTES_MAX,
  DEMOTE_BYTES_MAX,
  STACK_BYTES_MAX,
  ENDPOINT_BYTES_MAX,
  DATA_BYTES_DEFAULT,
  WINDOW_BYTES_DEFAULT,
  WINDOW_BYTES_MIN,
  WINDOW_BYTES_MAX,
  USES,
  TYPE,
  FLAG,
  REQUEST_FLAGS,
  CODE,
  METHODS,
  NAMES,
  TABLE,
  SPELLINGS,
  CODES,
  ProtocolError,
  UnsendableError,
};
