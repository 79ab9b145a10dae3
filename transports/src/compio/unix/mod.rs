//! What the engine takes from a Unix system: a listening socket for each shard, and workers on Unix sockets.

mod listener;
mod stream;

use std::io;

use compio::net::{TcpStream, UnixStream};
use forebay_core::time::Timestamp;

use super::Compio;
use crate::{Endpoint, unix};

pub use crate::unix::Bound;
pub use listener::{Entrance, TcpListener};
pub(super) use listener::{listen, open};
pub use stream::Stream;

pub(super) use crate::unix::{bind, prepare};

/// A client's connection.
pub type Downstream = Stream<TcpStream>;
/// A connection to a worker.
pub type Upstream = Stream<UnixStream>;

/// See [`Engine::HALF_CLOSE`](crate::Engine::HALF_CLOSE).
pub(super) const HALF_CLOSE: bool = true;

/// Nothing is needed: the driver is polled now and then however many tasks are runnable.
pub(super) const fn before_yield() {}

pub(super) async fn dial(endpoint: &Endpoint, deadline: Timestamp) -> io::Result<Upstream> {
    let socket = unix::dial::<Compio>(endpoint, deadline).await?;
    // Only a polled socket is non-blocking: compio sets that itself.
    socket.set_nonblocking(false)?;
    Ok(Stream::new(UnixStream::from_std(socket)?))
}
