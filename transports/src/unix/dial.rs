//! Connecting to a worker's Unix socket.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use forebay_core::time::Timestamp;

use super::socket::connect;
use crate::{Endpoint, Engine};

/// How long to wait before dialling a worker again whose backlog is full.
const REDIAL: Duration = Duration::from_millis(2);

/// Connects to a worker before `deadline`. The socket is non-blocking.
///
/// Connecting to a Unix socket takes no time, unless the listener's backlog is full: there is no event to wait for
/// then, so the dial is tried again after a while.
pub(crate) async fn dial<E: Engine>(endpoint: &Endpoint, deadline: Timestamp) -> io::Result<UnixStream> {
    loop {
        match connect(endpoint) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
        let now = E::now();
        if now >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        E::sleep_until(deadline.min(now + REDIAL)).await;
    }
}
