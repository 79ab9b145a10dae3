//! Tests across the codec's parts: verdicts as tables, laws as properties.

mod encoding;
mod laws;
mod requests;
mod responses;

use super::*;

/// Scans, parses and judges a request the way the server does.
pub(super) fn admit(bytes: &[u8]) -> Result<(RequestHead<'_>, RequestFacts), Reject> {
    let mut scanner = HeadScanner::default();
    match scanner.scan(bytes, 16 * 1024)? {
        Scan::Incomplete => Err(Reject { status: 0, reason: "incomplete" }),
        Scan::Complete { head_len } => {
            let head = RequestHead::parse(&bytes[scanner.skipped()..][..head_len], 100)?;
            let facts = judge_request(&head)?;
            Ok((head, facts))
        }
    }
}

/// A plain GET without forwarding, for responses to refer to.
pub(super) fn facts_of(request: &str) -> RequestFacts {
    admit(request.as_bytes()).unwrap().1
}

/// The request's head as the worker gets it, without forwarding fields.
pub(super) fn encoded(request: &str) -> String {
    let (head, facts) = admit(request.as_bytes()).unwrap();
    let mut out = Vec::new();
    encode_request(&head, &facts, None, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
