//! Listeners on endpoints for what lies beside the way of requests: for threads that wait, and for tokio.
//!
//! Both are a Unix socket, or a named pipe on Windows, that only this user can reach; clients are node's `net.connect`, or
//! an engine.

pub use crate::system::listener::{AsyncListener, AsyncStream, LocalListener, LocalStream, dial};
