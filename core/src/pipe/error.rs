//! What can be wrong with bytes of the pipe protocol: one name a fault, the same in both codecs and in the test vectors.

use core::fmt;

/// A fault of the peer. The connection cannot be trusted any further: the front closes it, fails the exchanges that were
/// on it and recycles the worker; a worker closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// A frame type below 128 that this version does not know.
    UnknownType,
    /// A frame that only the other side sends.
    WrongDirection,
    /// A frame of the connection on a stream, or the reverse.
    WrongStream,
    /// A frame, or a part of one, is shorter or longer than its type allows, or its parts do not add up.
    BadLength,
    /// The first frame does not carry the protocol's mark.
    BadMagic,
    /// A version that cannot be agreed on.
    BadVersion,
    /// A flag or reserved byte that this version does not know is set, or flags contradict each other.
    BadFlags,
    /// Not a method: neither a known index nor a token.
    BadMethod,
    /// Not a field name: neither a known index nor a token.
    BadName,
    /// A byte that may not stand in a field value, reason, target, address or text.
    BadValue,
    /// A status outside of 200 to 999, or of 100 to 199 without 101 in INFORM.
    BadStatus,
    /// More fields than a head may have.
    TooManyFields,
    /// A window, credit or count outside of its range.
    BadCredit,
    /// More body bytes than there was credit for.
    CreditExceeded,
    /// A slot beyond what was agreed, or a use of it that is not the present one.
    BadStream,
    /// A frame that does not suit the stream's or the connection's state.
    BadState,
}

impl Error {
    /// Every fault.
    pub const ALL: [Self; 16] = [
        Self::UnknownType,
        Self::WrongDirection,
        Self::WrongStream,
        Self::BadLength,
        Self::BadMagic,
        Self::BadVersion,
        Self::BadFlags,
        Self::BadMethod,
        Self::BadName,
        Self::BadValue,
        Self::BadStatus,
        Self::TooManyFields,
        Self::BadCredit,
        Self::CreditExceeded,
        Self::BadStream,
        Self::BadState,
    ];

    /// The name in logs, in `PROTOCOL.md` and in the test vectors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownType => "unknown_type",
            Self::WrongDirection => "wrong_direction",
            Self::WrongStream => "wrong_stream",
            Self::BadLength => "bad_length",
            Self::BadMagic => "bad_magic",
            Self::BadVersion => "bad_version",
            Self::BadFlags => "bad_flags",
            Self::BadMethod => "bad_method",
            Self::BadName => "bad_name",
            Self::BadValue => "bad_value",
            Self::BadStatus => "bad_status",
            Self::TooManyFields => "too_many_fields",
            Self::BadCredit => "bad_credit",
            Self::CreditExceeded => "credit_exceeded",
            Self::BadStream => "bad_stream",
            Self::BadState => "bad_state",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pipe protocol: {}", self.name())
    }
}

impl core::error::Error for Error {}

/// What cannot be put into a frame; nothing was written. The fault of what was to be sent, not of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// The head has more bytes than [`HEAD_FRAME_BYTES_MAX`](super::HEAD_FRAME_BYTES_MAX), or a name more than
    /// [`NAME_BYTES_MAX`](super::NAME_BYTES_MAX).
    TooLarge,
    /// The head has more than [`FIELDS_MAX`](super::FIELDS_MAX) fields.
    TooManyFields,
    /// The target has no room for the bytes; it may hold a part of them.
    Full,
}

impl From<crate::http1::Full> for Unsendable {
    fn from(_: crate::http1::Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the head is larger than a frame may be",
            Self::TooManyFields => "the head has more fields than a frame may have",
            Self::Full => "the buffer for a frame is full",
        })
    }
}

impl core::error::Error for Unsendable {}
