//! How long the body of a request is, and what else the server keeps of a request head: one table decides or rejects.

use super::error::Reject;
use super::field::FieldKind;
use super::head::{RequestHead, Version};
use super::method::MethodClass;
use super::target::{Authority, Target};
use super::token::{decimal, elements, is_token};

/// Options in the `Connection` fields of one head. Each is compared with each field's name, so their number is bounded.
pub const CONNECTION_OPTIONS_MAX: usize = 32;

/// How the end of a body is known (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// The chunked coding says where it ends.
    Chunked,
    /// The sender closes. Responses only.
    UntilClose,
    /// No messages any more, raw bytes both ways: after a 101, or a 2xx to CONNECT.
    Tunnel,
}

/// Everything the server needs to know of a request after the bytes of its head are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFacts {
    /// The class of the method.
    pub method: MethodClass,
    /// The client's version.
    pub version: Version,
    /// How the end of the body is known: `None`, `Length` or `Chunked`.
    pub body: Framing,
    /// Whether the client wants the connection to stay open.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// Whether the client asks for another protocol, and that request may be passed on.
    pub upgrade: bool,
    /// Whether the client understands trailer sections (`TE: trailers`).
    pub trailers: bool,
    /// Whether `Connection` names fields that have to be looked for and dropped.
    pub(super) nominates: bool,
}

/// Decides a request's framing and what is kept of its head, or refuses it.
///
/// # Errors
/// 400 where the framing, the host or a hop-by-hop field is invalid or ambiguous, 405 for CONNECT, 417 for an unknown
/// expectation, 501 for an unknown transfer coding.
pub fn judge_request(head: &RequestHead<'_>) -> Result<RequestFacts, Reject> {
    let method = MethodClass::of(head.method);
    let mut seen = Seen::default();
    for field in &head.fields {
        seen.take(field.kind, field.value)?;
    }
    check_host(head, &seen)?;
    let body = seen.framing(head.version)?;
    if method == MethodClass::Connect {
        return Err(Reject::with(405, "CONNECT is not offered."));
    }
    // RFC 9110 section 9.3.8.
    if method == MethodClass::Trace && body != Framing::None {
        return Err(Reject::bad("A TRACE request has a body."));
    }
    let is_11 = head.version == Version::Http11;
    if is_11 && seen.expect_other {
        return Err(Reject::with(417, "The expectation is not known: only 100-continue is."));
    }
    Ok(RequestFacts {
        method,
        version: head.version,
        body,
        keep_alive: !seen.options.close && (is_11 || seen.options.keep_alive),
        // RFC 9110 section 10.1.1: ignored in HTTP/1.0, pointless without a body.
        expect_continue: is_11 && seen.expect_continue && !matches!(body, Framing::None | Framing::Length(0)),
        // RFC 9110 section 7.8 knows no bound to one method. Behind a body it is refused: whether that belongs to the
        // request or to the new protocol is what parsers disagree about.
        upgrade: is_11 && seen.wants_upgrade() && matches!(body, Framing::None | Framing::Length(0)),
        trailers: is_11 && seen.te_trailers,
        nominates: seen.options.nominates,
    })
}

/// What one pass over the fields of a head found.
#[derive(Default)]
pub(super) struct Seen<'a> {
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    coding: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    pub(super) options: Options,
    expect_continue: bool,
    expect_other: bool,
    upgrade: bool,
    upgrade_refused: bool,
    te_trailers: bool,
}

/// What the `Connection` fields say.
#[derive(Default)]
pub(super) struct Options {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    pub(super) nominates: bool,
    count: usize,
}

impl<'a> Seen<'a> {
    pub(super) fn take(&mut self, kind: FieldKind, value: &'a [u8]) -> Result<(), Reject> {
        match kind {
            FieldKind::Host => only(&mut self.host, value, "There is more than one Host field.")?,
            FieldKind::ContentLength => only(&mut self.length, value, "There is more than one Content-Length field.")?,
            FieldKind::TransferEncoding => {
                only(&mut self.coding, value, "There is more than one Transfer-Encoding field.")?;
            }
            // A singleton (RFC 9110 section 8.3): a filter in front and the application might each pick another one.
            FieldKind::ContentType => {
                only(&mut self.content_type, value, "There is more than one Content-Type field.")?
            }
            FieldKind::Connection => self.options.take(value)?,
            FieldKind::Expect if value.eq_ignore_ascii_case(b"100-continue") => self.expect_continue = true,
            FieldKind::Expect => self.expect_other = true,
            FieldKind::Upgrade => {
                self.upgrade = true;
                self.upgrade_refused |= !elements(value).all(may_upgrade_to);
            }
            FieldKind::Te => self.te_trailers |= elements(value).any(|it| it.eq_ignore_ascii_case(b"trailers")),
            FieldKind::Other
            | FieldKind::KeepAlive
            | FieldKind::ProxyConnection
            | FieldKind::Http2Settings
            | FieldKind::Date
            | FieldKind::Forwarded
            | FieldKind::XForwardedFor
            | FieldKind::XForwardedProto
            | FieldKind::XForwardedHost
            | FieldKind::XForwardedOther
            | FieldKind::XRealIp
            | FieldKind::XRequestId => {}
        }
        Ok(())
    }

    /// The table. Where RFC 9112 section 6 lets a server repair or guess, this one refuses: a guess that the next
    /// parser does not share is a smuggled request.
    pub(super) fn framing(&self, version: Version) -> Result<Framing, Reject> {
        match (self.coding, self.length, version) {
            (None, None, _) => Ok(Framing::None),
            (None, Some(value), _) => {
                decimal(value).map(Framing::Length).ok_or(Reject::bad("Content-Length is not a plain decimal number."))
            }
            (Some(_), Some(_), _) => Err(Reject::bad("There are both Transfer-Encoding and Content-Length.")),
            (Some(_), None, Version::Http10) => Err(Reject::bad("HTTP/1.0 does not know Transfer-Encoding.")),
            (Some(value), None, Version::Http11) if value.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            (Some(value), None, Version::Http11) => Err(refused_coding(value)),
        }
    }

    fn wants_upgrade(&self) -> bool {
        self.upgrade && self.options.upgrade && !self.upgrade_refused
    }
}

impl Options {
    pub(super) fn take(&mut self, value: &[u8]) -> Result<(), Reject> {
        for option in elements(value).filter(|it| !it.is_empty()) {
            if !is_token(option) {
                return Err(Reject::bad("A Connection option is not a token."));
            }
            self.count += 1;
            if self.count > CONNECTION_OPTIONS_MAX {
                return Err(Reject::bad("There are too many Connection options."));
            }
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                self.nominates = true;
            }
        }
        Ok(())
    }
}

fn only<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8], reason: &'static str) -> Result<(), Reject> {
    if slot.replace(value).is_some() { Err(Reject::bad(reason)) } else { Ok(()) }
}

/// Protocols that end at this server are not offered to the application: h2c would open a second, unchecked way to
/// speak HTTP to it.
fn may_upgrade_to(protocol: &[u8]) -> bool {
    let name = protocol.split(|&byte| byte == b'/').next().unwrap_or_default();
    is_token(name) && ![&b"h2c"[..], b"h2", b"h3", b"http", b"tls"].iter().any(|it| name.eq_ignore_ascii_case(it))
}

/// 501 for codings that are merely unknown here, 400 for values that are wrong by any reading.
fn refused_coding(value: &[u8]) -> Reject {
    let mut chunked = false;
    for coding in elements(value) {
        if !is_token(coding) || chunked {
            return Reject::bad("Transfer-Encoding is malformed: only `chunked`, once, is accepted.");
        }
        chunked = coding.eq_ignore_ascii_case(b"chunked");
    }
    Reject::with(501, "The transfer coding is not implemented: only chunked is.")
}

/// RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1; a target with an authority of its own must agree with it.
/// (A proxy may also replace Host then; refusing leaves nothing to disagree about.)
fn check_host(head: &RequestHead<'_>, seen: &Seen<'_>) -> Result<(), Reject> {
    let Some(value) = seen.host else {
        return match head.version {
            Version::Http10 => Ok(()),
            Version::Http11 => Err(Reject::bad("There is no Host field.")),
        };
    };
    let host = Authority::parse(value).ok_or(Reject::bad("The Host field is not a valid host and port."))?;
    let https = matches!(head.form, Target::Absolute { https: true, .. });
    match head.form.authority().and_then(Authority::parse) {
        Some(target) if !target.is_same(&host, https) => Err(Reject::bad("Host and the request target disagree.")),
        _ => Ok(()),
    }
}
