//! The front on the wire: real sockets, a real process, a worker that says what each test wants it to say.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod bodies;
mod causes;
mod clients;
mod frames;
mod gathering;
mod harness;
mod responses;
mod retries;
mod upgrades;

/// A request without a body.
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A response whose body is two bytes.
const OK: &str = "HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nok";
