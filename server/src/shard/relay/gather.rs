//! Gathering: the first bytes of a response wait for more, as IIS's response buffer lets them.
//!
//! They wait as the slices they are, until there are `gather_bytes_max` of them or `window_bytes`, whichever is less, or
//! too many slices, or the response is complete, or [`GATHER_TIME`] has passed. Then, and from then on, they flow.
//!
//! As long as nothing was sent a response that breaks off can be answered for, as if it had never begun.

use std::time::Duration;

use forebay_core::buf::Queue;
use forebay_core::http1::{Framing, ResponseFacts};
use forebay_core::time::Timestamp;

use super::{Relay, Response};

/// How long the first byte waits at most. 1 s: nobody who streams without saying so waits longer.
pub(in crate::shard) const GATHER_TIME: Duration = Duration::from_secs(1);

/// Types of which each piece is to be read as it comes.
const STREAMING: &[&[u8]] = &[
    b"text/event-stream",
    b"multipart/x-mixed-replace",
    b"application/x-ndjson",
    b"application/ndjson",
    b"application/jsonl",
    b"application/json-seq",
    b"application/stream+json",
    b"application/grpc",
];

/// Whether the bytes of a response with these fields may wait for one another.
pub(in crate::shard) fn may_wait<'f>(
    facts: &ResponseFacts,
    mut fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
) -> bool {
    let has_body = !matches!(facts.framing, Framing::None | Framing::Tunnel) && facts.status != 101;
    let streams = |(name, value): (&[u8], &[u8])| {
        if name.eq_ignore_ascii_case(b"content-type") {
            let is_it = |of: &&[u8]| value.get(..of.len()).is_some_and(|start| start.eq_ignore_ascii_case(of));
            STREAMING.iter().any(is_it)
        } else {
            // What nginx goes by, and frameworks therefore send.
            name.eq_ignore_ascii_case(b"x-accel-buffering") && value.eq_ignore_ascii_case(b"no")
        }
    };
    has_body && !fields.any(streams)
}

impl Relay<'_> {
    /// Since when bytes of the response have been waiting for more.
    pub(in crate::shard) fn gathers_since(&self) -> Option<Timestamp> {
        self.gathering
    }

    /// The response's head has come, and its bytes may wait.
    pub(in crate::shard) fn gather(&mut self, now: Timestamp) {
        self.gathering = Some(now);
    }

    /// They flow from now on.
    pub(in crate::shard) fn flow(&mut self) {
        self.gathering = None;
    }

    /// Whether what is there for the client waits for more.
    pub(in crate::shard) fn holds_back(&mut self) -> bool {
        if self.gathering.is_none() {
            return false;
        }
        let live = self.live;
        let most = live.response.gather_bytes_max.min(u64::from(live.limits.window_bytes));
        if self.response_done() || self.to_client.is_full(usize::try_from(most).unwrap_or(usize::MAX).max(1)) {
            self.flow();
        }
        self.gathering.is_some()
    }

    /// The attempt has failed: what was gathered of its response was never said.
    pub(in crate::shard) fn forget_gathered(&mut self) {
        if self.gathering.take().is_some() {
            self.broke_off = true;
            self.bytes_out -= (self.bytes_out).min(self.to_client.len() as u64);
            self.to_client = Queue::new();
            (self.head, self.delivery) = (None, None);
            if matches!(self.response, Response::Done) {
                self.response = Response::awaited();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use forebay_core::http1::{RequestHead, ResponseHead, judge_request, judge_response};

    use super::*;

    fn waits(head: &str) -> bool {
        let request = RequestHead::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 10).unwrap();
        let text = format!("HTTP/1.1 {head}\r\n\r\n");
        let head = ResponseHead::parse(text.as_bytes(), 10).unwrap();
        let facts = judge_response(&head, &judge_request(&request).unwrap()).unwrap();
        may_wait(&facts, head.fields.iter().map(|field| (field.name, field.value)))
    }

    #[test]
    fn what_streams_does_not_wait() {
        let chunked = "200 OK\r\nTransfer-Encoding: chunked\r\n";
        for (head, expected) in [
            (format!("{chunked}Content-Type: text/html"), true),
            (format!("{chunked}Content-Type: application/json; charset=utf-8"), true),
            (format!("{chunked}X-Accel-Buffering: yes"), true),
            ("200 OK\r\nContent-Length: 5".into(), true),
            ("200 OK\r\nX-Ends: with the connection".into(), true),
            (format!("{chunked}content-type: Text/Event-Stream; charset=utf-8"), false),
            (format!("{chunked}Content-Type: application/grpc+proto"), false),
            (format!("{chunked}X-Accel-Buffering: no"), false),
            ("204 No Content\r\nX: y".into(), false),
            ("304 Not Modified\r\nX: y".into(), false),
            ("101 Switching Protocols\r\nX: y".into(), false),
        ] {
            assert_eq!(waits(&head), expected, "{head}");
        }
    }
}
