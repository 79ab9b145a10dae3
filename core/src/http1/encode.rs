//! Writes request heads for a worker: HTTP/1.1, one hop's fields removed, forwarding fields told truthfully.

use super::field::{Field, FieldKind, is_critical};
use super::framing::{Framing, RequestFacts};
use super::head::{RequestHead, Version};
use super::sink::{Full, Lines, Sink};
use super::target::Target;
use super::token::elements;
use super::variable::{Variables, scheme_of};

/// The last chunk of a chunked body, with an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// What `Connection` becomes where both sides switch protocols, in the place of the first such field: what an
/// application sees in `rawHeaders` keeps its order.
pub(super) const UPGRADE: &[u8] = b"Connection: Upgrade\r\n";
/// Stands in for the host that an HTTP/1.0 client did not name. Node demands the field, and applications build URLs
/// with it, which an empty value would break.
const DEFAULT_HOST: &[u8] = b"localhost";
/// Bytes of an incoming request id that is kept. 128.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// What the worker is told about the client.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding<'a> {
    /// The client's IP address as text, IPv6 without brackets; empty where there is none (a Unix socket).
    pub peer: &'a [u8],
    /// `http` or `https`, as the client used it.
    pub scheme: &'static str,
    /// Whether the client is a proxy that the operator trusts: what it says is kept and added to. From anyone else,
    /// `X-Forwarded-*`, `Forwarded`, `X-Real-IP` and `X-Request-Id` are dropped.
    pub trusted: bool,
    /// The exchange's id, for `X-Request-Id`.
    pub request_id: [u8; 32],
    /// Which fields are added.
    pub add: Added,
    /// IIS's server variables.
    pub variables: Variables<'a>,
}

/// Which fields are added to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// `X-Forwarded-For`, `-Proto` and `-Host`: what applications read.
    pub x_forwarded: bool,
    /// `X-Real-IP`
    pub real_ip: bool,
    /// `Forwarded` (RFC 7239)
    pub forwarded: bool,
    /// `X-Request-Id`
    pub request_id: bool,
}

/// Writes a request's head for the worker. Without `forwarding`, forwarding fields pass as they came and none is added.
///
/// # Errors
/// `out` is full.
pub fn encode_request(
    head: &RequestHead<'_>,
    facts: &RequestFacts,
    forwarding: Option<&Forwarding<'_>>,
    out: &mut impl Sink,
) -> Result<(), Full> {
    let [slash, path] = upstream_target(head);
    out.put_all(&[head.method, b" ", slash, path, b" HTTP/1.1\r\n"])?;
    let mut text = Text { lines: Lines::of(head.bytes), out };
    put_upstream_fields(head, facts, forwarding, &mut text)?;
    text.lines.finish(text.out)?;
    text.out.put(b"\r\n")
}

/// The target that an application expects, in two parts: the path, where the client sent what is meant for a proxy
/// (RFC 9112 section 3.2.1).
pub(crate) fn upstream_target<'a>(head: &RequestHead<'a>) -> [&'a [u8]; 2] {
    match head.form {
        Target::Absolute { path, .. } => match path {
            [] if head.method == b"OPTIONS" => [b"", b"*"],
            [b'/', ..] => [b"", path],
            _ => [b"/", path],
        },
        Target::Origin(_) | Target::Authority(_) | Target::Asterisk => [b"", head.target],
    }
}

/// Takes the fields of a head that is written for a worker, one after the other.
pub(crate) trait FieldWriter {
    /// Why a field was not taken.
    type Error;

    /// A field as it was received.
    fn received(&mut self, field: &Field<'_>) -> Result<(), Self::Error>;

    /// A field of the server's own, its value in parts.
    fn added(&mut self, name: &[u8], value: &[&[u8]]) -> Result<(), Self::Error>;
}

/// Writes HTTP/1.1's field lines.
struct Text<'h, 'o, S> {
    lines: Lines<'h>,
    out: &'o mut S,
}

// Inlined, so that names of known length are stored rather than copied: 71 ns a browser's head, then 57.
impl<S: Sink> FieldWriter for Text<'_, '_, S> {
    type Error = Full;

    #[inline]
    fn received(&mut self, field: &Field<'_>) -> Result<(), Full> {
        self.lines.put(field, self.out)
    }

    #[inline]
    fn added(&mut self, name: &[u8], value: &[&[u8]]) -> Result<(), Full> {
        self.lines.finish(self.out)?;
        self.out.put_all(&[name, b": "])?;
        self.out.put_all(value)?;
        self.out.put(b"\r\n")
    }
}

/// Gives `out` the fields that a worker gets: the host, what the client sent without what was meant for this hop, and
/// what the server adds.
#[inline]
pub(crate) fn put_upstream_fields<W: FieldWriter>(
    head: &RequestHead<'_>,
    facts: &RequestFacts,
    forwarding: Option<&Forwarding<'_>>,
    out: &mut W,
) -> Result<(), W::Error> {
    let host = head.first(FieldKind::Host).or_else(|| head.form.authority());
    if head.first(FieldKind::Host).is_none() {
        out.added(b"Host", &[host.unwrap_or(DEFAULT_HOST)])?;
    }
    let drops = Nominated::of(facts.nominates, &head.fields);
    let mut upgrade = facts.upgrade;
    let extended = forwarding.and_then(|about| extended(head, about));
    for (at, field) in head.fields.iter().enumerate() {
        if field.kind == FieldKind::Connection && upgrade {
            upgrade = false;
            out.added(b"Connection", &[b"Upgrade"])?;
        } else if let Some((last, peer)) = extended
            && last == at
        {
            put_extended(field, peer, out)?;
        } else if passes_upstream(field, facts, forwarding) && !drops.names(field) {
            out.received(field)?;
        }
    }
    if facts.body == Framing::Chunked {
        out.added(b"Transfer-Encoding", &[b"chunked"])?;
    }
    if facts.trailers && !facts.upgrade {
        out.added(b"TE", &[b"trailers"])?;
        out.added(b"Connection", &[b"TE"])?;
    }
    match forwarding {
        Some(forwarding) => put_forwarding(head, host, forwarding, out),
        None => Ok(()),
    }
}

/// The last `X-Forwarded-For` of a trusted proxy, by its place: the client's address is added to it rather than as a
/// line of its own, so that whoever looks at one line alone sees the whole list.
fn extended<'a>(head: &RequestHead<'_>, about: &Forwarding<'a>) -> Option<(usize, &'a [u8])> {
    let extends = about.trusted && about.add.x_forwarded && !about.peer.is_empty();
    let last = || head.fields.iter().rposition(|field| field.kind == FieldKind::XForwardedFor);
    if extends { last().map(|at| (at, about.peer)) } else { None }
}

/// Adds the peer to a list, unless a proxy before has done that already.
fn put_extended<W: FieldWriter>(field: &Field<'_>, peer: &[u8], out: &mut W) -> Result<(), W::Error> {
    match elements(field.value).last() {
        Some(last) if last == peer => out.received(field),
        _ if field.value.is_empty() => out.added(b"X-Forwarded-For", &[peer]),
        _ => out.added(b"X-Forwarded-For", &[field.value, b", ", peer]),
    }
}

fn passes_upstream(field: &Field<'_>, facts: &RequestFacts, forwarding: Option<&Forwarding<'_>>) -> bool {
    let believed = forwarding.is_none_or(|it| it.trusted);
    match field.kind {
        FieldKind::Other => forwarding.is_none_or(|it| !it.variables.forbid(field.name)),
        // Host is the only one, valid, and no other than the target's, so it stays as and where it is.
        FieldKind::Host | FieldKind::ContentLength | FieldKind::ContentType | FieldKind::Date => true,
        // Written elsewhere, or meant for this hop only.
        FieldKind::TransferEncoding
        | FieldKind::Connection
        | FieldKind::KeepAlive
        | FieldKind::ProxyConnection
        | FieldKind::Te
        | FieldKind::Http2Settings => false,
        FieldKind::Upgrade => facts.upgrade,
        // An HTTP/1.0 client would not understand the 100 that this asks for.
        FieldKind::Expect => facts.version == Version::Http11,
        FieldKind::Forwarded
        | FieldKind::XForwardedFor
        | FieldKind::XForwardedProto
        | FieldKind::XForwardedHost
        | FieldKind::XForwardedOther
        | FieldKind::XRealIp => believed,
        FieldKind::XRequestId => believed && is_request_id(field.value),
    }
}

fn is_request_id(value: &[u8]) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
}

fn put_forwarding<W: FieldWriter>(
    head: &RequestHead<'_>,
    host: Option<&[u8]>,
    about: &Forwarding<'_>,
    out: &mut W,
) -> Result<(), W::Error> {
    let known = |kind| about.trusted && head.first(kind).is_some();
    let Added { x_forwarded, real_ip, forwarded, request_id } = about.add;
    if x_forwarded && !about.peer.is_empty() && !known(FieldKind::XForwardedFor) {
        out.added(b"X-Forwarded-For", &[about.peer])?;
    }
    if x_forwarded && !known(FieldKind::XForwardedProto) {
        out.added(b"X-Forwarded-Proto", &[about.scheme.as_bytes()])?;
    }
    if let Some(host) = host.filter(|_| x_forwarded && !known(FieldKind::XForwardedHost)) {
        out.added(b"X-Forwarded-Host", &[host])?;
    }
    if real_ip && !about.peer.is_empty() && !known(FieldKind::XRealIp) {
        out.added(b"X-Real-IP", &[about.peer])?;
    }
    // A list grows by one more line, which is the same as one more element (RFC 9110 section 5.3).
    if forwarded {
        put_forwarded(host, about, out)?;
    }
    let keeps_id = about.trusted && head.first(FieldKind::XRequestId).is_some_and(is_request_id);
    if request_id && !keeps_id {
        out.added(b"X-Request-Id", &[&about.request_id])?;
    }
    if about.variables.list.is_empty() {
        return Ok(());
    }
    let scheme = scheme_of(head, about.trusted, about.scheme);
    about.variables.put(head, host, about.peer, scheme, out)
}

/// RFC 7239 section 4: IPv6 addresses and ports make a value a quoted string.
fn put_forwarded<W: FieldWriter>(host: Option<&[u8]>, about: &Forwarding<'_>, out: &mut W) -> Result<(), W::Error> {
    let [before, peer, after]: [&[u8]; 3] = match about.peer {
        [] => [b"", b"unknown", b""],
        peer if peer.contains(&b':') => [b"\"[", peer, b"]\""],
        peer => [b"", peer, b""],
    };
    let [host_before, host, host_after]: [&[u8]; 3] = match host {
        Some(host) => [b";host=\"", host, b"\""],
        None => [b"", b"", b""],
    };
    let scheme = about.scheme.as_bytes();
    out.added(b"Forwarded", &[b"for=", before, peer, after, host_before, host, host_after, b";proto=", scheme])
}

/// The fields that `Connection` declares to be this hop's own.
pub(super) struct Nominated<'h, 'a>(&'h [Field<'a>]);

impl<'h, 'a> Nominated<'h, 'a> {
    pub(super) fn of(any: bool, fields: &'h [Field<'a>]) -> Self {
        Self(if any { fields } else { &[] })
    }

    /// Whether `field` is to be dropped. Critical fields never are, whatever `Connection` says.
    pub(super) fn names(&self, field: &Field<'_>) -> bool {
        self.0
            .iter()
            .filter(|it| it.kind == FieldKind::Connection)
            .flat_map(|it| elements(it.value))
            .any(|option| option.eq_ignore_ascii_case(field.name))
            && !is_critical(field.name)
    }
}
