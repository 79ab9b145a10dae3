//! System calls on sockets that complete at once: made directly, whatever drives the waiting.

use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use forebay_core::buf::{Queue, Slice};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::Endpoint;

/// Socket buffers asked for on connections to workers, in bytes: fewer wake-ups for bulk. The kernel lowers it to
/// `net.core.wmem_max` and `net.core.rmem_max`.
const UPSTREAM_BUFFER: usize = 1 << 20;

/// Slices handed to one system call when there are few; the array lives on the stack and is initialised each time.
const SLICES_FEW: usize = 8;

/// Sends what the socket takes now from the front of `parts`.
///
/// # Errors
/// `WouldBlock` where it takes nothing; anything else means that the connection is dead.
pub(crate) fn send(socket: BorrowedFd<'_>, parts: &Queue) -> io::Result<usize> {
    let slices = parts.slices();
    let sent = if let [slice] = slices {
        send_one(socket, slice)
    } else if slices.len() <= SLICES_FEW {
        send_up_to::<SLICES_FEW>(socket, slices)
    } else {
        send_up_to::<{ Queue::SLICES_MAX }>(socket, slices)
    };
    match sent {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        other => other,
    }
}

/// Most messages are one slice; then the kernel has no vector to fetch.
fn send_one(socket: BorrowedFd<'_>, slice: &[u8]) -> io::Result<usize> {
    loop {
        match SockRef::from(&socket).send_with_flags(slice, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn send_up_to<const N: usize>(socket: BorrowedFd<'_>, slices: &[Slice]) -> io::Result<usize> {
    let mut vector = [IoSlice::new(&[]); N];
    let mut used = 0;
    for (entry, slice) in vector.iter_mut().zip(slices) {
        *entry = IoSlice::new(slice);
        used += 1;
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    loop {
        match SockRef::from(&socket).send_vectored_with_flags(&vector[..used], flags) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The next client, with its address, if one waits. The new socket is blocking and has `CLOEXEC`.
///
/// # Errors
/// `WouldBlock` where none waits; `NotConnected` once the listener was shut down; else what befell this one client.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, remote) = accept_any(listener)?;
    let remote = remote.as_socket().ok_or(ErrorKind::ConnectionAborted)?;
    Ok((socket.into(), remote))
}

/// The next worker that has dialled, if one waits; the rest as with [`accept`].
pub(crate) fn accept_worker(entrance: BorrowedFd<'_>) -> io::Result<UnixStream> {
    let (socket, _) = accept_any(entrance)?;
    enlarge(&socket);
    Ok(socket.into())
}

/// Asks for larger buffers on a connection to a worker. Best effort: the defaults work, only slower.
pub(crate) fn enlarge(socket: &impl AsFd) {
    let socket = SockRef::from(socket);
    let _ = socket.set_send_buffer_size(UPSTREAM_BUFFER);
    let _ = socket.set_recv_buffer_size(UPSTREAM_BUFFER);
}

fn accept_any(listener: BorrowedFd<'_>) -> io::Result<(Socket, SockAddr)> {
    loop {
        match SockRef::from(&listener).accept() {
            Ok(accepted) => return Ok(accepted),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            // EINVAL: it no longer listens.
            Err(e) if e.kind() == ErrorKind::InvalidInput => {
                return Err(ErrorKind::NotConnected.into());
            }
            Err(e) => return Err(e),
        }
    }
}

/// One attempt to connect to a worker; it never waits. The new socket is non-blocking.
///
/// # Errors
/// `WouldBlock` where the worker's backlog is full; `NotFound` or `ConnectionRefused` where nobody listens.
pub(crate) fn connect(endpoint: &Endpoint) -> io::Result<UnixStream> {
    let address = SockAddr::unix(endpoint.path())?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    enlarge(&socket);
    loop {
        match socket.connect(&address) {
            Ok(()) => return Ok(socket.into()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Whether the connection is open and has nothing to read.
pub(crate) fn is_quiet(socket: BorrowedFd<'_>) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    loop {
        match SockRef::from(&socket).recv_with_flags(&mut byte, flags) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return e.kind() == ErrorKind::WouldBlock,
            Ok(_) => return false,
        }
    }
}

/// Breaks both directions, which completes whatever waits on the socket.
pub(crate) fn abort(socket: BorrowedFd<'_>) {
    // It fails where the connection is broken already.
    let _ = SockRef::from(&socket).shutdown(Shutdown::Both);
}

/// Breaks both directions and tells a peer over TCP by a RST, now.
///
/// A socket of TCP is disconnected for that, as connecting to no address does (connect(2)): `SO_LINGER` alone would act
/// when the descriptor is closed, which operations in flight hold open, and shutting down to end them would first send
/// the very FIN that a client takes for the end.
pub(crate) fn reset(socket: BorrowedFd<'_>) {
    // SAFETY: a `sockaddr` is integers: all zeroes is one, of the family `AF_UNSPEC`.
    let nowhere: libc::sockaddr = unsafe { std::mem::zeroed() };
    let bytes = size_of_val(&nowhere) as libc::socklen_t;
    // SAFETY: the descriptor is open, the address is valid for reading as many bytes as are told.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &raw const nowhere, bytes) };
    if result != 0 {
        // Local sockets, other systems: better to end late with a RST, if with one at all, than not to end.
        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        abort(socket);
    }
}

/// Ends the sending direction.
pub(crate) fn finish(socket: BorrowedFd<'_>) {
    // It fails where the connection is broken already.
    let _ = SockRef::from(&socket).shutdown(Shutdown::Write);
}
