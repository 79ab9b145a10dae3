//! The seam to the world: monoio (io_uring, epoll where that is refused), compio (IOCP and io_uring) and a seeded
//! simulator behind one contract.
//!
//! Everything above this crate is written against [`Engine`] and [`Conn`]; only this crate names a runtime, libc or
//! a Windows API. What back ends do differently is said in the contract and in associated constants, so that callers
//! need no `cfg`. `tests/conformance.rs` holds each sentence of the contract against every back end.

mod clock;
mod contract;
mod endpoint;
pub mod files;
pub mod local;
pub mod machine;
mod task;
mod tasks;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
pub mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

#[cfg(target_os = "linux")]
pub mod monoio;

pub mod compio;
pub mod sim;

pub use contract::{BindError, Completion, Conn, Engine, EngineOptions, Entrance, Listener, Peer, Written};
pub use endpoint::Endpoint;

/// Whether the back end `monoio` is there: on Linux only.
pub const HAS_MONOIO: bool = cfg!(target_os = "linux");
