//! The one table that says when a request may be given to a worker again (law 6).
//!
//! RFC 9110 section 9.2.2: a proxy must not repeat a request automatically unless its method is idempotent, or it
//! knows that the first attempt was never applied.

/// How much of a request a worker can have seen before the attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: no connection, or no byte was accepted.
    Nothing,
    /// Bytes reached its socket, but it closed without reading them: on a Unix socket the reset says so.
    Unread,
    /// Perhaps all of it: the connection was one of those that rest between requests, which a worker may close at any
    /// time, or the worker's process has gone.
    Perhaps,
    /// Perhaps all of it, and the close is the worker's answer: the connection was new and the worker runs on. It would
    /// do the same again, and the application would do its work twice (`res.destroy()`).
    Answered,
}

/// An attempt that ended without a complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the worker can have seen.
    pub seen: Seen,
    /// Whether any byte of a final response has gone to the client.
    pub response_begun: bool,
    /// Whether the method is idempotent (RFC 9110 section 9.2.2).
    pub idempotent: bool,
    /// Whether everything sent so far is still held (`replay_bytes_max`).
    pub held: bool,
    /// Whether `attempts_max` allows another attempt.
    pub attempts_left: bool,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again, on a fresh connection.
    Again,
    /// Answer 502.
    BadGateway,
    /// The client has part of a response: cut its connection, so that it cannot take the part for the whole.
    Cut,
}

/// The table.
#[must_use]
pub const fn after_failure(failure: Failure) -> Verdict {
    match failure {
        Failure { response_begun: true, .. } => Verdict::Cut,
        Failure { held: false, .. } | Failure { attempts_left: false, .. } => Verdict::BadGateway,
        Failure { seen: Seen::Answered, .. } => Verdict::BadGateway,
        Failure { seen: Seen::Nothing | Seen::Unread, .. } => Verdict::Again,
        Failure { seen: Seen::Perhaps, idempotent: true, .. } => Verdict::Again,
        Failure { seen: Seen::Perhaps, idempotent: false, .. } => Verdict::BadGateway,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row: 4 × 2 × 2 × 2 × 2.
    #[test]
    fn the_whole_table() {
        for bits in 0..64u8 {
            let flag = |n: u8| (bits / 4) >> n & 1 == 1;
            let seen = [Seen::Nothing, Seen::Unread, Seen::Perhaps, Seen::Answered][usize::from(bits % 4)];
            let f =
                Failure { seen, response_begun: flag(0), idempotent: flag(1), held: flag(2), attempts_left: flag(3) };
            let safe = match f.seen {
                Seen::Nothing | Seen::Unread => true,
                Seen::Perhaps => f.idempotent,
                Seen::Answered => false,
            };
            let expected = if f.response_begun {
                Verdict::Cut
            } else if safe && f.held && f.attempts_left {
                Verdict::Again
            } else {
                Verdict::BadGateway
            };
            assert_eq!(after_failure(f), expected, "{f:?}");
        }
    }
}
