//! Names of the two ends and of streams, and the reasons for giving one up.

use core::fmt;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opens streams: a shard.
    Front,
    /// Answers them: a `node` process.
    Worker,
}

impl Role {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Front => Self::Worker,
            Self::Worker => Self::Front,
        }
    }
}

/// Names a stream: its slot in the low 16 bits, which use of the slot this is above them.
///
/// The count of uses is what tells a late WINDOW from one for the slot's present use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

impl StreamId {
    /// The connection itself.
    pub const CONNECTION: Self = Self(0);
    /// Uses of a slot are counted modulo this: 2^14, so that an id is a small integer in JavaScript.
    pub const USES: u16 = 1 << 14;

    /// The id of a slot's `n`th use.
    #[must_use]
    pub const fn new(slot: u16, usage: u16) -> Self {
        Self(slot as u32 | ((usage % Self::USES) as u32) << 16)
    }

    /// The slot, from 1; 0 is no stream.
    #[must_use]
    pub const fn slot(self) -> u16 {
        self.0 as u16
    }

    /// Which use of the slot, modulo [`USES`](Self::USES). Larger for an id that is not valid.
    #[must_use]
    pub const fn usage(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot(), self.usage())
    }
}

/// Why an exchange was given up. Unknown codes read as [`ResetCode::Internal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ResetCode {
    /// Nobody wants the rest: the client has gone, the application destroyed the message; or the answer to a RESET.
    Cancelled = 0,
    /// The worker has done nothing with the request: another one may be given it, whatever its method.
    Refused = 1,
    /// The sender failed.
    Internal = 2,
    /// What the peer sent on this stream is not acceptable HTTP.
    Protocol = 3,
    /// The sender is about to end.
    ShuttingDown = 4,
    /// A time limit of the sender was reached.
    Timeout = 5,
}

impl ResetCode {
    /// Every code.
    pub const ALL: [Self; 6] =
        [Self::Cancelled, Self::Refused, Self::Internal, Self::Protocol, Self::ShuttingDown, Self::Timeout];

    /// The code a number stands for.
    #[must_use]
    pub fn of(number: u8) -> Self {
        Self::ALL.into_iter().find(|code| *code as u8 == number).unwrap_or(Self::Internal)
    }
}
