//! Accepting clients and workers: wait for readiness through the runtime, then take them with plain `accept4(2)` calls.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::Stream;
use super::engine::yield_now;
use crate::unix::{self, Bound, SocketFile};
use crate::{Endpoint, Listener, Peer};

/// Connections taken in a row before other tasks get a turn.
const RUN_MAX: u32 = 32;

/// A listening socket of whatever family.
#[derive(Debug)]
struct Acceptor {
    /// A counted descriptor and nothing else, as far as it is used here.
    socket: monoio::net::TcpListener,
    closed: Cell<bool>,
    /// Connections taken since the last wait.
    run: Cell<u32>,
}

impl Acceptor {
    fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = monoio::net::TcpListener::from_std(socket.into())?;
        Ok(Self { socket, closed: Cell::new(false), run: Cell::new(0) })
    }

    fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: the listener owns the descriptor and keeps it open for as long as it is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }

    async fn take<T>(&self, accept: impl Fn(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        if self.run.get() >= RUN_MAX {
            self.run.set(0);
            yield_now().await;
        }
        loop {
            if self.closed.get() {
                return Err(ErrorKind::NotConnected.into());
            }
            match accept(self.socket()) {
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

    fn close(&self) {
        self.closed.set(true);
        // A shut down listener becomes ready, which completes an `accept` that waits.
        unix::abort(self.socket());
    }
}

/// Accepts clients for one shard.
#[derive(Debug)]
pub struct TcpListener {
    acceptor: Acceptor,
    address: SocketAddr,
}

impl TcpListener {
    pub(super) fn new(bound: Bound) -> io::Result<Self> {
        Ok(Self { acceptor: Acceptor::new(bound.socket.into())?, address: bound.address })
    }
}

impl Listener for TcpListener {
    type Conn = Stream;

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (socket, remote) = self.acceptor.take(unix::accept).await?;
        // A socket bound to one address accepts on that address alone; only a wildcard has to ask.
        let local = if self.address.ip().is_unspecified() { socket.local_addr()? } else { self.address };
        Ok((Stream::adopt_blocking(socket)?, Peer { remote, local }))
    }

    fn close(&self) {
        self.acceptor.close();
    }
}

/// Accepts workers for one shard.
#[derive(Debug)]
pub struct Entrance {
    acceptor: Acceptor,
    _file: SocketFile,
}

impl Entrance {
    pub(super) fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let (socket, file) = unix::open(endpoint)?;
        Ok(Self { acceptor: Acceptor::new(socket.into())?, _file: file })
    }
}

impl crate::Entrance for Entrance {
    type Conn = Stream;

    async fn accept(&self) -> io::Result<Stream> {
        Stream::adopt_blocking(self.acceptor.take(unix::accept_worker).await?)
    }

    fn close(&self) {
        self.acceptor.close();
    }
}
