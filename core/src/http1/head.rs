//! Heads taken apart: request line or status line, then fields, all borrowed from the bytes they came in.

use super::error::{BadResponse, Reject};
use super::field::{Field, FieldKind};
use super::method::METHODS;
use super::target::Target;
use super::token::{is_value_byte, trim};
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use smallvec::SmallVec;

/// Fields held without allocation; more of them spill to the heap.
pub const FIELDS_INLINE: usize = 32;

/// The fields of a head, in the order they came.
pub type Fields<'a> = SmallVec<[Field<'a>; FIELDS_INLINE]>;

/// The versions spoken: anything else is answered with 505.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A request's head.
#[derive(Clone, Debug)]
pub struct RequestHead<'a> {
    /// The method: one that node knows ([`METHODS`]).
    pub method: &'a [u8],
    /// The target as received.
    pub target: &'a [u8],
    /// The target taken apart.
    pub form: Target<'a>,
    /// The version in the request line.
    pub version: Version,
    /// The fields. Replace one with [`Field::new`] rather than altering its parts.
    pub fields: Fields<'a>,
    /// The whole head, whose canonical lines are copied in runs.
    pub(super) bytes: &'a [u8],
}

/// A response's head.
#[derive(Clone, Debug)]
pub struct ResponseHead<'a> {
    /// 100 to 999.
    pub status: u16,
    /// The reason phrase, possibly empty.
    pub reason: &'a [u8],
    /// The version in the status line.
    pub version: Version,
    /// The fields. Replace one with [`Field::new`] rather than altering its parts.
    pub fields: Fields<'a>,
    /// The whole head, whose canonical lines are copied in runs.
    pub(super) bytes: &'a [u8],
}

/// Room for the parser's own view of the fields.
type Slot<'a> = MaybeUninit<httparse::Header<'a>>;
type InlineSlots<'a> = [Slot<'a>; FIELDS_INLINE];
const NO_SLOTS: InlineSlots<'static> = [const { MaybeUninit::uninit() }; FIELDS_INLINE];

/// Room for more fields than fit on the stack.
#[cold]
fn spill<'a>(fields_max: usize) -> Vec<Slot<'a>> {
    let mut slots = Vec::new();
    slots.resize_with(fields_max, MaybeUninit::uninit);
    slots
}

/// Classifies the parsed fields; `None` when one of their lines ends in anything but CRLF.
///
/// They go where they stay: a list of fields is too large to be moved about.
fn collect<'a>(head: &'a [u8], headers: &[httparse::Header<'a>], fields: &mut Fields<'a>) -> Option<()> {
    for header in headers {
        let name = header.name.as_bytes();
        let value = trim(header.value);
        let start = offset_in(head, name)?;
        let mut after = &head[offset_in(head, value)? + value.len()..];
        let is_tight = after.starts_with(b"\r\n");
        while let [b' ' | b'\t', rest @ ..] = after {
            after = rest;
        }
        if !after.starts_with(b"\r\n") {
            return None;
        }
        let mut field = Field::new(name, value);
        let is_canonical = is_tight && head.get(start + name.len() + 2..).is_some_and(|it| is_at(it, value));
        if is_canonical && head[start + name.len()..].starts_with(b": ") {
            field.line_at = u32::try_from(start).unwrap_or(0);
        }
        fields.push(field);
    }
    Some(())
}

/// Whether `part` is where `rest` begins: the same bytes, not just equal ones.
fn is_at(rest: &[u8], part: &[u8]) -> bool {
    core::ptr::eq(rest.as_ptr(), part.as_ptr())
}

/// Where `part`, a slice of `whole`, starts in it.
fn offset_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    (offset <= whole.len() && part.len() <= whole.len() - offset).then_some(offset)
}

impl<'a> RequestHead<'a> {
    /// Parses a whole head, from the request line's first byte to the empty line's last: what
    /// [`HeadScanner`](super::HeadScanner) found.
    ///
    /// # Errors
    /// 431 for more than `fields_max` fields, 501 for a method node does not know, 505 for a version other than 1.0
    /// and 1.1, 400 for anything that RFC 9112 sections 2 to 5 do not allow.
    pub fn parse(head: &'a [u8], fields_max: usize) -> Result<Self, Reject> {
        const BAD_LINE: Reject = Reject::bad("The request line is not of the form METHOD SP TARGET SP VERSION.");
        let mut inline = NO_SLOTS;
        let mut spilled;
        let mut request = httparse::Request::new(&mut []);
        let mut status = request.parse_with_uninit_headers(head, &mut inline[..fields_max.min(FIELDS_INLINE)]);
        if status == Err(httparse::Error::TooManyHeaders) && fields_max > FIELDS_INLINE {
            spilled = spill(fields_max);
            request = httparse::Request::new(&mut []);
            status = request.parse_with_uninit_headers(head, &mut spilled);
        }
        let status = status.map_err(|error| explain(error, head))?;
        let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
            return Err(Reject::bad("The head is not complete."));
        };
        let (method, target) = (method.as_bytes(), target.as_bytes());
        // The parser tolerates little, but this is the place to be sure: one space, one target, one space, one version.
        let line_len = method.len() + target.len() + b"  HTTP/1.1".len();
        let is_exact =
            offset_in(head, method) == Some(0) && head.get(line_len..).is_some_and(|it| it.starts_with(b"\r\n"));
        if !is_exact || status != httparse::Status::Complete(head.len()) || !head.ends_with(b"\r\n\r\n") {
            return Err(BAD_LINE);
        }
        if !METHODS.contains(&method) {
            return Err(Reject::with(501, "The method is not implemented."));
        }
        let version = if minor == 1 { Version::Http11 } else { Version::Http10 };
        let form = Target::parse(method, target)?;
        let mut parsed = Self { method, target, form, version, fields: Fields::new(), bytes: head };
        collect(head, request.headers, &mut parsed.fields).ok_or(Reject::bad("A field line does not end in CRLF."))?;
        Ok(parsed)
    }

    /// A request for `target`, a path of visible ASCII, without any field.
    #[must_use]
    pub fn bare(method: &'a [u8], target: &'a [u8]) -> Self {
        let form = Target::Origin(target);
        Self { method, target, form, version: Version::Http11, fields: Fields::new(), bytes: &[] }
    }

    /// The same head for another target, which must be a path of visible ASCII.
    #[must_use]
    pub fn with_target<'b>(&self, target: &'b [u8]) -> RequestHead<'b>
    where
        'a: 'b,
    {
        // Field by field: the list of fields cannot be taken for one of a shorter life.
        let fields = self.fields.iter().copied().collect();
        let Self { method, version, bytes, .. } = *self;
        RequestHead { method, target, form: Target::Origin(target), version, fields, bytes }
    }

    /// The first value of the fields of a kind.
    #[must_use]
    pub fn first(&self, kind: FieldKind) -> Option<&'a [u8]> {
        self.fields.iter().find(|field| field.kind == kind).map(|field| field.value)
    }
}

impl<'a> ResponseHead<'a> {
    /// An HTTP/1.1 head out of parts that are known to be valid: a reason without controls, and well-formed fields that
    /// the caller adds.
    pub(crate) fn of_parts(status: u16, reason: &'a [u8]) -> Self {
        Self { status, reason, version: Version::Http11, fields: Fields::new(), bytes: &[] }
    }

    /// Parses a whole head, from the status line's first byte to the empty line's last.
    ///
    /// # Errors
    /// The head is not what RFC 9112 sections 2, 4 and 5 describe, or has more than `fields_max` fields.
    pub fn parse(head: &'a [u8], fields_max: usize) -> Result<Self, BadResponse> {
        const PREFIX: usize = b"HTTP/1.1 200".len();
        const BAD_LINE: BadResponse = BadResponse::new("The response's status line is malformed.");
        let mut inline = NO_SLOTS;
        let mut spilled;
        let config = httparse::ParserConfig::default();
        let mut response = httparse::Response::new(&mut []);
        let slots = &mut inline[..fields_max.min(FIELDS_INLINE)];
        let mut status = config.parse_response_with_uninit_headers(&mut response, head, slots);
        if status == Err(httparse::Error::TooManyHeaders) && fields_max > FIELDS_INLINE {
            spilled = spill(fields_max);
            response = httparse::Response::new(&mut []);
            status = config.parse_response_with_uninit_headers(&mut response, head, &mut spilled);
        }
        let status = status.map_err(|_| BadResponse::new("The response's head is malformed."))?;
        let (Some(code @ 100..), Some(minor)) = (response.code, response.version) else {
            return Err(BAD_LINE);
        };
        let end = memchr::memchr2(b'\r', b'\n', head).unwrap_or(0);
        // The reason is taken from the line itself: the parser hides phrases that are not ASCII.
        let reason = match head[..end].get(PREFIX..) {
            Some([]) => &[],
            Some([b' ', reason @ ..]) if reason.iter().all(|&byte| is_value_byte(byte)) => reason,
            _ => return Err(BAD_LINE),
        };
        let is_exact = head.starts_with(b"HTTP/1.") && head[end..].starts_with(b"\r\n") && head.ends_with(b"\r\n\r\n");
        if !is_exact || status != httparse::Status::Complete(head.len()) {
            return Err(BAD_LINE);
        }
        let version = if minor == 1 { Version::Http11 } else { Version::Http10 };
        let mut parsed = Self { status: code, reason, version, fields: Fields::new(), bytes: head };
        collect(head, response.headers, &mut parsed.fields)
            .ok_or(BadResponse::new("A field line of the response does not end in CRLF."))?;
        Ok(parsed)
    }
}

/// The answer to what the parser refused. Only here is the request line looked at a second time.
#[cold]
fn explain(error: httparse::Error, head: &[u8]) -> Reject {
    match error {
        httparse::Error::HeaderName => Reject::bad("A field name is empty or contains an invalid character."),
        httparse::Error::HeaderValue => Reject::bad("A field value contains a control character."),
        httparse::Error::NewLine => Reject::bad("A line of the head does not end in CRLF."),
        httparse::Error::TooManyHeaders => Reject::with(431, "There are more header fields than this server accepts."),
        httparse::Error::Version if has_version_form(head) => {
            Reject::with(505, "The HTTP version is not supported: only 1.0 and 1.1 are.")
        }
        httparse::Error::Version => Reject::bad("The HTTP version is malformed."),
        httparse::Error::Status | httparse::Error::Token => Reject::bad("The request line is malformed."),
    }
}

/// Whether the first line has three words, the last of which is a version.
fn has_version_form(head: &[u8]) -> bool {
    let line = &head[..memchr::memchr(b'\r', head).unwrap_or(0)];
    let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let (_, _, version, rest) = (words.next(), words.next(), words.next(), words.next());
    let spaces = memchr::memchr_iter(b' ', line).count();
    spaces == 2
        && rest.is_none()
        && matches!(version, Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
            if major.is_ascii_digit() && minor.is_ascii_digit())
}
