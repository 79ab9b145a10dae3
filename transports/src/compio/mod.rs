//! The engine on compio: io_uring on Linux (polling where that is refused), IOCP on Windows.
//!
//! Operations are one-shot, with our own buffers, and no waker crosses threads: multishot and foreign wakes have known
//! bugs in compio 0.19.2. Each operation costs an allocation inside compio.
//!
//! Clients come over TCP on every system. Workers are reached over Unix sockets, in `unix`; what Windows needs instead
//! (named pipes, one listening socket for all shards) has the same names in a module `windows` beside it, and this
//! module takes one or the other.

mod buffers;
mod stream;

#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub use stream::Stream;
#[cfg(unix)]
pub use unix::{Bound, Compio, Downstream, Entrance, TcpListener, Upstream};
