//! Accepting clients: one listening socket, of which each shard has a handle and an accept of its own in flight.
//!
//! There is no `SO_REUSEPORT`. The socket belongs to the completion port of the shard that was first; compio passes
//! completions that surface there on to the port of the shard whose accept it was.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::windows::io::{AsRawSocket, FromRawSocket, IntoRawSocket};

use socket2::{Domain, Protocol, Socket, Type};
use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, ERROR_OPERATION_ABORTED};
use windows_sys::Win32::System::IO::CancelIoEx;

use super::Client;
use super::turn::fair;
use crate::{BindError, Listener, Peer};

/// Connections that may wait to be accepted, written as `SOMAXCONN_HINT` does: Windows takes other large numbers for 200.
const BACKLOG: i32 = -4096;

/// An address that is bound and listened on, but not yet served by a thread.
#[derive(Debug)]
pub struct Bound {
    socket: StdListener,
    pub(in crate::compio) address: SocketAddr,
}

pub(in crate::compio) fn bind(address: SocketAddr, shards: usize) -> Result<Vec<Bound>, BindError> {
    let error = |source| BindError { address, source };
    let socket = listening(address).map_err(error)?;
    let address = socket.local_addr().map_err(error)?;
    let one = || Ok(Bound { socket: socket.try_clone()?, address });
    (0..shards).map(|_| one().map_err(error)).collect()
}

/// Without `SO_REUSEADDR`, which on Windows would let others take the address over.
fn listening(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

pub(in crate::compio) fn listen(bound: Bound) -> io::Result<TcpListener> {
    let again = bound.socket.try_clone()?;
    let socket = match compio::net::TcpListener::from_std(bound.socket) {
        Err(error) if error.raw_os_error() == Some(ERROR_INVALID_PARAMETER as i32) => {
            // SAFETY: the handle was taken out of its owner. It is attached to a port: another shard's.
            unsafe { compio::net::TcpListener::from_raw_socket(again.into_raw_socket()) }
        }
        attached => attached?,
    };
    Ok(TcpListener { socket: RefCell::new(Some(socket)), address: bound.address, closed: Cell::new(false) })
}

/// Accepts clients for one shard.
#[derive(Debug)]
pub struct TcpListener {
    /// None once it is closed.
    socket: RefCell<Option<compio::net::TcpListener>>,
    address: SocketAddr,
    closed: Cell<bool>,
}

impl Listener for TcpListener {
    type Conn = Client;

    async fn accept(&self) -> io::Result<(Client, Peer)> {
        loop {
            let socket = self.socket.borrow().clone().ok_or(ErrorKind::NotConnected)?;
            let (stream, remote) = match fair(socket.accept()).await {
                Ok(accepted) => accepted,
                Err(_) if self.closed.get() => continue,
                // Another shard has closed, which cancels what is in flight on the socket.
                Err(error) if error.raw_os_error() == Some(ERROR_OPERATION_ABORTED as i32) => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let local = if self.address.ip().is_unspecified() { stream.local_addr()? } else { self.address };
            return Ok((Client::new(stream), Peer { remote, local }));
        }
    }

    fn close(&self) {
        self.closed.set(true);
        if let Some(socket) = self.socket.borrow_mut().take() {
            // SAFETY: the socket is open; no operation is named, so all of them are meant. There may be none.
            unsafe { CancelIoEx(socket.as_raw_socket() as _, std::ptr::null()) };
        }
    }
}
