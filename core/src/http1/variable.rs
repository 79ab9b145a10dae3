//! IIS's server variables of a request, for applications that read them as `X-iisnode-NAME`.

use super::encode::{FieldWriter, upstream_target};
use super::field::FieldKind;
use super::head::{RequestHead, Version};
use super::token::{elements, write_decimal};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::IpAddr;
use smallvec::SmallVec;

/// What the names of the fields begin with.
const PREFIX: &str = "X-iisnode-";

/// The same in lower case, to know such fields of clients.
pub(super) const PREFIX_LOWER: &[u8] = b"x-iisnode-";

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Method,
    Query,
    Path,
    Target,
    Protocol,
    RemoteAddress,
    RemotePort,
    LocalAddress,
    ServerName,
    ServerPort,
    Https,
    PortSecure,
    Fixed(&'static str),
    /// The fields of this name; an underscore stands for a hyphen or for itself.
    Field(Vec<u8>),
    /// It exists in IIS, and has no value here.
    Absent,
}

/// The variables that have names of their own. Those about a user have no value, as with anonymous access: what a client
/// claims in `Authorization` was not checked by anybody.
const KNOWN: &[(&str, Source)] = &[
    ("AUTH_TYPE", Source::Absent),
    ("AUTH_USER", Source::Absent),
    ("GATEWAY_INTERFACE", Source::Fixed("CGI/1.1")),
    ("HTTPS", Source::Https),
    ("HTTP_URL", Source::Target),
    ("LOCAL_ADDR", Source::LocalAddress),
    ("LOGON_USER", Source::Absent),
    ("PATH_INFO", Source::Path),
    ("QUERY_STRING", Source::Query),
    ("REMOTE_ADDR", Source::RemoteAddress),
    ("REMOTE_HOST", Source::RemoteAddress),
    ("REMOTE_PORT", Source::RemotePort),
    ("REMOTE_USER", Source::Absent),
    ("REQUEST_METHOD", Source::Method),
    ("SCRIPT_NAME", Source::Path),
    ("SERVER_NAME", Source::ServerName),
    ("SERVER_PORT", Source::ServerPort),
    ("SERVER_PORT_SECURE", Source::PortSecure),
    ("SERVER_PROTOCOL", Source::Protocol),
    ("SERVER_SOFTWARE", Source::Fixed(concat!("Forebay/", env!("CARGO_PKG_VERSION")))),
    ("UNENCODED_URL", Source::Target),
    ("URL", Source::Path),
];

/// One variable that is told to workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name of its field, spelt as it was asked for.
    field: Vec<u8>,
    source: Source,
}

impl Variable {
    /// The variable of this name, letter case aside; `CONTENT_LENGTH`, `CONTENT_TYPE` and `HTTP_NAME` are fields of the
    /// request. None if there is no such variable.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let known = KNOWN.iter().find(|(known, _)| *known == upper).map(|(_, source)| source.clone());
        let of_field = || {
            let field = match upper.as_str() {
                "CONTENT_LENGTH" | "CONTENT_TYPE" => &*upper,
                _ => upper.strip_prefix("HTTP_").filter(|rest| !rest.is_empty())?,
            };
            let is_plain = field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_plain.then(|| Source::Field(field.as_bytes().to_owned()))
        };
        Some(Self { field: format!("{PREFIX}{name}").into_bytes(), source: known.or_else(of_field)? })
    }

    /// The names that are known, without those of fields.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, _)| *name)
    }
}

/// The variables of a request, and what the server knows of its connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variables<'a> {
    /// Which of them are told. While there are any, fields of clients that look like them are dropped.
    pub list: &'a [Variable],
    /// The client's port.
    pub peer_port: u16,
    /// The address and port it connected to.
    pub local: Option<(IpAddr, u16)>,
}

impl Variables<'_> {
    /// Whether a client's field pretends to be one of them.
    pub(super) fn forbid(&self, name: &[u8]) -> bool {
        !self.list.is_empty() && super::token::has_prefix(name, PREFIX_LOWER)
    }

    /// Writes a field for each that has a value. `scheme` is what the client used, `peer` is its address.
    pub(super) fn put<W: FieldWriter>(
        &self,
        head: &RequestHead<'_>,
        host: Option<&[u8]>,
        peer: &[u8],
        scheme: &[u8],
        out: &mut W,
    ) -> Result<(), W::Error> {
        for Variable { field, source } in self.list {
            let mut digits = [0; 20];
            let mut text = Text { bytes: [0; 48], len: 0 };
            let value = match source {
                Source::Method => head.method,
                Source::Query => query(head),
                Source::Path => path(head),
                Source::Target => head.target,
                Source::Protocol if head.version == Version::Http10 => b"HTTP/1.0",
                Source::Protocol => b"HTTP/1.1",
                Source::RemoteAddress => peer,
                Source::RemotePort => write_decimal(self.peer_port.into(), &mut digits),
                Source::LocalAddress => match self.local {
                    Some((address, _)) => text.of(address),
                    None => continue,
                },
                Source::ServerName => server_name(host.unwrap_or_default()),
                Source::ServerPort => write_decimal(self.local.map_or(0, |(_, port)| port).into(), &mut digits),
                Source::Https if scheme == b"https" => b"on",
                Source::Https => b"off",
                Source::PortSecure if scheme == b"https" => b"1",
                Source::PortSecure => b"0",
                Source::Fixed(value) => value.as_bytes(),
                Source::Field(name) => {
                    put_joined(head, name, field, out)?;
                    continue;
                }
                Source::Absent => continue,
            };
            out.added(field, &[value])?;
        }
        Ok(())
    }
}

/// The scheme that the client used, by a trusted proxy's word.
pub(super) fn scheme_of<'a>(head: &RequestHead<'a>, trusted: bool, own: &'static str) -> &'a [u8] {
    let told = head.first(FieldKind::XForwardedProto).filter(|_| trusted);
    match told.and_then(|value| elements(value).next()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(b"https") => b"https",
        Some(_) => b"http",
        None => own.as_bytes(),
    }
}

/// Whether the client used https, by the word of a proxy that is trusted.
#[must_use]
pub fn is_https(head: &RequestHead<'_>) -> bool {
    scheme_of(head, true, "http") == b"https"
}

/// All values of the fields of one name, in one field.
fn put_joined<W: FieldWriter>(head: &RequestHead<'_>, name: &[u8], field: &[u8], out: &mut W) -> Result<(), W::Error> {
    let is_it = |candidate: &[u8]| {
        candidate.len() == name.len()
            && candidate
                .iter()
                .zip(name)
                .all(|(&byte, &wanted)| byte.to_ascii_uppercase() == wanted || wanted == b'_' && byte == b'-')
    };
    let mut parts: SmallVec<[&[u8]; 8]> = SmallVec::new();
    for found in head.fields.iter().filter(|it| is_it(it.name)) {
        if !parts.is_empty() {
            // RFC 6265 section 5.4 wants semicolons between cookies.
            parts.push(if name == b"COOKIE" { b"; " } else { b", " });
        }
        parts.push(found.value);
    }
    if parts.is_empty() { Ok(()) } else { out.added(field, &parts) }
}

fn path<'a>(head: &RequestHead<'a>) -> &'a [u8] {
    let [slash, target] = upstream_target(head);
    let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
    if path.is_empty() { slash } else { path }
}

fn query<'a>(head: &RequestHead<'a>) -> &'a [u8] {
    head.target.iter().position(|&byte| byte == b'?').map_or(b"", |at| &head.target[at + 1..])
}

/// A host without its port.
fn server_name(host: &[u8]) -> &[u8] {
    let end = match host {
        [b'[', ..] => host.iter().position(|&byte| byte == b']').map(|at| at + 1),
        _ => host.iter().position(|&byte| byte == b':'),
    };
    &host[..end.unwrap_or(host.len())]
}

/// An IP address as text, in place.
struct Text {
    bytes: [u8; 48],
    len: usize,
}

impl Text {
    fn of(&mut self, address: IpAddr) -> &[u8] {
        // No address is longer than 45 bytes.
        let _fits = write!(self, "{}", address.to_canonical());
        &self.bytes[..self.len]
    }
}

impl core::fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + s.len()).ok_or(core::fmt::Error)?;
        room.copy_from_slice(s.as_bytes());
        self.len += s.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_are_not() {
        assert!(Variable::names().all(|name| Variable::of(name).is_some()));
        for name in ["request_method", "HTTP_HOST", "HTTP_X_FORWARDED_FOR", "CONTENT_TYPE", "content_length"] {
            assert!(Variable::of(name).is_some(), "{name}");
        }
        for name in ["", "HTTP_", "HTTP_A B", "HTTP_A:", " URL", "REQUEST_METHODS", "CONTENT_MD5"] {
            assert_eq!(Variable::of(name), None, "{name}");
        }
    }

    #[test]
    fn hosts_lose_their_ports() {
        for (host, name) in [("a.b:80", "a.b"), ("a.b", "a.b"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")] {
            assert_eq!(server_name(host.as_bytes()), name.as_bytes());
        }
    }
}
