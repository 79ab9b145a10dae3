//! The trailer section of a chunked body (RFC 9112 section 7.1.2): checked byte by byte, passed on as it is.

use super::body::Side;
use super::error::Reject;
use super::field::{FieldKind, is_critical};
use super::token::{is_tchar, is_value_byte};

/// Bytes of a trailer section. 8 KiB.
pub const TRAILER_BYTES_MAX: u16 = 8 * 1024;
/// Fields of a trailer section. 32.
pub const TRAILER_FIELDS_MAX: u8 = 32;
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
            return Err(Reject::bad("The trailer section is longer than this server accepts."));
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
