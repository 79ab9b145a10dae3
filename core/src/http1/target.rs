//! Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3.2).

use super::error::Reject;
use super::token::{has_prefix, is_host_byte};
use core::net::Ipv6Addr;

/// The four forms of a request target, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `/path?query`
    Origin(&'a [u8]),
    /// `http://authority/path?query`, as sent to proxies
    Absolute {
        /// Host and optional port.
        authority: &'a [u8],
        /// Whether the scheme is `https`; otherwise it is `http`.
        https: bool,
        /// What follows the authority: empty, or starting with `/` or `?`.
        path: &'a [u8],
    },
    /// `host:port`, for CONNECT
    Authority(&'a [u8]),
    /// `*`, for OPTIONS
    Asterisk,
}

impl<'a> Target<'a> {
    /// Takes a target apart and checks that its form suits the method.
    ///
    /// Visible ASCII is accepted as it is, for browsers send characters that RFC 3986 reserves (`|`, `^`, `{` and, in
    /// a query, `\`). Refused are a fragment anywhere and a backslash in the path, which some applications would take
    /// for a slash.
    pub(super) fn parse(method: &[u8], target: &'a [u8]) -> Result<Self, Reject> {
        if !target.iter().all(u8::is_ascii_graphic) {
            return Err(Reject::bad("The request target contains a byte that is not visible ASCII."));
        }
        if memchr::memchr(b'#', target).is_some() {
            return Err(Reject::bad("The request target contains a fragment."));
        }
        if method == b"CONNECT" {
            return match Authority::parse(target) {
                Some(Authority { port: Some(_), .. }) => Ok(Self::Authority(target)),
                _ => Err(Reject::bad("The target of CONNECT is not of the form host:port.")),
            };
        }
        let (form, path) = match target {
            [b'/', ..] => (Self::Origin(target), target),
            b"*" if method == b"OPTIONS" => (Self::Asterisk, target),
            b"*" => return Err(Reject::bad("The target * is for OPTIONS only.")),
            _ => Self::absolute(target)?,
        };
        if memchr::memchr2(b'\\', b'?', path).is_some_and(|at| path[at] == b'\\') {
            return Err(Reject::bad("The path of the request target contains a backslash."));
        }
        Ok(form)
    }

    fn absolute(target: &'a [u8]) -> Result<(Self, &'a [u8]), Reject> {
        let https = has_prefix(target, b"https://");
        if !https && !has_prefix(target, b"http://") {
            return Err(Reject::bad("The request target is neither a path nor an http URL."));
        }
        let rest = &target[if https { 8 } else { 7 }..];
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if Authority::parse(authority).is_none() {
            return Err(Reject::bad("The authority of the request target is not valid."));
        }
        Ok((Self::Absolute { authority, https, path }, path))
    }

    /// The authority the target names itself, if its form has one.
    #[must_use]
    pub const fn authority(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Absolute { authority, .. } | Self::Authority(authority) => Some(authority),
            Self::Origin(_) | Self::Asterisk => None,
        }
    }
}

/// A host with an optional port, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    pub(super) host: &'a [u8],
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// `None` when it is empty, or carries user information, a path, a bad escape, a bad port or a second host.
    ///
    /// An empty port (`host:`), which RFC 3986 allows and nobody sends, is refused.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = match bytes {
            [b'[', rest @ ..] => 2 + memchr::memchr(b']', rest)?,
            _ => memchr::memchr(b':', bytes).unwrap_or(bytes.len()),
        };
        let (host, rest) = bytes.split_at(end);
        let valid = match host {
            [b'[', address @ .., b']'] => core::str::from_utf8(address).ok()?.parse::<Ipv6Addr>().is_ok(),
            _ => is_registered_name(host),
        };
        let port = match rest {
            [] => None,
            [b':', digits @ ..] => Some(parse_port(digits)?),
            _ => return None,
        };
        valid.then_some(Self { host, port })
    }

    /// Whether both name the same server, the scheme's default port being as good as none.
    pub(super) fn is_same(&self, other: &Self, https: bool) -> bool {
        let default = if https { 443 } else { 80 };
        self.host.eq_ignore_ascii_case(other.host) && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

fn is_registered_name(mut host: &[u8]) -> bool {
    if host.is_empty() {
        return false;
    }
    loop {
        host = match host {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if is_host_byte(*byte) => rest,
            _ => return false,
        };
    }
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    let plain = (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let value = digits.iter().fold(0_u32, |sum, digit| sum.wrapping_mul(10).wrapping_add(u32::from(digit & 15)));
    if plain { u16::try_from(value).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        for good in ["a", "example.com:80", "[::1]", "[2001:db8::1]:8443", "127.0.0.1:0", "a%20b", "_x", "a:65535"] {
            assert!(Authority::parse(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a:",
            "a:80x",
            "a:65536",
            "a:+1",
            "user@a",
            "a/path",
            "a,b",
            "a b",
            "[::1",
            "[::1]x",
            "[x]",
            "[]",
            "a:1:2",
            "a%2",
            "a%zz",
            "a\"b",
            "a<b",
            "a\\b",
            "::1",
            "a?b",
            "a#b",
            "127.0.0.1:NaN",
            "\u{e9}",
            "a:000080",
        ] {
            assert!(Authority::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        let same = |a: &str, b: &str, https| {
            Authority::parse(a.as_bytes()).unwrap().is_same(&Authority::parse(b.as_bytes()).unwrap(), https)
        };
        assert!(same("A.example", "a.EXAMPLE:80", false) && same("a:443", "a", true));
        assert!(!same("a", "a:81", false) && !same("a", "b", false) && !same("a:80", "a", true));
    }

    #[test]
    fn targets_by_form_and_method() {
        let parse = |method: &str, target| Target::parse(method.as_bytes(), target);
        assert_eq!(parse("GET", b"/a?b=|"), Ok(Target::Origin(b"/a?b=|")));
        assert_eq!(parse("OPTIONS", b"*"), Ok(Target::Asterisk));
        let absolute = Target::Absolute { authority: b"a:1", https: false, path: b"?x" };
        assert_eq!(parse("GET", b"HTTP://a:1?x"), Ok(absolute));
        assert_eq!(parse("CONNECT", b"a:443"), Ok(Target::Authority(b"a:443")));
        assert!(parse("GET", br"/a?b=\").is_ok());
        for (method, target) in [
            ("GET", &b"*"[..]),
            ("GET", b""),
            ("GET", b"a:443"),
            ("GET", b"/a#b"),
            ("GET", br"/a\b"),
            ("GET", br"http://a\b/"),
            ("GET", br"http://a/\b"),
            ("GET", b"http://u@a/"),
            ("GET", b"http:///a"),
            ("GET", b"ftp://a/"),
            ("GET", b"/caf\xc3\xa9"),
            ("GET", b"/a b"),
            ("OPTIONS", b"**"),
            ("CONNECT", b"/"),
            ("CONNECT", b"a"),
            ("CONNECT", b"http://a/"),
        ] {
            assert_eq!(parse(method, target).unwrap_err().status, 400, "{method} {}", target.escape_ascii());
        }
    }
}
