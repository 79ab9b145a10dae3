//! What the codec answers when bytes are unacceptable: whose fault, which status, one sentence.

use core::fmt;

/// A request that is refused. The connection it came on cannot be trusted any further and is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The status of the answer: 4xx where the client erred, 501 and 505 for what is not offered.
    pub status: u16,
    /// One sentence for the answer's body and for the log.
    pub reason: &'static str,
}

impl Reject {
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }

    pub(super) const fn with(status: u16, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.reason)
    }
}

impl core::error::Error for Reject {}

/// A worker's response that cannot be passed on. The client gets a 502, the worker's connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadResponse {
    /// One sentence for the log.
    pub reason: &'static str,
}

impl BadResponse {
    pub(super) const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}

impl fmt::Display for BadResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl core::error::Error for BadResponse {}

impl From<Reject> for BadResponse {
    fn from(reject: Reject) -> Self {
        Self { reason: reject.reason }
    }
}

impl From<BadResponse> for Reject {
    fn from(bad: BadResponse) -> Self {
        Self { status: 502, reason: bad.reason }
    }
}
