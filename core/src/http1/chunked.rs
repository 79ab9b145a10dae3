//! The chunked coding (RFC 9112 section 7.1), decoded byte by byte where it is framing and by ranges where it is data.

use super::body::{Flavour, Run, Side};
use super::error::Reject;
use super::token::{is_tchar, is_value_byte};
use super::trailer::Trailer;

/// Bytes of a chunk-size line without its CRLF. 256.
pub const SIZE_LINE_BYTES_MAX: u16 = 256;
/// Bytes of chunk extensions in one body. 16 KiB, as Go bounds them since CVE-2023-39326: extensions are paid for with
/// work and never used.
pub const EXTENSION_BYTES_MAX: u32 = 16 * 1024;
/// The size of a chunk in hex digits; 16 of them are 64 bits.
const SIZE_DIGITS_MAX: u8 = 16;

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
    /// From the start of the trailer section to the end of the body.
    Trailer,
    Done,
}

impl State {
    fn is_extension(self) -> bool {
        matches!(
            self,
            Self::BeforeSemicolon
                | Self::BeforeName
                | Self::ExtensionName
                | Self::AfterName
                | Self::BeforeValue
                | Self::ExtensionValue
                | Self::Quoted
                | Self::Escaped
                | Self::AfterQuoted
        )
    }
}

/// An incremental, strict decoder of one chunked body. It holds no body data and can be copied to look ahead.
#[derive(Clone, Copy, Debug)]
pub struct ChunkedDecoder {
    state: State,
    digits: u8,
    line_bytes: u16,
    extension_bytes: u32,
    /// Bytes of the current chunk that are still to come.
    left: u64,
    trailer: Trailer,
}

impl ChunkedDecoder {
    /// A decoder at the start of a body. `side` decides which trailer fields are refused.
    #[must_use]
    pub const fn new(side: Side) -> Self {
        Self {
            state: State::SizeStart,
            digits: 0,
            line_bytes: 0,
            extension_bytes: 0,
            left: 0,
            trailer: Trailer::new(side),
        }
    }

    /// Whether the body has ended.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the line that begins a chunk is due, or has begun.
    #[must_use]
    pub const fn awaits_chunk(&self) -> bool {
        !matches!(self.state, State::Data | State::DataCr | State::DataLf | State::Trailer | State::Done)
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
            let is_trailer = flavour == Flavour::DataOnly && self.state == State::Trailer;
            let is_trailer = is_trailer && self.trailer.is_of_field(input[at]);
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
            if is_trailer {
                let start = if run.trailer.is_empty() { at } else { run.trailer.start };
                run.trailer = start..at + len;
            }
            run.consumed += len;
        }
        run.done = self.is_done();
        Ok(run)
    }

    /// Whether the next byte is passed on: all but extensions, or data only.
    fn forwards(&self, byte: u8, flavour: Flavour) -> bool {
        match flavour {
            Flavour::DataOnly => self.state == State::Data,
            Flavour::Verbatim if self.state == State::Size => byte.is_ascii_hexdigit() || byte == b'\r',
            // The CR that ends a line with extensions comes in one of these states.
            Flavour::Verbatim => {
                !self.state.is_extension()
                    || (byte == b'\r'
                        && matches!(self.state, State::ExtensionName | State::ExtensionValue | State::AfterQuoted))
            }
        }
    }

    /// Takes one byte of framing. An error leaves everything as it was, so that it comes again with the same byte.
    fn step(&mut self, byte: u8) -> Result<(), Reject> {
        match self.state {
            State::SizeStart | State::Size => self.step_size(byte),
            State::SizeLf => {
                let next = if self.left == 0 { State::Trailer } else { State::Data };
                self.expect(byte == b'\n', next, "A chunk-size line does not end in CRLF.")
            }
            State::DataCr => self.expect(byte == b'\r', State::DataLf, "Chunk data is not followed by CRLF."),
            State::DataLf => {
                self.expect(byte == b'\n', State::SizeStart, "Chunk data is not followed by CRLF.")?;
                (self.digits, self.line_bytes) = (0, 0);
                Ok(())
            }
            State::Trailer => {
                if self.trailer.step(byte)? {
                    self.state = State::Done;
                }
                Ok(())
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
}
