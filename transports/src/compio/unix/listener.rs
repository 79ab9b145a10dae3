//! Accepting clients and workers: each shard has sockets of its own.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;

use compio::net::UnixListener;

use super::{Bound, Downstream, Stream, Upstream};
use crate::{Endpoint, Listener, Peer, unix};

pub(in crate::compio) fn listen(bound: Bound) -> io::Result<TcpListener> {
    let socket = compio::net::TcpListener::from_std(bound.socket)?;
    Ok(TcpListener { socket, address: bound.address, closed: Cell::new(false) })
}

pub(in crate::compio) fn open(endpoint: &Endpoint) -> io::Result<Entrance> {
    let (socket, file) = unix::open(endpoint)?;
    Ok(Entrance { socket: UnixListener::from_std(socket)?, closed: Cell::new(false), _file: file })
}

/// Accepts clients for one shard.
#[derive(Debug)]
pub struct TcpListener {
    socket: compio::net::TcpListener,
    address: SocketAddr,
    closed: Cell<bool>,
}

impl Listener for TcpListener {
    type Conn = Downstream;

    async fn accept(&self) -> io::Result<(Downstream, Peer)> {
        loop {
            if self.closed.get() {
                return Err(ErrorKind::NotConnected.into());
            }
            let (socket, remote) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                // A shut down listener says EINVAL.
                Err(_) if self.closed.get() => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // A socket bound to one address accepts on that address alone; only a wildcard has to ask.
            let local = if self.address.ip().is_unspecified() { socket.local_addr()? } else { self.address };
            return Ok((Stream::new(socket), Peer { remote, local }));
        }
    }

    fn close(&self) {
        self.closed.set(true);
        unix::abort(self.socket.as_fd());
    }
}

/// Accepts workers for one shard.
#[derive(Debug)]
pub struct Entrance {
    socket: UnixListener,
    closed: Cell<bool>,
    _file: unix::SocketFile,
}

impl crate::Entrance for Entrance {
    type Conn = Upstream;

    async fn accept(&self) -> io::Result<Upstream> {
        loop {
            if self.closed.get() {
                return Err(ErrorKind::NotConnected.into());
            }
            match self.socket.accept().await {
                Ok((socket, _)) => {
                    unix::enlarge(&socket);
                    return Ok(Stream::new(socket));
                }
                // A shut down listener says EINVAL.
                Err(_) if self.closed.get() => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn close(&self) {
        self.closed.set(true);
        unix::abort(self.socket.as_fd());
    }
}
