//! The engine on compio: io_uring on Linux (polling where that is refused), IOCP on Windows.
//!
//! Operations are one-shot, with our own buffers, and no waker crosses threads: multishot and foreign wakes have known
//! bugs in compio 0.19.2. Each operation costs an allocation inside compio.
//!
//! Clients come over TCP on every system. What differs is in a module for each, with the same names: on Unix a shard
//! has a listening socket of its own and workers are reached over Unix sockets; on Windows all shards share one
//! listening socket and workers are reached over named pipes.

mod buffers;
mod engine;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use engine::Compio;
#[cfg(unix)]
pub use system::Stream;
pub use system::{Bound, Downstream, Entrance, TcpListener, Upstream};
#[cfg(windows)]
pub use system::{Client, Pipe};
