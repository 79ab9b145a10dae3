//! One worker's life: what it is, what is wanted of it, when it is started again, and what to say when it fails.
//!
//! Pure: processes, sockets and clocks are the supervisor's. [`lifecycle`] decides by the rows of [`table`],
//! [`backoff`] says how long a failed worker waits, [`journey`] keeps the timed steps of a start and [`hint`] guesses
//! what went wrong.
//!
//! What it deliberately does not do: judge a worker's health. That one hangs or broke its protocol is told from outside.

pub mod backoff;
pub mod hint;
pub mod journey;
pub mod lifecycle;
pub mod table;

#[cfg(test)]
mod laws;

pub use backoff::Backoff;
pub use journey::{Exit, Fault, Journey, SpawnFault, Stuck};
pub use lifecycle::{Lifecycle, Policy};
pub use table::{Action, Door, Report, State, Want};
