//! What the engine takes from Windows: one listening socket for all shards, and workers on named pipes.
//!
//! Breaking off is cancelling (`CancelIoEx`): a completion port knows no readiness that a shutdown could bring about.
//! Completions that come at once do not go through the port, and so would never let others run: see [`fair`](turn).
//!
//! Tested under Wine, whose pipes and sockets are not those of Windows.

use std::time::Duration;

use compio::runtime::Runtime;

mod entrance;
mod listener;
mod pipe;
mod receive;
mod tcp;
mod thread;
mod turn;

pub use entrance::Entrance;
pub(super) use entrance::open;
pub use listener::{Bound, TcpListener};
pub(super) use listener::{bind, listen};
pub use pipe::Pipe;
pub(super) use pipe::dial;
pub use tcp::Client;
pub(super) use thread::prepare;

/// A client's connection.
pub type Downstream = Client;
/// A connection to a worker.
pub type Upstream = Pipe;

/// See [`Engine::HALF_CLOSE`](crate::Engine::HALF_CLOSE): a pipe ends as a whole.
pub(super) const HALF_CLOSE: bool = false;

/// Looks at the completion port, which compio 0.12 does not do for as long as any task has woken another since it last
/// did: a task that only yields would keep IO from everybody.
pub(super) fn before_yield() {
    Runtime::with_current(|runtime| {
        runtime.flush();
        runtime.poll_with(Some(Duration::ZERO));
    });
}
