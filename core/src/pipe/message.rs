//! Heads of requests, responses and trailer sections, taken apart and checked, borrowed from the frame.

use super::control::Reader;
use super::error::Error;
use super::fields::FieldSection;
use super::names::METHOD_NUMBERS;
use crate::http1::{Version, is_token, is_value_byte};

/// Flags of REQUEST, RESPONSE and END frames. Bits that are not listed for a frame are zero.
pub mod flag {
    /// REQUEST, RESPONSE: the body ends with this frame.
    pub const END: u16 = 1;
    /// RESPONSE with `END`, END: the worker does not want the rest of the request's body.
    pub const STOP: u16 = 1 << 1;
    /// REQUEST: the client speaks HTTP/1.0.
    pub const HTTP_10: u16 = 1 << 2;
    /// REQUEST: the client asks for another protocol; RAW may answer. Never with `END` or body bytes.
    pub const UPGRADE: u16 = 1 << 3;
    /// REQUEST: the client waits for 100 Continue before it sends the body.
    pub const EXPECT: u16 = 1 << 4;
    /// REQUEST: the client used https.
    pub const HTTPS: u16 = 1 << 5;
    /// REQUEST: the client accepts trailer fields.
    pub const TRAILERS: u16 = 1 << 6;
    /// RESPONSE: the front adds no `Date`.
    pub const NO_DATE: u16 = 1 << 7;
    /// RESPONSE: the application wants the client's connection closed afterwards.
    pub const CLOSE: u16 = 1 << 8;

    /// What a REQUEST may have.
    pub const OF_REQUEST: u16 = END | HTTP_10 | UPGRADE | EXPECT | HTTPS | TRAILERS;
    /// What a RESPONSE may have.
    pub const OF_RESPONSE: u16 = END | STOP | NO_DATE | CLOSE;
}

/// A request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// [`flag`]s.
    pub flags: u16,
    /// The method, a token.
    pub method: &'a [u8],
    /// The target, visible ASCII, not empty.
    pub target: &'a [u8],
    /// The client's address as text without brackets; empty if it has none.
    pub client_address: &'a [u8],
    /// The client's port; 0 if it has none.
    pub client_port: u16,
    /// The port the client connected to; 0 if it has none.
    pub local_port: u16,
    /// The fields.
    pub fields: FieldSection<'a>,
}

impl<'a> Request<'a> {
    /// The client's version.
    #[must_use]
    pub const fn version(&self) -> Version {
        if self.flags & flag::HTTP_10 == 0 { Version::Http11 } else { Version::Http10 }
    }

    /// `head` is all of the payload but the inline body, which has `body` bytes.
    pub(super) fn parse(head: &'a [u8], body: u32) -> Result<Self, Error> {
        let mut it = Reader(head);
        let (_head_len, target_len, flags, count) = (it.u32(), it.u32(), it.u16(), it.u16());
        let (client_port, local_port) = (it.u16(), it.u16());
        let (number, method_len, address_len, reserved) = (it.u8(), it.u8(), it.u8(), it.u8());
        if flags & !flag::OF_REQUEST != 0 || reserved != 0 {
            return Err(Error::BadFlags);
        }
        if flags & flag::UPGRADE != 0 && (flags & flag::END != 0 || body > 0) {
            return Err(Error::BadFlags);
        }
        let literal = it.bytes(usize::from(method_len))?;
        let method = match usize::from(number).checked_sub(1) {
            None if is_token(literal) => literal,
            Some(at) if literal.is_empty() => *METHOD_NUMBERS.get(at).ok_or(Error::BadMethod)?,
            None | Some(_) => return Err(Error::BadMethod),
        };
        let target = it.bytes(usize::try_from(target_len).map_err(|_| Error::BadLength)?)?;
        let client_address = it.bytes(usize::from(address_len))?;
        if target.is_empty() || !target.iter().chain(client_address).all(u8::is_ascii_graphic) {
            return Err(Error::BadValue);
        }
        let fields = FieldSection::parse(it.0, count)?;
        Ok(Self { flags, method, target, client_address, client_port, local_port, fields })
    }
}

/// The head of a response, final or informational.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// [`flag`]s; none in INFORM.
    pub flags: u16,
    /// 200 to 999; in INFORM 100 to 199 but not 101, which is spoken after RAW.
    pub status: u16,
    /// The reason phrase; empty stands for [`usual_reason`](super::usual_reason).
    pub reason: &'a [u8],
    /// The fields.
    pub fields: FieldSection<'a>,
}

impl<'a> Response<'a> {
    /// The head of a RESPONSE frame.
    pub(super) fn parse(head: &'a [u8]) -> Result<Self, Error> {
        let response = Self::read(head)?;
        if response.flags & !flag::OF_RESPONSE != 0 || response.flags & (flag::STOP | flag::END) == flag::STOP {
            return Err(Error::BadFlags);
        }
        if matches!(response.status, 200..=999) { Ok(response) } else { Err(Error::BadStatus) }
    }

    /// An INFORM frame.
    pub(super) fn parse_informational(payload: &'a [u8]) -> Result<Self, Error> {
        let response = Self::read(payload)?;
        if response.flags != 0 {
            return Err(Error::BadFlags);
        }
        if matches!(response.status, 100 | 102..=199) { Ok(response) } else { Err(Error::BadStatus) }
    }

    fn read(head: &'a [u8]) -> Result<Self, Error> {
        let mut it = Reader(head);
        let (head_len, flags, status, count, reason_len) = (it.u32(), it.u16(), it.u16(), it.u16(), it.u16());
        if head_len as usize != it.0.len() {
            return Err(Error::BadLength);
        }
        let reason = it.bytes(usize::from(reason_len))?;
        if !reason.iter().all(|&byte| is_value_byte(byte)) {
            return Err(Error::BadValue);
        }
        Ok(Self { flags, status, reason, fields: FieldSection::parse(it.0, count)? })
    }
}

/// What an END frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End<'a> {
    /// Whether the worker does not want the rest of the request's body; never from the front.
    pub stop: bool,
    /// The trailer fields.
    pub trailers: FieldSection<'a>,
}

impl<'a> End<'a> {
    /// The end without more words.
    pub const PLAIN: Self = Self { stop: false, trailers: FieldSection::EMPTY };

    pub(super) fn parse(payload: &'a [u8], stop_allowed: bool) -> Result<Self, Error> {
        if payload.is_empty() {
            return Ok(Self::PLAIN);
        }
        let mut it = Reader(payload);
        if payload.len() < 4 {
            return Err(Error::BadLength);
        }
        let (flags, count) = (it.u16(), it.u16());
        let allowed = if stop_allowed { flag::STOP } else { 0 };
        if flags & !allowed != 0 {
            return Err(Error::BadFlags);
        }
        Ok(Self { stop: flags != 0, trailers: FieldSection::parse(it.0, count)? })
    }
}
