//! Header fields, and which of them mean something to the server.

use super::token::has_prefix;
use core::ops::Range;

/// A header field as it was received, without the white space around its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name in the sender's spelling.
    pub name: &'a [u8],
    /// The value: any bytes but controls; HTAB is allowed inside.
    pub value: &'a [u8],
    /// What the name means to the server.
    pub kind: FieldKind,
    /// Where its line starts in the head's bytes, if the line reads exactly as it would be written anew; else 0.
    pub(super) line_at: u32,
}

impl<'a> Field<'a> {
    /// A field, classified by its name.
    #[must_use]
    pub fn new(name: &'a [u8], value: &'a [u8]) -> Self {
        Self { name, value, kind: FieldKind::of(name), line_at: 0 }
    }

    /// Where the field's line is in the head's bytes, if it can be taken from there.
    pub(super) fn canonical_line(&self) -> Option<Range<usize>> {
        let start = self.line_at as usize;
        (start > 0).then(|| start..start + self.name.len() + self.value.len() + b": \r\n".len())
    }
}

/// The fields the server itself understands; everything else is [`FieldKind::Other`] and passes untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Not interpreted.
    Other,
    /// `Host`
    Host,
    /// `Content-Length`
    ContentLength,
    /// `Content-Type`
    ContentType,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Connection`
    Connection,
    /// `Keep-Alive`
    KeepAlive,
    /// `Proxy-Connection`, which no specification defines
    ProxyConnection,
    /// `TE`
    Te,
    /// `Upgrade`
    Upgrade,
    /// `HTTP2-Settings`
    Http2Settings,
    /// `Expect`
    Expect,
    /// `Date`
    Date,
    /// `Forwarded`
    Forwarded,
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `X-Forwarded-Proto`
    XForwardedProto,
    /// `X-Forwarded-Host`
    XForwardedHost,
    /// Any other name that starts with `X-Forwarded`
    XForwardedOther,
    /// `X-Real-IP`
    XRealIp,
    /// `X-Request-Id`
    XRequestId,
}

impl FieldKind {
    /// Classifies a name, letter case aside. The length decides what it is compared with: one comparison at most for
    /// nearly every name.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let first = name.first().map_or(0, |byte| byte | 0x20);
        let (expected, kind): (&[u8], _) = match (name.len(), first) {
            (2, b't') => (b"te", Self::Te),
            (4, b'h') => (b"host", Self::Host),
            (4, b'd') => (b"date", Self::Date),
            (6, b'e') => (b"expect", Self::Expect),
            (7, b'u') => (b"upgrade", Self::Upgrade),
            (9, b'f') => (b"forwarded", Self::Forwarded),
            (9, b'x') => (b"x-real-ip", Self::XRealIp),
            (10, b'c') => (b"connection", Self::Connection),
            (10, b'k') => (b"keep-alive", Self::KeepAlive),
            (12, b'c') => (b"content-type", Self::ContentType),
            (12, b'x') if !has_prefix(name, b"x-f") => (b"x-request-id", Self::XRequestId),
            (14, b'c') => (b"content-length", Self::ContentLength),
            (14, b'h') => (b"http2-settings", Self::Http2Settings),
            (16, b'p') => (b"proxy-connection", Self::ProxyConnection),
            (17, b't') => (b"transfer-encoding", Self::TransferEncoding),
            (11.., b'x') if has_prefix(name, b"x-forwarded") => return Self::forwarded(name),
            _ => return Self::Other,
        };
        if name.eq_ignore_ascii_case(expected) { kind } else { Self::Other }
    }

    fn forwarded(name: &[u8]) -> Self {
        match &name[b"x-forwarded".len()..] {
            rest if rest.eq_ignore_ascii_case(b"-for") => Self::XForwardedFor,
            rest if rest.eq_ignore_ascii_case(b"-proto") => Self::XForwardedProto,
            rest if rest.eq_ignore_ascii_case(b"-host") => Self::XForwardedHost,
            _ => Self::XForwardedOther,
        }
    }
}

/// Names that a `Connection` option cannot take away and that a request's trailer section cannot bring.
///
/// Stripping them by request of the client would change what the application decides by (RFC 9110 section 7.6.1 warns
/// of it); merging them from a trailer section would do the same (section 6.5.1).
const CRITICAL: &[&[u8]] = &[
    b"age",
    b"authorization",
    b"cache-control",
    b"connection",
    b"cookie",
    b"date",
    b"expect",
    b"expires",
    b"forwarded",
    b"host",
    b"keep-alive",
    b"location",
    b"max-forwards",
    b"origin",
    b"range",
    b"referer",
    b"retry-after",
    b"set-cookie",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"user-agent",
    b"vary",
    b"via",
    b"www-authenticate",
    b"x-api-key",
    b"x-csrf-token",
    b"x-real-ip",
    b"x-request-id",
];

/// Families of names of which each is critical.
const CRITICAL_PREFIXES: &[&[u8]] =
    &[b"accept", b"access-control-", b"content-", b"if-", b"proxy-", b"sec-", b"x-forwarded"];

/// Whether a field is too important to be removed by a `Connection` option or to arrive in a trailer section.
///
/// Only the first 32 bytes of a name decide: no critical name or prefix is longer.
#[must_use]
pub fn is_critical(name: &[u8]) -> bool {
    CRITICAL.iter().any(|critical| name.eq_ignore_ascii_case(critical))
        || CRITICAL_PREFIXES.iter().any(|prefix| has_prefix(name, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_name() {
        for (name, kind) in [
            ("TE", FieldKind::Te),
            ("hOST", FieldKind::Host),
            ("Content-Length", FieldKind::ContentLength),
            ("transfer-encoding", FieldKind::TransferEncoding),
            ("X-Forwarded-For", FieldKind::XForwardedFor),
            ("X-Forwarded-Proto", FieldKind::XForwardedProto),
            ("X-Forwarded-Host", FieldKind::XForwardedHost),
            ("X-Forwarded-Port", FieldKind::XForwardedOther),
            ("X-Forwarded", FieldKind::XForwardedOther),
            ("X-Forwarded-", FieldKind::XForwardedOther),
            ("X-Real-IP", FieldKind::XRealIp),
            ("X-Request-ID", FieldKind::XRequestId),
            ("HTTP2-Settings", FieldKind::Http2Settings),
            ("Content_Length", FieldKind::Other),
            ("Transfer_Encoding", FieldKind::Other),
            ("Hosts", FieldKind::Other),
            ("", FieldKind::Other),
        ] {
            assert_eq!(FieldKind::of(name.as_bytes()), kind, "{name}");
        }
    }

    #[test]
    fn critical_names_are_short_and_matched_in_any_case() {
        assert!(CRITICAL.iter().chain(CRITICAL_PREFIXES).all(|name| name.len() <= 32));
        for name in ["Host", "COOKIE", "X-Forwarded-Anything", "content-length", "Sec-WebSocket-Key", "If-Match"] {
            assert!(is_critical(name.as_bytes()), "{name}");
        }
        assert!(!is_critical(b"X-Custom") && !is_critical(b"Cookies") && !is_critical(b"close"));
    }
}
