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
pub const FIELDS_INLINE: usize = 64;

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
    /// The fields.
    pub fields: Fields<'a>,
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
    /// The fields.
    pub fields: Fields<'a>,
}

type Slots<'h, 'a> = &'h mut [MaybeUninit<httparse::Header<'a>>];

/// Runs `parse` with room for `fields_max` fields: on the stack first, on the heap when that is not enough.
fn with_slots<'a, T>(
    fields_max: usize,
    mut parse: impl FnMut(Slots<'_, 'a>) -> Result<T, httparse::Error>,
) -> Result<T, httparse::Error> {
    let mut inline = [const { MaybeUninit::uninit() }; FIELDS_INLINE];
    match parse(&mut inline[..fields_max.min(FIELDS_INLINE)]) {
        Err(httparse::Error::TooManyHeaders) if fields_max > FIELDS_INLINE => {
            let mut spilled = Vec::new();
            spilled.resize_with(fields_max, MaybeUninit::uninit);
            parse(&mut spilled)
        }
        other => other,
    }
}

fn collect<'a>(headers: &[httparse::Header<'a>]) -> Fields<'a> {
    headers
        .iter()
        .map(|header| Field::new(header.name.as_bytes(), trim(header.value)))
        .collect()
}

impl<'a> RequestHead<'a> {
    /// Parses a whole head, from the request line's first byte to the empty line's last: what
    /// [`HeadScanner`](super::HeadScanner) found.
    ///
    /// # Errors
    /// 431 for more than `fields_max` fields, 501 for a method node does not know, 505 for a version other than 1.0
    /// and 1.1, 400 for anything that RFC 9112 sections 2 to 5 do not allow.
    pub fn parse(head: &'a [u8], fields_max: usize) -> Result<Self, Reject> {
        if !has_clean_lines(head) {
            return Err(Reject::bad(
                "The head is not made of lines that end in CRLF.",
            ));
        }
        let line = &head[..memchr::memchr(b'\r', head).unwrap_or(0)];
        let parsed = with_slots(fields_max, |slots| {
            let mut request = httparse::Request::new(&mut []);
            let status = request.parse_with_uninit_headers(head, slots)?;
            Ok((
                status,
                request.method,
                request.path,
                request.version,
                collect(request.headers),
            ))
        });
        let (status, method, target, version, fields) =
            parsed.map_err(|error| explain(error, line))?;
        let (httparse::Status::Complete(len), Some(method), Some(target), Some(minor)) =
            (status, method, target, version)
        else {
            return Err(Reject::bad("The head is not complete."));
        };
        let (method, target) = (method.as_bytes(), target.as_bytes());
        // The parser tolerates little, but this is the place to be sure: one space, one target, one space, one version.
        if len != head.len() || line.len() != method.len() + target.len() + b"  HTTP/1.1".len() {
            return Err(Reject::bad(
                "The request line is not of the form METHOD SP TARGET SP VERSION.",
            ));
        }
        if !METHODS.contains(&method) {
            return Err(Reject::with(501, "The method is not implemented."));
        }
        let version = if minor == 1 {
            Version::Http11
        } else {
            Version::Http10
        };
        Ok(Self {
            method,
            target,
            form: Target::parse(method, target)?,
            version,
            fields,
        })
    }

    /// The first value of the fields of a kind.
    #[must_use]
    pub fn first(&self, kind: FieldKind) -> Option<&'a [u8]> {
        self.fields
            .iter()
            .find(|field| field.kind == kind)
            .map(|field| field.value)
    }
}

impl<'a> ResponseHead<'a> {
    /// Parses a whole head, from the status line's first byte to the empty line's last.
    ///
    /// # Errors
    /// The head is not what RFC 9112 sections 2, 4 and 5 describe, or has more than `fields_max` fields.
    pub fn parse(head: &'a [u8], fields_max: usize) -> Result<Self, BadResponse> {
        const PREFIX: usize = b"HTTP/1.1 200".len();
        if !has_clean_lines(head) {
            return Err(BadResponse::new(
                "The response's head is not made of lines that end in CRLF.",
            ));
        }
        let line = &head[..memchr::memchr(b'\r', head).unwrap_or(0)];
        let parsed = with_slots(fields_max, |slots| {
            let mut response = httparse::Response::new(&mut []);
            let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(
                &mut response,
                head,
                slots,
            )?;
            Ok((
                status,
                response.code,
                response.version,
                collect(response.headers),
            ))
        });
        let (status, code, version, fields) =
            parsed.map_err(|_| BadResponse::new("The response's head is malformed."))?;
        let (httparse::Status::Complete(len), Some(code), Some(minor)) = (status, code, version)
        else {
            return Err(BadResponse::new("The response's head is not complete."));
        };
        // The reason is taken from the line itself: the parser hides phrases that are not ASCII.
        let reason = match line.get(PREFIX..) {
            Some([]) => &[],
            Some([b' ', reason @ ..]) if reason.iter().all(|&byte| is_value_byte(byte)) => reason,
            _ => return Err(BadResponse::new("The response's status line is malformed.")),
        };
        if len != head.len() || code < 100 {
            return Err(BadResponse::new("The response's status line is malformed."));
        }
        let version = if minor == 1 {
            Version::Http11
        } else {
            Version::Http10
        };
        Ok(Self {
            status: code,
            reason,
            version,
            fields,
        })
    }
}

/// Whether each line ends in CRLF, the first one is not empty and the last one is.
fn has_clean_lines(head: &[u8]) -> bool {
    head.ends_with(b"\r\n\r\n")
        && !head.starts_with(b"\r")
        && memchr::memchr_iter(b'\n', head).all(|at| at > 0 && head[at - 1] == b'\r')
}

/// The answer to what the parser refused. Only here is the request line looked at a second time.
fn explain(error: httparse::Error, line: &[u8]) -> Reject {
    match error {
        httparse::Error::HeaderName => {
            Reject::bad("A field name is empty or contains an invalid character.")
        }
        httparse::Error::HeaderValue => Reject::bad("A field value contains a control character."),
        httparse::Error::NewLine => Reject::bad("A line of the head does not end in CRLF."),
        httparse::Error::TooManyHeaders => Reject::with(
            431,
            "There are more header fields than this server accepts.",
        ),
        httparse::Error::Version if has_version_form(line) => Reject::with(
            505,
            "The HTTP version is not supported: only 1.0 and 1.1 are.",
        ),
        httparse::Error::Version => Reject::bad("The HTTP version is malformed."),
        httparse::Error::Status | httparse::Error::Token => {
            Reject::bad("The request line is malformed.")
        }
    }
}

/// Whether the line has three words, the last of which is a version.
fn has_version_form(line: &[u8]) -> bool {
    let mut words = line
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty());
    let (_, _, version, rest) = (words.next(), words.next(), words.next(), words.next());
    let spaces = memchr::memchr_iter(b' ', line).count();
    spaces == 2
        && rest.is_none()
        && matches!(version, Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
            if major.is_ascii_digit() && minor.is_ascii_digit())
}
