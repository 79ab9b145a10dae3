//! The chunked coding (RFC 9112 section 7.1), decoded byte by byte where it is framing and by ranges where it is data.

use super::body::{Flavour, Run, Side};
use super::error::Reject;
use super::field::{FieldKind, is_critical};
use super::token::{is_tchar, is_value_byte};

/// Bytes of a chunk-size line without its CRLF. 256.
pub const SIZE_LINE_BYTES_MAX: u16 = 256;
/// Bytes of chunk extensions in one body. 16 KiB, as Go bounds them since CVE-2023-39326: extensions are paid for with
/// work and never used.
pub const EXTENSION_BYTES_MAX: u32 = 16 * 1024;
/// Bytes of a trailer section. 8 KiB.
pub const TRAILER_BYTES_MAX: u16 = 8 * 1024;
/// Fields of a trailer section. 32.
pub const TRAILER_FIELDS_MAX: u8 = 32;
/// The size of a chunk in hex digits; 16 of them are 64 bits.
const SIZE_DIGITS_MAX: u8 = 16;
/// As much of a trailer's name as decides whether it is allowed.
const NAME_BYTES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first digit of a size.
    SizeStart,
    /// Within the digits.
    Size,
    /// White space before an extension's semicolon.
    BeforeSemicolon,
    /// Before an extension's name.
    BeforeName,
    /// In an extension's name.
    ExtensionName,
    /// White space after an extension's name.
    AfterName,
    /// Before an extension's value.
    BeforeValue,
    /// In a token value.
    ExtensionValue,
    /// In a quoted value.
    Quoted,
    /// After a backslash in a quoted value.
    Escaped,
    /// After the closing quote.
    AfterQuoted,
    /// The LF of a size line.
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line of the trailer section.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    /// The LF of the body's last, empty line.
    EndLf,
    Done,
}

/// An incremental, strict decoder of one chunked body. It holds no body data and can be copied to look ahead.
#[derive(Clone, Copy, Debug)]
pub struct ChunkedDecoder {
    state: State,
    side: Side,
    digits: u8,
    fields: u8,
    name_len: u8,
    line_bytes: u16,
    trailer_bytes: u16,
    extension_bytes: u32,
    /// Bytes of the current chunk that are still to come.
    left: u64,
    name: [u8; NAME_BYTES],
}

impl ChunkedDecoder {
    /// A decoder at the start of a body. `side` decides which trailer fields are refused.
    #[must_use]
    pub const fn new(side: Side) -> Self {
        Self {
            state: State::SizeStart,
            side,
            digits: 0,
            fields: 0,
            name_len: 0,
            line_bytes: 0,
            trailer_bytes: 0,
            extension_bytes: 0,
            left: 0,
            name: [0; NAME_BYTES],
        }
    }

    /// Whether the body has ended.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Decodes up to the end of `input`, of the body, or of the bytes that can be forwarded as one range; see
    /// [`BodyDecoder::decode`](super::BodyDecoder::decode).
    ///
    /// # Errors
    /// 400 when the first byte of `input` cannot stand where it stands.
    pub fn decode(&mut self, input: &[u8], flavour: Flavour) -> Result<Run, Reject> {
        let mut run = Run::default();
        while run.consumed < input.len() && !self.is_done() {
            let at = run.consumed;
            let forwards = self.forwards(input[at], flavour);
            if forwards && !run.forward.is_empty() && run.forward.end != at {
                break;
            }
            let len = if self.state == State::Data {
                let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len() - at);
                self.left -= len as u64;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                run.data_bytes += len as u64;
                len
            } else {
                match self.step(input[at]) {
                    Ok(()) => 1,
                    Err(reject) if at == 0 => return Err(reject),
                    Err(_) => break,
                }
            };
            if forwards {
                let start = if run.forward.is_empty() { at } else { run.forward.start };
                run.forward = start..at + len;
            }
            run.consumed += len;
        }
        run.done = self.is_done();
        Ok(run)
    }

    /// Whether the next byte is passed on: all but extensions, or data only.
    fn forwards(&self, byte: u8, flavour: Flavour) -> bool {
        match (flavour, self.state) {
            (Flavour::DataOnly, state) => state == State::Data,
            (Flavour::Verbatim, State::Size) => byte.is_ascii_hexdigit() || byte == b'\r',
            (Flavour::Verbatim, State::ExtensionName | State::ExtensionValue | State::AfterQuoted) => byte == b'\r',
            (
                Flavour::Verbatim,
                State::BeforeSemicolon
                | State::BeforeName
                | State::AfterName
                | State::BeforeValue
                | State::Quoted
                | State::Escaped,
            ) => false,
            (
                Flavour::Verbatim,
                State::SizeStart
                | State::SizeLf
                | State::Data
                | State::DataCr
                | State::DataLf
                | State::TrailerStart
                | State::TrailerName
                | State::TrailerValue
                | State::TrailerLf
                | State::EndLf
                | State::Done,
            ) => true,
        }
    }

    /// Takes one byte of framing. An error leaves everything as it was, so that it comes again with the same byte.
    fn step(&mut self, byte: u8) -> Result<(), Reject> {
        match self.state {
            State::SizeStart | State::Size => self.step_size(byte),
            State::SizeLf => {
                let next = if self.left == 0 { State::TrailerStart } else { State::Data };
                self.expect(byte == b'\n', next, "A chunk-size line does not end in CRLF.")
            }
            State::DataCr => self.expect(byte == b'\r', State::DataLf, "Chunk data is not followed by CRLF."),
            State::DataLf => {
                self.expect(byte == b'\n', State::SizeStart, "Chunk data is not followed by CRLF.")?;
                (self.digits, self.line_bytes) = (0, 0);
                Ok(())
            }
            State::TrailerStart | State::TrailerName | State::TrailerValue | State::TrailerLf | State::EndLf => {
                self.step_trailer(byte)
            }
            State::BeforeSemicolon
            | State::BeforeName
            | State::ExtensionName
            | State::AfterName
            | State::BeforeValue
            | State::ExtensionValue
            | State::Quoted
            | State::Escaped
            | State::AfterQuoted => self.step_extension(byte),
            State::Data | State::Done => Ok(()),
        }
    }

    fn expect(&mut self, holds: bool, next: State, otherwise: &'static str) -> Result<(), Reject> {
        if !holds {
            return Err(Reject::bad(otherwise));
        }
        self.state = next;
        Ok(())
    }

    fn step_size(&mut self, byte: u8) -> Result<(), Reject> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if self.digits == SIZE_DIGITS_MAX {
                return Err(Reject::bad("A chunk size has more than 16 digits."));
            }
            self.left = if self.state == State::SizeStart { 0 } else { self.left << 4 } | u64::from(digit);
            self.digits += 1;
            self.line_bytes += 1;
            self.state = State::Size;
            return Ok(());
        }
        match (self.state, byte) {
            (State::Size, b'\r') => self.state = State::SizeLf,
            (State::Size, b';' | b' ' | b'\t') => return self.step_extension(byte),
            _ => return Err(Reject::bad("A chunk size is not a hexadecimal number.")),
        }
        Ok(())
    }

    /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`; white space does not end a line.
    fn step_extension(&mut self, byte: u8) -> Result<(), Reject> {
        let next = match (self.state, byte) {
            (State::Size | State::BeforeSemicolon, b' ' | b'\t') => State::BeforeSemicolon,
            (State::Size | State::BeforeSemicolon, b';') => State::BeforeName,
            (State::BeforeName | State::BeforeValue, b' ' | b'\t') => self.state,
            (State::ExtensionName | State::AfterName, b' ' | b'\t') => State::AfterName,
            (State::ExtensionName | State::AfterName, b'=') => State::BeforeValue,
            (State::ExtensionName | State::AfterName | State::ExtensionValue | State::AfterQuoted, b';') => {
                State::BeforeName
            }
            (State::BeforeValue, b'"') => State::Quoted,
            (State::ExtensionValue | State::AfterQuoted, b' ' | b'\t') => State::BeforeSemicolon,
            (State::ExtensionName | State::ExtensionValue | State::AfterQuoted, b'\r') => {
                self.state = State::SizeLf;
                return Ok(());
            }
            (State::BeforeName | State::ExtensionName, byte) if is_tchar(byte) => State::ExtensionName,
            (State::BeforeValue | State::ExtensionValue, byte) if is_tchar(byte) => State::ExtensionValue,
            (State::Quoted, b'"') => State::AfterQuoted,
            (State::Quoted, b'\\') => State::Escaped,
            (State::Quoted | State::Escaped, byte) if is_value_byte(byte) => State::Quoted,
            _ => return Err(Reject::bad("A chunk extension is malformed.")),
        };
        if self.line_bytes == SIZE_LINE_BYTES_MAX || self.extension_bytes == EXTENSION_BYTES_MAX {
            return Err(Reject::bad("The chunk extensions are longer than this server accepts."));
        }
        self.line_bytes += 1;
        self.extension_bytes += 1;
        self.state = next;
        Ok(())
    }

    fn step_trailer(&mut self, byte: u8) -> Result<(), Reject> {
        let next = match (self.state, byte) {
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => State::Done,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::TrailerLf | State::EndLf, _) => {
                return Err(Reject::bad("A line of the trailer section does not end in CRLF."));
            }
            (State::TrailerStart, _) if self.fields == TRAILER_FIELDS_MAX => {
                return Err(Reject::bad("There are more trailer fields than this server accepts."));
            }
            (State::TrailerStart | State::TrailerName, byte) if is_tchar(byte) => State::TrailerName,
            (State::TrailerName, b':') if self.refuses_name() => {
                return Err(Reject::bad("A field is not allowed in a trailer section."));
            }
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, byte) if is_value_byte(byte) => State::TrailerValue,
            _ => return Err(Reject::bad("A trailer field is malformed.")),
        };
        if self.trailer_bytes == TRAILER_BYTES_MAX && !matches!(next, State::EndLf | State::Done) {
            return Err(Reject::bad("The trailer section is longer than this server accepts."));
        }
        self.trailer_bytes = self.trailer_bytes.saturating_add(1);
        if next == State::TrailerName {
            if self.state == State::TrailerStart {
                self.fields += 1;
                self.name_len = 0;
            }
            if let Some(slot) = self.name.get_mut(usize::from(self.name_len)) {
                *slot = byte;
                self.name_len += 1;
            }
        }
        self.state = next;
        Ok(())
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
