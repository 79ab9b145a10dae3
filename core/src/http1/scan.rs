//! Finds the end of a head in bytes that arrive piece by piece, and refuses broken line ends on the way.

use super::error::Reject;

/// Empty lines ignored before a request line. RFC 9112 section 2.2 asks for at least one (some old clients send an
/// extra CRLF after a body); more than that is noise.
pub const LEADING_LINES_MAX: u8 = 1;

/// What a scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The empty line that ends the head is not there yet.
    Incomplete,
    /// The head is whole: `head_len` bytes from [`HeadScanner::skipped`] on, the empty line included.
    Complete {
        /// Bytes of the head.
        head_len: usize,
    },
}

/// Finds the end of a head incrementally; remembers how far it looked, so that slow senders cost linear work.
///
/// A byte decides at its own position and the first offence wins, so the verdict does not depend on how the input was
/// cut. For requests and responses alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadScanner {
    /// Bytes that need no second look.
    seen: u32,
    /// Where the current line starts.
    line: u32,
    /// Bytes of ignored empty lines before the head.
    skipped: u32,
    /// Whether the first line is complete.
    past_first_line: bool,
}

impl HeadScanner {
    /// Looks through what was added to `bytes` since the last call.
    ///
    /// `bytes` is the whole buffer from the message's first byte, longer from call to call. `head_bytes_max` bounds
    /// the head without the skipped lines, and must be the same for each call.
    ///
    /// # Errors
    /// 400 at a NUL, a bare LF, a bare CR or a surplus leading line; once the bound is reached, 414 within the first
    /// line (400 where it does not even hold a space) and 431 after it.
    pub fn scan(&mut self, bytes: &[u8], head_bytes_max: usize) -> Result<Scan, Reject> {
        loop {
            let window = &bytes[..bytes.len().min(self.limit(head_bytes_max))];
            let from = self.seen as usize;
            let Some(found) = window.get(from..).and_then(|rest| memchr::memchr3(b'\r', b'\n', 0, rest)) else {
                self.seen = to_u32(window.len().max(from));
                return self.pause(window, head_bytes_max);
            };
            let at = from + found;
            match window[at] {
                0 => return Err(Reject::bad("The head contains a NUL.")),
                b'\n' => return Err(Reject::bad("A line of the head ends in LF instead of CRLF.")),
                _ => {}
            }
            match window.get(at + 1) {
                Some(b'\n') => {}
                Some(_) => return Err(Reject::bad("The head contains a CR that is not followed by LF.")),
                None => {
                    self.seen = to_u32(at);
                    return self.pause(window, head_bytes_max);
                }
            }
            if let Some(head_len) = self.end_line(at)? {
                return Ok(Scan::Complete { head_len });
            }
        }
    }

    /// Bytes of leading empty lines to drop before the head.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped as usize
    }

    /// Whether the head's first byte has arrived: leading empty lines do not count as the beginning of a request.
    #[must_use]
    pub fn has_begun(&self, bytes: &[u8]) -> bool {
        bytes.get(self.skipped()).is_some_and(|&byte| byte != b'\r' || bytes.len() > self.skipped() + 1)
    }

    /// Ready for the next message.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    const fn limit(&self, head_bytes_max: usize) -> usize {
        head_bytes_max.saturating_add(self.skipped as usize)
    }

    /// Takes note of a CRLF at `at`; returns the head's length when it was the empty line after a head.
    fn end_line(&mut self, at: usize) -> Result<Option<usize>, Reject> {
        let empty = at == self.line as usize;
        self.seen = to_u32(at + 2);
        self.line = self.seen;
        if !empty {
            self.past_first_line = true;
        } else if self.past_first_line {
            return Ok(Some(at + 2 - self.skipped()));
        } else if self.skipped >= 2 * u32::from(LEADING_LINES_MAX) {
            return Err(Reject::bad("There are empty lines before the request line."));
        } else {
            self.skipped = self.seen;
        }
        Ok(None)
    }

    /// Everything there is has been looked at: more must come, or the bound is reached.
    fn pause(&self, window: &[u8], head_bytes_max: usize) -> Result<Scan, Reject> {
        if window.len() < self.limit(head_bytes_max) {
            Ok(Scan::Incomplete)
        } else if self.past_first_line {
            Err(Reject::with(431, "The head is longer than this server accepts."))
        } else if memchr::memchr(b' ', window).is_none() {
            Err(Reject::bad("The first line has no space in it."))
        } else {
            Err(Reject::with(414, "The request line is longer than this server accepts."))
        }
    }
}

/// Positions are kept in 32 bits to keep the scanner small: bounds are far below 4 GiB.
fn to_u32(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8], max: usize) -> Result<Scan, Reject> {
        HeadScanner::default().scan(bytes, max)
    }

    #[test]
    fn finds_the_end_and_skips_one_empty_line() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody";
        assert_eq!(whole(head, 100), Ok(Scan::Complete { head_len: 27 }));
        let mut scanner = HeadScanner::default();
        let late = [b"\r\n", &head[..]].concat();
        assert!(!scanner.has_begun(&late[..1]));
        assert_eq!(scanner.scan(&late, 27), Ok(Scan::Complete { head_len: 27 }));
        assert_eq!(scanner.skipped(), 2);
        assert!(scanner.has_begun(&late) && !scanner.has_begun(&late[..2]));
        assert_eq!(whole(b"\r\n\r\nGET / HTTP/1.1\r\n", 100).unwrap_err().status, 400);
    }

    #[test]
    fn refuses_broken_lines_and_long_heads() {
        let cases: [(&[u8], u16); 8] = [
            (b"GET / HTTP/1.1\n", 400),
            (b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
            (b"\nGET", 400),
            (b"GET /\0", 400),
            (b"GET / HTTP/1.1\r\nA: b\n\r\n", 400),
            (b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 414),
            (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 400),
            (b"GET / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 431),
        ];
        for (bytes, status) in cases {
            assert_eq!(whole(bytes, 40).unwrap_err().status, status, "{}", bytes.escape_ascii());
        }
        assert_eq!(whole(b"GET / HTTP/1.1\r\n\r", 18), Ok(Scan::Incomplete));
        assert_eq!(whole(b"GET / HTTP/1.1\r\n\r\n", 18), Ok(Scan::Complete { head_len: 18 }));
        assert_eq!(whole(b"GET / HTTP/1.1\r\n\r\n", 17).unwrap_err().status, 431);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_verdict(
            parts in prop::collection::vec(prop::sample::select(vec![
                "\r\n", "\r", "\n", "\0", "GET / HTTP/1.1", "a: b", "x", "\r\n\r\n", " ",
            ]), 0..12),
            max in 1_usize..60,
        ) {
            let bytes = parts.concat().into_bytes();
            let expected = whole(&bytes, max);
            let mut scanner = HeadScanner::default();
            let mut actual = Ok(Scan::Incomplete);
            for end in 0..=bytes.len() {
                actual = scanner.scan(&bytes[..end], max);
                if actual != Ok(Scan::Incomplete) { break; }
            }
            prop_assert_eq!(actual, expected);
        }
    }
}
