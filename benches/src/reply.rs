//! Follows responses on a client's connection, byte by byte, and keeps none of them.

use std::io::{self, ErrorKind};

use forebay_core::http1::{
    BodyDecoder, Flavour, HeadScanner, Reject, RequestFacts, RequestHead, ResponseHead, Scan, Side, judge_request,
    judge_response,
};

/// Bytes of a response head at most. 64 KiB.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Fields of a response head at most.
const FIELDS_MAX: usize = 200;

/// What a server has to know of `request` to frame its response, and we to read it.
///
/// # Errors
/// The request is not one that a client may send.
pub fn facts(request: &[u8]) -> io::Result<RequestFacts> {
    let mut scanner = HeadScanner::default();
    match scanner.scan(request, HEAD_BYTES_MAX).map_err(refused)? {
        Scan::Complete { head_len } => {
            let head = RequestHead::parse(&request[..head_len], FIELDS_MAX).map_err(refused)?;
            judge_request(&head).map_err(refused)
        }
        Scan::Incomplete => Err(invalid("the request has no end of head")),
    }
}

fn refused(reject: Reject) -> io::Error {
    invalid(reject.reason)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// One connection's responses, each to the same request.
#[derive(Debug)]
pub struct ReplyReader {
    request: RequestFacts,
    head: Vec<u8>,
    scanner: HeadScanner,
    status: u16,
    body: Option<BodyDecoder>,
}

impl ReplyReader {
    /// A reader of responses to a request with these facts.
    #[must_use]
    pub fn new(request: RequestFacts) -> Self {
        Self { request, head: Vec::with_capacity(1024), scanner: HeadScanner::default(), status: 0, body: None }
    }

    /// Takes what arrived. The status once the response is complete; nothing may follow it, for nothing was asked.
    ///
    /// # Errors
    /// What arrived is not a response to the request, or the connection does not stay open after it.
    pub fn on_bytes(&mut self, bytes: &[u8]) -> io::Result<Option<u16>> {
        let mut rest = bytes;
        if self.body.is_none() {
            let Some(len) = self.on_head(bytes)? else { return Ok(None) };
            rest = &bytes[len..];
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        while !rest.is_empty() && !body.is_done() {
            let run = body.decode(rest).map_err(refused)?;
            rest = &rest[run.consumed..];
        }
        if !body.is_done() {
            return Ok(None);
        }
        if !rest.is_empty() {
            return Err(invalid("the server sent more than a response"));
        }
        self.body = None;
        Ok(Some(self.status))
    }

    /// Takes bytes of the head; how many of them belonged to it, once it is complete.
    fn on_head(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let Scan::Complete { head_len } = self.scanner.scan(&self.head, HEAD_BYTES_MAX).map_err(refused)? else {
            return Ok(None);
        };
        let head = &self.head[self.scanner.skipped()..][..head_len];
        let parsed = ResponseHead::parse(head, FIELDS_MAX).map_err(|bad| invalid(bad.reason))?;
        let facts = judge_response(&parsed, &self.request).map_err(|bad| invalid(bad.reason))?;
        if !facts.keep_alive {
            return Err(invalid("the server closes the connection"));
        }
        self.status = facts.status;
        self.body = Some(BodyDecoder::new(facts.framing, Flavour::Verbatim, Side::Response));
        let taken = self.scanner.skipped() + head_len - before;
        drop(parsed);
        self.head.clear();
        self.scanner.reset();
        Ok(Some(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_followed_however_they_are_cut() {
        let request = facts(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        for response in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
        ] {
            for cut in 1..response.len() {
                let mut reader = ReplyReader::new(request);
                for _ in 0..2 {
                    assert_eq!(reader.on_bytes(&response[..cut]).unwrap(), None);
                    assert!(reader.on_bytes(&response[cut..]).unwrap().is_some(), "{cut}");
                }
            }
        }
    }

    #[test]
    fn what_nobody_asked_for_is_an_error() {
        let mut reader = ReplyReader::new(facts(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap());
        assert!(reader.on_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab").is_err());
        assert!(facts(b"GET / HTTP/1.1\r\n").is_err());
    }
}
