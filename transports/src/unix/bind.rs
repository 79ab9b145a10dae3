//! One listening socket a shard, all on one address: the kernel spreads the clients (`SO_REUSEPORT`, socket(7)).

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::BindError;

/// Connections that may wait to be accepted on one shard; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// An address that is bound and listened on, but not yet served by a thread.
#[derive(Debug)]
pub struct Bound {
    pub(crate) socket: TcpListener,
    pub(crate) address: SocketAddr,
}

pub(crate) fn bind(address: SocketAddr, shards: usize) -> Result<Vec<Bound>, BindError> {
    let error = |source| BindError { address, source };
    if address.port() != 0 {
        probe(address).map_err(error)?;
    }
    let mut bound = Vec::with_capacity(shards);
    let mut shared = address;
    for _ in 0..shards {
        let one = open(shared).map_err(error)?;
        shared = one.address;
        bound.push(one);
    }
    Ok(bound)
}

/// Fails where somebody listens already. `SO_REUSEPORT` alone would let a second server of the same user share the
/// port without a word, so it is asked for only after a socket without it could be bound.
fn probe(address: SocketAddr) -> io::Result<()> {
    socket(address)?.bind(&address.into())
}

fn open(address: SocketAddr) -> io::Result<Bound> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    // Accepted sockets inherit it on Linux, which saves a system call a connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok(Bound { socket, address })
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are two addresses, and both can be listened on.
        socket.set_only_v6(true)?;
    }
    // Connections of the last run in TIME_WAIT must not keep the next one from starting.
    socket.set_reuse_address(true)?;
    Ok(socket)
}
