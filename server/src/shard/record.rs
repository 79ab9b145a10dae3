//! What is kept of an exchange when it is over: counters, and a line for the access log if there is one.

use std::net::IpAddr;
use std::time::SystemTime;

use forebay_core::http1::{Reject, RequestHead, Version};
use forebay_core::id::{Generation, RequestId, WorkerId};
use forebay_core::time::Timestamp;

use super::connection::Client;
use super::{Engine, Shard};
use crate::access_log::{Inline, Record};
use crate::bulletin::ShardStats;
use crate::status::Cause;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// Status that the client saw, 0 for none.
    pub(super) status: u16,
    /// Bytes of the request: head and body data.
    pub(super) bytes_in: u64,
    /// Bytes of the response: head and body.
    pub(super) bytes_out: u64,
    /// The worker that had the request last.
    pub(super) worker: Option<WorkerId>,
    /// Which of its processes that was, or which one is to blame for there being none.
    pub(super) process: Option<(WorkerId, Generation)>,
    /// What went wrong, if anything did.
    pub(super) cause: Option<Cause>,
    /// Whether the client was not answered yet, since a page of the origin is to say what went wrong.
    pub(super) owes_page: bool,
}

impl Outcome {
    /// A request that was refused for what it is.
    pub(super) fn rejected(reject: Reject) -> Self {
        Self { status: reject.status, cause: Some(Cause::Rejected), ..Self::default() }
    }
}

impl<E: Engine> Shard<E> {
    /// Counts an exchange, and logs it where that is asked for.
    pub(super) fn record(&self, client: &Client<E>, head: &[u8], id: RequestId, began: Timestamp, outcome: &Outcome) {
        let (stats, took) = (self.stats(), E::now().since(began));
        stats.observe(outcome.status, took);
        ShardStats::add(&stats.bytes_in, outcome.bytes_in);
        ShardStats::add(&stats.bytes_out, outcome.bytes_out);
        if matches!(outcome.cause, Some(Cause::Rejected | Cause::HeadTooLarge)) {
            ShardStats::add(&stats.rejected, 1);
        }
        let Some(log) = &self.log else { return };
        // Parsed a second time rather than kept: most servers log nothing here.
        let parsed = RequestHead::parse(head, usize::from(u16::MAX)).ok();
        let field = |name: &[u8]| {
            let fields = parsed.as_ref().map(|head| &head.fields[..]).unwrap_or_default();
            fields
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name))
                .map(|field| field.value)
                .unwrap_or_default()
        };
        let record = Record {
            at: SystemTime::now() - took,
            took,
            peer: client.address,
            method: Inline::new(parsed.as_ref().map(|head| head.method).unwrap_or_default()),
            target: Inline::new(parsed.as_ref().map(|head| head.target).unwrap_or_default()),
            is_http10: parsed.as_ref().is_some_and(|head| head.version == Version::Http10),
            status: outcome.status,
            bytes: outcome.bytes_out,
            worker: outcome.worker,
            reason: outcome.cause.map_or("", |cause| cause.row().word(self.live.borrow().errors.statuses)),
            id,
            user_agent: Inline::new(field(b"user-agent")),
            referer: Inline::new(field(b"referer")),
        };
        if !log.push(record) {
            ShardStats::add(&stats.log_lines_dropped, 1);
        }
    }
}

/// An IP address as text, in place.
#[derive(Clone, Copy)]
pub(super) struct AddressText {
    bytes: [u8; Self::BYTES_MAX],
    len: u8,
}

impl AddressText {
    /// Eight groups of four digits and their colons.
    const BYTES_MAX: usize = 39;

    /// The text of an address.
    pub(super) fn new(address: IpAddr) -> Self {
        let mut text = Self { bytes: [0; Self::BYTES_MAX], len: 0 };
        // An IPv4 address in IPv6 form is written as IPv4, so nothing is longer than eight groups.
        let _fits = std::fmt::Write::write_fmt(&mut text, format_args!("{}", address.to_canonical()));
        text
    }

    /// The text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl std::fmt::Write for AddressText {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let from = usize::from(self.len);
        let target = self.bytes.get_mut(from..from + s.len()).ok_or(std::fmt::Error)?;
        target.copy_from_slice(s.as_bytes());
        self.len += s.len() as u8;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fit_as_text() {
        for text in ["1.2.3.4", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            assert_eq!(AddressText::new(text.parse().unwrap()).as_bytes(), text.as_bytes());
        }
        let mapped = AddressText::new("::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(mapped.as_bytes(), b"10.0.0.1");
    }
}
