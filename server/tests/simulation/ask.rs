//! What a client asks: one request, as it is and as it is written.

use crate::bytes::{Pieces, chunked, pattern};
use crate::laws::Book;
use crate::plan::{Kind, below, chance};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) id: u64,
    pub(crate) method: &'static str,
    pub(crate) is_11: bool,
    /// Bytes of its body, before any coding.
    pub(crate) length: usize,
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) expects: bool,
    pub(crate) upgrades: bool,
    pub(crate) pieces: Pieces,
}

impl Ask {
    /// A proper request.
    pub(crate) fn draw(book: &Book) -> Self {
        let method = ["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"][below(8) as usize];
        let length = match method {
            "POST" | "PUT" => match below(10) {
                0 => 0,
                1..=6 => below(2000) as usize,
                7 | 8 => below(20_000) as usize,
                _ => below(80_000) as usize,
            },
            _ => 0,
        };
        Self::new(book, method, length, chance(850))
    }

    fn new(book: &Book, method: &'static str, length: usize, is_11: bool) -> Self {
        let id = book.ask(method);
        let body = pattern(id, length);
        let with_body = matches!(method, "POST" | "PUT");
        let is_chunked = with_body && is_11 && chance(500);
        let expects = with_body && is_11 && length > 0 && chance(200);
        let version = if is_11 { "HTTP/1.1" } else { "HTTP/1.0" };
        let mut head = format!("{method} /r/{id} {version}\r\nHost: a\r\nX-Id: {id}\r\nX-Length: {length}\r\n");
        if is_chunked {
            head += "Transfer-Encoding: chunked\r\n";
        } else if with_body {
            head += &format!("Content-Length: {length}\r\n");
        }
        if expects {
            head += "Expect: 100-continue\r\n";
        }
        head += match (is_11, below(4)) {
            (true, 0) => "Connection: close\r\n",
            (false, 0..=2) => "Connection: keep-alive\r\n",
            _ => "",
        };
        if chance(100) {
            head += &format!("X-Padding: {}\r\n", "p".repeat(below(400) as usize));
        }
        head += "\r\n";
        let body = if is_chunked { chunked(&body) } else { body };
        Self {
            id,
            method,
            is_11,
            length,
            head: head.into_bytes(),
            body,
            expects,
            upgrades: false,
            pieces: Pieces::random(),
        }
    }

    /// A request for which nothing stands in the way.
    pub(crate) fn plain(book: &Book, method: &'static str) -> Self {
        let most = if book.plan.limits.body_bytes_max == 0 { 5000 } else { book.plan.limits.body_bytes_max.min(5000) };
        let length = if method == "POST" { below(most) as usize } else { 0 };
        Self { pieces: Pieces::WHOLE, ..Self::new(book, method, length, true) }
    }

    /// A body that comes byte by byte.
    pub(crate) fn drip(book: &Book) -> Self {
        let ask = Self::new(book, "POST", 500 + below(20_000) as usize, true);
        Self { expects: false, pieces: Pieces { bytes_max: 1, pause_ms: 0 }, ..ask }
    }

    /// A request to speak another protocol.
    pub(crate) fn upgrade(book: &Book) -> Self {
        let mut ask = Self::new(book, "GET", 0, true);
        let id = ask.id;
        let fields = "Connection: Upgrade\r\nUpgrade: echo";
        ask.head = format!("GET /u/{id} HTTP/1.1\r\nHost: a\r\nX-Id: {id}\r\n{fields}\r\n\r\n").into_bytes();
        ask.upgrades = true;
        ask
    }

    /// Whether the front may refuse it for what it is.
    pub(crate) fn may_be_refused_with(&self, book: &Book, status: u16) -> bool {
        let limits = &book.plan.limits;
        match status {
            413 => limits.body_bytes_max > 0 && self.length as u64 > limits.body_bytes_max,
            431 => self.head.len() > limits.head_bytes_max as usize,
            502 | 504 if book.plan.kind == Kind::Benign => false,
            502 | 504 if book.plan.kind == Kind::Forgiving => matches!(self.method, "POST" | "PUT"),
            408 => self.pieces.pause_ms > 0 || book.plan.travel().as_millis() > 10 || self.expects,
            502..=504 => true,
            _ => false,
        }
    }
}
