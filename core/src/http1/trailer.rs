//! The trailer section of a chunked body (RFC 9112 section 7.1.2): checked byte by byte, passed on as it is or
//! collected.

use super::body::Side;
use super::error::Reject;
use super::field::{FieldKind, is_critical};
use super::token::{is_tchar, is_value_byte, trim};
use alloc::vec::Vec;

/// Bytes of a trailer section. 8 KiB.
pub const TRAILER_BYTES_MAX: u16 = 8 * 1024;
/// Fields of a trailer section. 32.
pub const TRAILER_FIELDS_MAX: u8 = 32;
const TOO_LONG: Reject = Reject::bad("The trailer section is longer than this server accepts.");
/// As much of a name as decides whether it is allowed: no critical name is longer.
const NAME_BYTES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a line.
    Start,
    Name,
    Value,
    /// The LF of a field's line.
    Lf,
    /// The LF of the empty line that ends the body.
    EndLf,
}

/// The state of one trailer section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trailer {
    state: State,
    side: Side,
    fields: u8,
    name_len: u8,
    bytes: u16,
    name: [u8; NAME_BYTES],
}

impl Trailer {
    pub(super) const fn new(side: Side) -> Self {
        Self { state: State::Start, side, fields: 0, name_len: 0, bytes: 0, name: [0; NAME_BYTES] }
    }

    /// Whether `byte`, which comes next, belongs to a field's line rather than to the empty line at the end.
    pub(super) const fn is_of_field(&self, byte: u8) -> bool {
        match self.state {
            State::Start => byte != b'\r',
            State::Name | State::Value | State::Lf => true,
            State::EndLf => false,
        }
    }

    /// Takes one byte; says whether it was the last one of the body. An error leaves everything as it was.
    pub(super) fn step(&mut self, byte: u8) -> Result<bool, Reject> {
        let next = match (self.state, byte) {
            (State::Start, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => return Ok(true),
            (State::Value, b'\r') => State::Lf,
            (State::Lf, b'\n') => State::Start,
            (State::Lf | State::EndLf, _) => {
                return Err(Reject::bad("A line of the trailer section does not end in CRLF."));
            }
            (State::Start, _) if self.fields == TRAILER_FIELDS_MAX => {
                return Err(Reject::bad("There are more trailer fields than this server accepts."));
            }
            (State::Start | State::Name, byte) if is_tchar(byte) => State::Name,
            (State::Name, b':') if self.refuses_name() => {
                return Err(Reject::bad("A field is not allowed in a trailer section."));
            }
            (State::Name, b':') => State::Value,
            (State::Value, byte) if is_value_byte(byte) => State::Value,
            _ => return Err(Reject::bad("A trailer field is malformed.")),
        };
        if self.bytes == TRAILER_BYTES_MAX && next != State::EndLf {
            return Err(TOO_LONG);
        }
        self.bytes = self.bytes.saturating_add(1);
        if next == State::Name {
            self.note(byte);
        }
        self.state = next;
        Ok(false)
    }

    /// Remembers a byte of a name.
    fn note(&mut self, byte: u8) {
        if self.state == State::Start {
            self.fields += 1;
            self.name_len = 0;
        }
        if let Some(slot) = self.name.get_mut(usize::from(self.name_len)) {
            *slot = byte;
            self.name_len += 1;
        }
    }

    /// Clients may not bring critical fields after the fact. An application may send what it likes, short of what
    /// would change the message's framing or the connection.
    fn refuses_name(&self) -> bool {
        let name = &self.name[..usize::from(self.name_len)];
        match self.side {
            Side::Request => is_critical(name),
            Side::Response => matches!(
                FieldKind::of(name),
                FieldKind::ContentLength
                    | FieldKind::TransferEncoding
                    | FieldKind::Connection
                    | FieldKind::KeepAlive
                    | FieldKind::ProxyConnection
                    | FieldKind::Upgrade
            ),
        }
    }
}

/// The trailer fields of one body, put together from what [`Run::trailer`](super::Run::trailer) tells.
///
/// ```
/// use forebay_core::http1::{BodyDecoder, Flavour, Framing, Side, Trailers};
///
/// let mut decoder = BodyDecoder::new(Framing::Chunked, Flavour::DataOnly, Side::Response);
/// let mut trailers = Trailers::default();
/// for input in [&b"5\r\nhello\r\n0\r\nServer-"[..], b"Timing: db;dur=5 \r\n\r\n"] {
///     let run = decoder.decode(input)?;
///     trailers.take(&input[run.trailer])?;
/// }
/// assert!(decoder.is_done());
/// assert_eq!(trailers.iter().collect::<Vec<_>>(), [(&b"Server-Timing"[..], &b"db;dur=5"[..])]);
/// # Ok::<(), forebay_core::http1::Reject>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trailers {
    /// Lines as they came, at most [`TRAILER_BYTES_MAX`] bytes.
    lines: Vec<u8>,
}

impl Trailers {
    /// Takes the next bytes of the section, in order. Allocates when the first come, which is rare.
    ///
    /// # Errors
    /// They are more than [`TRAILER_BYTES_MAX`] in all; the decoder of one body refuses them before.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        if bytes.len() > usize::from(TRAILER_BYTES_MAX) - self.lines.len() {
            return Err(TOO_LONG);
        }
        self.lines.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Names and values in their order, without white space around values. To be read once the body is done.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        // A line without a colon is one that has not ended.
        self.lines.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let value = line[colon + 1..].strip_suffix(b"\r")?;
            Some((&line[..colon], trim(value)))
        })
    }

    /// Forgets all, for the next body.
    pub fn clear(&mut self) {
        self.lines.clear();
    }
}
