//! Where an exchange stood when it failed, and what that is called.

use forebay_core::buf::Chunk;
use forebay_core::dispatch::Seen;
use forebay_core::http1::{BadResponse, Reject};

use super::{Relay, Response};
use crate::shard::pump::{Fault, Left};
use crate::status::Cause;

/// What is wrong with a worker's response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shard) struct Garbled {
    /// One sentence for the log.
    pub(in crate::shard) what: &'static str,
    /// What it is called.
    pub(in crate::shard) cause: Cause,
}

impl Garbled {
    /// There is no memory for a head of that size.
    pub(in crate::shard) const LARGE: Self = Self { what: "The head is too large.", cause: Cause::AnswerTooLarge };

    /// There is no memory for so many of them.
    pub(in crate::shard) const TOO_MANY: Self =
        Self { what: "There are too many informational responses.", cause: Cause::AnswerTooLarge };

    /// The end of a head was not found for this reason, in these bytes.
    pub(super) fn unscanned(reject: Reject, bytes: &[u8]) -> Self {
        match reject.status {
            414 | 431 => Self::LARGE,
            _ => Self::unparsed(reject.into(), bytes),
        }
    }

    /// These bytes of a head are not as they should be.
    pub(super) fn unparsed(bad: BadResponse, bytes: &[u8]) -> Self {
        let cause = if has_status_line(bytes) { Cause::BadAnswerHead } else { Cause::NotHttp };
        Self { what: bad.reason, cause }
    }

    /// What a head says does not go together.
    pub(in crate::shard) fn contradictory(bad: BadResponse) -> Self {
        Self { what: bad.reason, cause: Cause::BadAnswerHead }
    }

    /// The chunks of a body are not as they should be.
    pub(super) fn unchunked(reject: Reject) -> Self {
        Self { what: reject.reason, cause: Cause::BadChunk }
    }
}

/// Whether bytes begin with a whole status line.
fn has_status_line(bytes: &[u8]) -> bool {
    let is_line = |line: &[u8]| {
        line.strip_prefix(b"HTTP/1.").is_some_and(|rest| {
            matches!(rest, [version, b' ', status @ ..]
                if version.is_ascii_digit() && status.len() >= 3 && status[..3].iter().all(u8::is_ascii_digit))
        })
    };
    bytes.iter().position(|&byte| byte == b'\n').is_some_and(|end| is_line(&bytes[..end]))
}

/// How far a request had come towards its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shard) enum Sent {
    /// Not a byte of it.
    Nothing,
    /// A part of its head, or nothing that was read.
    PartOfHead,
    /// Its head.
    Head,
    /// A part of its body.
    PartOfBody,
    /// The whole of it; with `reset`, the connection did not end in good order.
    All {
        /// Whether the connection broke.
        reset: bool,
    },
}

impl Relay<'_> {
    /// The worker's connection has ended; the chunk is what was read into.
    pub(in crate::shard) fn on_lost(&mut self, chunk: Chunk) {
        if !chunk.is_empty() {
            self.keep_partial(chunk);
        }
    }

    /// What a failed attempt is called.
    pub(in crate::shard) fn cause_of(&self, fault: Fault) -> Cause {
        match fault {
            Fault::Client(Left::Gone) if self.request_done => Cause::ClientLeft,
            Fault::Client(Left::Gone) => Cause::ClientLeftSending,
            Fault::Client(Left::Unwritable) => Cause::ClientLeftReading,
            Fault::Client(Left::Slow) => Cause::ClientTooSlow,
            Fault::Request(_) => Cause::Rejected,
            Fault::Garbled(garbled) => garbled.cause,
            Fault::Silent => Cause::Silent,
            Fault::Stalled => Cause::AnswerStalled,
            Fault::Worker(seen) => self.cause_of_end(seen),
        }
    }

    fn cause_of_end(&self, seen: Seen) -> Cause {
        match &self.response {
            Response::Body(decoder) if decoder.awaits_chunk() => return Cause::BadChunk,
            Response::Head { partial: Some(bytes), .. } if has_status_line(bytes) => return Cause::AnswerHeadPart,
            Response::Head { partial: Some(_), .. } => return Cause::ClosedBeforeAnswer,
            Response::Body(_) | Response::Done | Response::Head { partial: None, .. } => {}
        }
        if self.response_begun() || self.broke_off {
            return Cause::AnswerPart;
        }
        unanswered(self.sent, seen)
    }
}

/// What an end before any answer is called.
fn unanswered(sent: Sent, seen: Seen) -> Cause {
    match (sent, seen) {
        (Sent::Nothing, _) | (_, Seen::Nothing) => Cause::HeadUnsent,
        (Sent::PartOfHead, _) | (_, Seen::Unread) => Cause::HeadPart,
        (Sent::Head, _) => Cause::BodyUnsent,
        (Sent::PartOfBody, _) => Cause::BodyPart,
        (Sent::All { reset: true }, _) => Cause::ResetBeforeAnswer,
        (Sent::All { reset: false }, _) => Cause::ClosedBeforeAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_before_the_answer_is_called_by_how_far_the_request_had_come() {
        let code = |sent, seen| unanswered(sent, seen).row().iisnode.text;
        let all = Sent::All { reset: false };
        for sent in [Sent::Nothing, Sent::PartOfHead, Sent::Head, Sent::PartOfBody, all] {
            assert_eq!(code(sent, Seen::Nothing), "500.1004", "{sent:?}");
        }
        for sent in [Sent::PartOfHead, Sent::Head, Sent::PartOfBody, all] {
            assert_eq!(code(sent, Seen::Unread), "500.1006", "{sent:?}");
        }
        let perhaps = |sent| code(sent, Seen::Perhaps);
        assert_eq!((perhaps(Sent::Nothing), perhaps(Sent::PartOfHead)), ("500.1004", "500.1006"));
        assert_eq!((perhaps(Sent::Head), perhaps(Sent::PartOfBody)), ("500.1009", "500.1010"));
        assert_eq!((perhaps(Sent::All { reset: true }), perhaps(all)), ("500.1011", "500.1013"));
    }

    #[test]
    fn a_status_line_is_told_from_other_words() {
        for (bytes, is_one) in [
            ("HTTP/1.1 200 OK\r\nContent-Le", true),
            ("HTTP/1.0 500\r\n", true),
            ("HTTP/1.1 200 OK", false),
            ("HTTP/1.1 2x0 OK\r\n", false),
            ("HTTP/2 200\r\n", false),
            ("SSH-2.0-OpenSSH\r\n", false),
            ("", false),
        ] {
            assert_eq!(has_status_line(bytes.as_bytes()), is_one, "{bytes}");
        }
    }
}
