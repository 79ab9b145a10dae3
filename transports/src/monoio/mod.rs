//! The default engine on Linux: monoio's io_uring driver, or its epoll driver where io_uring is refused.
//!
//! What waits goes through the runtime: receives as ring operations, readiness as ring polls. What cannot wait is a
//! plain system call: sending (a ring SEND's own completion would end the next wait early, an extra turn of the loop
//! for every reply at low load), accepting (a cancelled ring ACCEPT leaks its descriptor in monoio 0.2.4), connecting
//! to a Unix socket, closing a direction.
//!
//! Rules that monoio 0.2.4 asks for, all kept here: `SINGLE_ISSUER | COOP_TASKRUN` but not `DEFER_TASKRUN` (a busy
//! task would starve IO); every task's panic contained (it would end the loop); no task
//! wakes itself (it would run again before all others, for ever); no waker crosses threads; sockets stay
//! blocking under io_uring (a ring receive on a non-blocking one fails with `EAGAIN` instead of waiting) and are
//! non-blocking under epoll; a runtime is never dropped, because it would free buffers the kernel may still fill.

mod driver;
mod engine;
mod listener;
mod stream;

pub use driver::force_epoll_on_this_thread;
pub use engine::Monoio;
pub use listener::{Entrance, TcpListener};
pub use stream::Stream;

pub use crate::unix::Bound;
