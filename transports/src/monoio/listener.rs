//! Accepting clients: wait for readiness through the runtime, then take them with plain `accept4(2)` calls.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::Stream;
use super::engine::yield_now;
use crate::unix::{self, Bound};
use crate::{Listener, Peer};

/// Clients taken in a row before other tasks get a turn.
const RUN_MAX: u32 = 32;

/// Accepts clients for one shard.
#[derive(Debug)]
pub struct TcpListener {
    socket: monoio::net::TcpListener,
    address: SocketAddr,
    closed: Cell<bool>,
    /// Clients taken since the last wait.
    run: Cell<u32>,
}

impl TcpListener {
    pub(super) fn new(bound: Bound) -> io::Result<Self> {
        let socket = monoio::net::TcpListener::from_std(bound.socket)?;
        Ok(Self { socket, address: bound.address, closed: Cell::new(false), run: Cell::new(0) })
    }

    fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: the listener owns the descriptor and keeps it open for as long as it is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }

    async fn take(&self) -> io::Result<(std::net::TcpStream, SocketAddr)> {
        if self.run.get() >= RUN_MAX {
            self.run.set(0);
            yield_now().await;
        }
        loop {
            if self.closed.get() {
                return Err(ErrorKind::NotConnected.into());
            }
            match unix::accept(self.socket()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                taken => {
                    self.run.set(self.run.get() + 1);
                    return taken;
                }
            }
            self.run.set(0);
            match self.socket.readable(false).await {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
    }
}

impl Listener for TcpListener {
    type Conn = Stream;

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (socket, remote) = self.take().await?;
        // A socket bound to one address accepts on that address alone; only a wildcard has to ask.
        let local = if self.address.ip().is_unspecified() { socket.local_addr()? } else { self.address };
        Ok((Stream::adopt_blocking(socket)?, Peer { remote, local }))
    }

    fn close(&self) {
        self.closed.set(true);
        // A shut down listener becomes ready, which completes an `accept` that waits.
        unix::abort(self.socket());
    }
}
