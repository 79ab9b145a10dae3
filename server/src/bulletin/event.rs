//! What shards tell the supervisor.

use std::time::Duration;

use forebay_core::id::{Generation, WorkerId};

/// Something a shard noticed about a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its endpoint refused a connection, or was gone.
    Refused(WorkerId, Generation),
    /// It sent something that is not a response.
    Garbled(WorkerId, Generation, &'static str),
    /// It broke the pipe protocol; the name of the fault.
    Malformed(WorkerId, Generation, &'static str),
    /// It takes frames no more, and says why.
    Demoted(WorkerId, Generation, Box<str>),
    /// Its event loop has not turned for so long.
    Stuck(WorkerId, Generation, Duration),
    /// It did not begin to answer within `response_start_timeout`.
    Silent(WorkerId, Generation),
}

impl Event {
    /// Which process it is about.
    #[must_use]
    pub fn about(&self) -> (WorkerId, Generation) {
        match *self {
            Self::Refused(w, g)
            | Self::Garbled(w, g, _)
            | Self::Malformed(w, g, _)
            | Self::Demoted(w, g, _)
            | Self::Stuck(w, g, _)
            | Self::Silent(w, g) => (w, g),
        }
    }
}
