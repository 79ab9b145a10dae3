//! Frame headers: eight bytes that say how long a frame is, what it is and whose; and what each type allows.

use super::error::Error;
use super::id::{Role, StreamId};
use super::{CONTROL_BYTES_MAX, DEMOTE_BYTES_MAX, HEAD_FRAME_BYTES_MAX, STACK_BYTES_MAX};

/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 8;

/// Frame types. Their numbers are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The worker introduces itself; its first frame.
    Hello = 0x01,
    /// The front's answer; its first frame.
    Welcome = 0x02,
    /// Is the worker's event loop turning?
    Ping = 0x03,
    /// It is.
    Pong = 0x04,
    /// How the worker fares.
    Stats = 0x05,
    /// No streams will be opened any more.
    Drain = 0x06,
    /// The application has closed its server.
    Closing = 0x07,
    /// The application needs plain HTTP.
    Demote = 0x08,
    /// A captured JavaScript stack.
    Stack = 0x09,
    /// Opens a stream: a request's head.
    Request = 0x10,
    /// A response's head.
    Response = 0x11,
    /// An informational response.
    Inform = 0x12,
    /// Bytes of a body.
    Data = 0x13,
    /// The end of a body, with trailer fields.
    End = 0x14,
    /// The end of an exchange that is not complete.
    Reset = 0x15,
    /// Credit for more body bytes.
    Window = 0x16,
    /// The stream carries raw bytes from here on.
    Raw = 0x17,
}

static BY_NUMBER: [Option<Kind>; 0x18] = {
    let mut table = [None; 0x18];
    let mut i = 0;
    while i < Kind::ALL.len() {
        table[Kind::ALL[i] as usize] = Some(Kind::ALL[i]);
        i += 1;
    }
    table
};

/// Types from here on may be skipped by a receiver that does not know them.
const OPTIONAL_TYPES: u8 = 0x80;

impl Kind {
    /// Every type.
    pub const ALL: [Self; 17] = [
        Self::Hello,
        Self::Welcome,
        Self::Ping,
        Self::Pong,
        Self::Stats,
        Self::Drain,
        Self::Closing,
        Self::Demote,
        Self::Stack,
        Self::Request,
        Self::Response,
        Self::Inform,
        Self::Data,
        Self::End,
        Self::Reset,
        Self::Window,
        Self::Raw,
    ];

    /// The type a number stands for.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        BY_NUMBER.get(usize::from(number)).copied().flatten()
    }

    /// Who sends it; `None` for both.
    const fn sender(self) -> Option<Role> {
        match self {
            Self::Welcome | Self::Ping | Self::Drain | Self::Request => Some(Role::Front),
            Self::Hello
            | Self::Pong
            | Self::Stats
            | Self::Closing
            | Self::Demote
            | Self::Stack
            | Self::Response
            | Self::Inform
            | Self::Raw => Some(Role::Worker),
            Self::Data | Self::End | Self::Reset | Self::Window => None,
        }
    }

    /// Whether it belongs to a stream rather than to the connection.
    #[must_use]
    pub const fn is_of_stream(self) -> bool {
        self as u8 >= Self::Request as u8
    }

    /// The fewest and most bytes of its payload, where `data_bytes_max` is the receiver's bound for DATA.
    const fn bounds(self, data_bytes_max: u32) -> (u32, u32) {
        match self {
            Self::Hello => (30, CONTROL_BYTES_MAX),
            Self::Welcome => (20, CONTROL_BYTES_MAX),
            Self::Ping => (8, CONTROL_BYTES_MAX),
            Self::Pong => (12, CONTROL_BYTES_MAX),
            Self::Stats => (68, CONTROL_BYTES_MAX),
            Self::Drain | Self::Closing => (0, CONTROL_BYTES_MAX),
            Self::Demote => (0, DEMOTE_BYTES_MAX),
            Self::Stack => (0, STACK_BYTES_MAX),
            Self::Request => (20, HEAD_FRAME_BYTES_MAX),
            Self::Response | Self::Inform => (12, HEAD_FRAME_BYTES_MAX),
            Self::Data => (1, data_bytes_max),
            Self::End => (0, HEAD_FRAME_BYTES_MAX),
            Self::Reset => (1, 1),
            Self::Window => (4, 4),
            Self::Raw => (0, 0),
        }
    }

    /// Bytes at the payload's start that are the head's fixed part, which begins with how many bytes of the head follow it.
    /// `None` where all of the payload is the head.
    pub(super) const fn fixed_bytes(self) -> Option<u32> {
        match self {
            Self::Request => Some(20),
            Self::Response => Some(12),
            Self::Hello
            | Self::Welcome
            | Self::Ping
            | Self::Pong
            | Self::Stats
            | Self::Drain
            | Self::Closing
            | Self::Demote
            | Self::Stack
            | Self::Inform
            | Self::Data
            | Self::End
            | Self::Reset
            | Self::Window
            | Self::Raw => None,
        }
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type's number, perhaps of no known type.
    pub number: u8,
    /// Bytes of the payload, below 2^24.
    pub len: u32,
    /// The stream, or [`StreamId::CONNECTION`].
    pub stream: StreamId,
}

impl Header {
    /// A header for a frame to be sent.
    ///
    /// # Panics
    /// If `len` has more than 24 bits.
    #[must_use]
    pub const fn new(kind: Kind, len: u32, stream: StreamId) -> Self {
        assert!(len < 1 << 24, "a payload's length has 24 bits");
        Self { number: kind as u8, len, stream }
    }

    /// Takes a header apart.
    #[must_use]
    pub const fn read(bytes: [u8; HEADER_BYTES]) -> Self {
        let [a, b, c, number, s0, s1, s2, s3] = bytes;
        Self { number, len: u32::from_le_bytes([a, b, c, 0]), stream: StreamId(u32::from_le_bytes([s0, s1, s2, s3])) }
    }

    /// The eight bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; HEADER_BYTES] {
        let [a, b, c, _] = self.len.to_le_bytes();
        let [s0, s1, s2, s3] = self.stream.0.to_le_bytes();
        [a, b, c, self.number, s0, s1, s2, s3]
    }

    /// Judges a header that `from` has sent; `None` is a frame to be skipped.
    pub(super) fn judge(self, from: Role, data_bytes_max: u32) -> Result<Option<Kind>, Error> {
        let Some(kind) = Kind::of(self.number) else {
            return if self.number >= OPTIONAL_TYPES { Ok(None) } else { Err(Error::UnknownType) };
        };
        if kind.sender().is_some_and(|sender| sender != from) {
            return Err(Error::WrongDirection);
        }
        if kind.is_of_stream() != (self.stream != StreamId::CONNECTION) {
            return Err(Error::WrongStream);
        }
        if kind.is_of_stream() && (self.stream.slot() == 0 || self.stream.usage() >= StreamId::USES) {
            return Err(Error::BadStream);
        }
        let (min, max) = kind.bounds(data_bytes_max);
        if (min..=max).contains(&self.len) { Ok(Some(kind)) } else { Err(Error::BadLength) }
    }
}
