//! Follows responses on a client's connection, byte by byte, and keeps none of them.

use std::io::{self, ErrorKind};

use forebay_core::http1::{
    BodyDecoder, Flavour, HeadScanner, Reject, RequestFacts, RequestHead, ResponseHead, Scan, Side, judge_request,
    judge_response,
};

/// Bytes of a response head at most. 64 KiB.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a head that arrives in pieces for which there is room from the start.
const HEAD_BYTES_USUAL: usize = 1024;

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

/// A response that arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 999, or 101.
    pub status: u16,
    /// Bytes of its body, without framing.
    pub body_bytes: u64,
    /// Whether the connection can carry another request.
    pub keep_alive: bool,
}

impl Reply {
    /// Whether the status is 2xx or 3xx.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self.status, 200..=399)
    }
}

/// One connection's responses, each to the same request.
#[derive(Debug)]
pub struct ReplyReader {
    request: RequestFacts,
    /// What arrived of a head that is not complete.
    head: Vec<u8>,
    scanner: HeadScanner,
    body: Option<(BodyDecoder, Reply)>,
}

impl ReplyReader {
    /// A reader of responses to a request with these facts.
    #[must_use]
    pub fn new(request: RequestFacts) -> Self {
        Self { request, head: Vec::with_capacity(HEAD_BYTES_USUAL), scanner: HeadScanner::default(), body: None }
    }

    /// Takes what arrived. The response once it is complete; nothing may follow it, for nothing was asked.
    ///
    /// # Errors
    /// What arrived is not a response to the request.
    pub fn on_bytes(&mut self, bytes: &[u8]) -> io::Result<Option<Reply>> {
        let mut rest = bytes;
        while self.body.is_none() {
            let Some(len) = self.on_head(rest)? else { return Ok(None) };
            rest = &rest[len..];
        }
        let Some((body, reply)) = &mut self.body else { return Ok(None) };
        while !rest.is_empty() && !body.is_done() {
            let run = body.decode(rest).map_err(refused)?;
            reply.body_bytes += run.data_bytes;
            rest = &rest[run.consumed..];
        }
        if !body.is_done() {
            return Ok(None);
        }
        if !rest.is_empty() {
            return Err(invalid("the server sent more than a response"));
        }
        Ok(self.body.take().map(|(_, reply)| reply))
    }

    /// The server has closed. The response if it was one that ends so.
    ///
    /// # Errors
    /// It is incomplete.
    pub fn on_end(&mut self) -> io::Result<Reply> {
        match self.body.take() {
            Some((body, reply)) if body.finish().is_ok() => Ok(reply),
            Some(_) => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed within the response")),
            None => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed without a response")),
        }
    }

    /// Forgets what arrived: the connection is another.
    pub fn reset(&mut self) {
        self.head.clear();
        self.scanner.reset();
        self.body = None;
    }

    /// Takes bytes of the head; how many of them belonged to it, once it is complete.
    fn on_head(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        // As a rule a head arrives whole, and is not copied.
        let before = self.head.len();
        let all = if before == 0 {
            bytes
        } else {
            self.head.extend_from_slice(bytes);
            &self.head
        };
        let Scan::Complete { head_len } = self.scanner.scan(all, HEAD_BYTES_MAX).map_err(refused)? else {
            if before == 0 {
                self.head.extend_from_slice(bytes);
            }
            return Ok(None);
        };
        let end = self.scanner.skipped() + head_len;
        let head = ResponseHead::parse(&all[end - head_len..end], FIELDS_MAX).map_err(|bad| invalid(bad.reason))?;
        let facts = judge_response(&head, &self.request).map_err(|bad| invalid(bad.reason))?;
        if !facts.informational {
            let decoder = BodyDecoder::new(facts.framing, Flavour::DataOnly, Side::Response);
            let reply = Reply { status: facts.status, body_bytes: 0, keep_alive: facts.keep_alive };
            self.body = Some((decoder, reply));
        }
        drop(head);
        self.head.clear();
        self.scanner.reset();
        Ok(Some(end - before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    #[test]
    fn responses_are_followed_however_they_are_cut() {
        let request = facts(GET).unwrap();
        for (response, status, body_bytes) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..], 200, 5),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, 5),
            (b"HTTP/1.1 204 No Content\r\n\r\n", 204, 0),
            (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 404, 0),
        ] {
            for cut in 1..response.len() {
                let mut reader = ReplyReader::new(request);
                for _ in 0..2 {
                    assert_eq!(reader.on_bytes(&response[..cut]).unwrap(), None);
                    let reply = Reply { status, body_bytes, keep_alive: true };
                    assert_eq!(reader.on_bytes(&response[cut..]).unwrap(), Some(reply), "{cut}");
                }
            }
        }
    }

    #[test]
    fn a_close_ends_what_has_no_length() {
        let mut reader = ReplyReader::new(facts(GET).unwrap());
        assert!(reader.on_bytes(b"HTTP/1.0 200 OK\r\n\r\nhello").unwrap().is_none());
        assert_eq!(reader.on_end().unwrap(), Reply { status: 200, body_bytes: 5, keep_alive: false });
        assert!(reader.on_end().is_err());
        assert!(reader.on_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel").unwrap().is_none());
        assert!(reader.on_end().is_err());
    }

    #[test]
    fn what_nobody_asked_for_is_an_error() {
        let mut reader = ReplyReader::new(facts(GET).unwrap());
        assert!(reader.on_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab").is_err());
        assert!(facts(b"GET / HTTP/1.1\r\n").is_err());
    }
}
