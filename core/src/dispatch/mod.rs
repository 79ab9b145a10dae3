//! Who gets a request, who waits, who is refused, and what is tried again.
//!
//! Four small deciders without state of their own beyond what they are for: [`choose`] (or [`stick`], or [`rotate`]) picks a worker, [`WaitQueue`]
//! orders those for whom there is none, [`IdlePool`] keeps connections to workers for the next request, and
//! [`after_failure`] is the one table that says when a request may be tried again.
//!
//! What it deliberately does not do: count requests in flight (the bulletin does, across shards) or talk to workers.

mod policy;
mod pool;
mod queue;
mod retry;

pub use policy::{Candidate, SPILL_FLOOR, choose, rotate, stick};
pub use pool::{IdlePool, Kept};
pub use queue::{Ticket, WaitQueue};
pub use retry::{Failure, Seen, Verdict, after_failure};
