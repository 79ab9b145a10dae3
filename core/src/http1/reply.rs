//! Writes response heads for a client, and the server's own small answers.

use super::encode::{Nominated, UPGRADE};
use super::field::{Field, FieldKind};
use super::framing::Framing;
use super::head::{ResponseHead, Version};
use super::response::{Delivery, ResponseFacts};
use super::sink::{Full, Lines, Sink};
use super::token::write_decimal;

/// Writes a response's head for the client. Nothing is written where [`Delivery::sends_head`] is false.
///
/// The status line says HTTP/1.1 to any client (RFC 9110 section 6.2). `date` is an IMF-fixdate for a response that
/// comes without `Date` (section 6.6.1). `added` is whole field lines of the server's own, or nothing.
///
/// # Errors
/// `out` is full.
pub fn encode_response(
    head: &ResponseHead<'_>,
    facts: &ResponseFacts,
    delivery: &Delivery,
    date: Option<&[u8]>,
    added: &[u8],
    out: &mut impl Sink,
) -> Result<(), Full> {
    if !delivery.sends_head {
        return Ok(());
    }
    out.put_all(&[b"HTTP/1.1 ", write_decimal(u64::from(head.status), &mut [0; 20]), b" ", head.reason, b"\r\n"])?;
    let drops = Nominated::of(facts.nominates, &head.fields);
    let mut dated = facts.informational || facts.status == 101;
    let mut lines = Lines::of(head.bytes);
    let mut upgrades = facts.framing == Framing::Tunnel && facts.status == 101;
    for field in &head.fields {
        if field.kind == FieldKind::Connection && upgrades {
            upgrades = false;
            lines.finish(out)?;
            out.put(UPGRADE)?;
        }
        if !passes_downstream(field, facts, delivery) || drops.names(field) {
            continue;
        }
        dated |= field.kind == FieldKind::Date;
        lines.put(field, out)?;
    }
    lines.finish(out)?;
    if !added.is_empty() {
        out.put(added)?;
    }
    if let Some(date) = date.filter(|_| !dated) {
        out.put_all(&[b"Date: ", date, b"\r\n"])?;
    }
    if upgrades {
        out.put(UPGRADE)?;
    }
    if !facts.informational && facts.framing != Framing::Tunnel {
        out.put(connection(delivery.keep_alive, delivery.client))?;
    }
    out.put(b"\r\n")
}

fn connection(keep_alive: bool, client: Version) -> &'static [u8] {
    match (keep_alive, client) {
        (false, _) => b"Connection: close\r\n",
        (true, Version::Http10) => b"Connection: keep-alive\r\n",
        (true, Version::Http11) => b"",
    }
}

fn passes_downstream(field: &Field<'_>, facts: &ResponseFacts, delivery: &Delivery) -> bool {
    match field.kind {
        FieldKind::Connection
        | FieldKind::KeepAlive
        | FieldKind::ProxyConnection
        | FieldKind::Te
        | FieldKind::Http2Settings => false,
        // Kept where there is no body on purpose: after HEAD and with 304 they describe the one a GET would have.
        FieldKind::ContentLength => !has_no_length(facts),
        FieldKind::TransferEncoding => !has_no_length(facts) && delivery.client == Version::Http11,
        // 426 says with it what to upgrade to (RFC 9110 section 15.5.22).
        FieldKind::Upgrade => matches!(facts.status, 101 | 426),
        FieldKind::Other
        | FieldKind::ContentType
        | FieldKind::Host
        | FieldKind::Expect
        | FieldKind::Date
        | FieldKind::Forwarded
        | FieldKind::XForwardedFor
        | FieldKind::XForwardedProto
        | FieldKind::XForwardedHost
        | FieldKind::XForwardedOther
        | FieldKind::XRealIp
        | FieldKind::XRequestId => true,
    }
}

/// RFC 9110 section 8.6 and RFC 9112 section 6.1: neither field with 1xx, 204 and what answers CONNECT.
fn has_no_length(facts: &ResponseFacts) -> bool {
    matches!(facts.status, 100..=199 | 204) || facts.framing == Framing::Tunnel
}

/// One of the server's own answers: a status, a sentence, and what its head adds.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The status.
    pub status: u16,
    /// The body: one sentence, a newline is added.
    pub sentence: &'a str,
    /// Further fields, such as `Retry-After` with 503.
    pub fields: &'a [(&'a str, &'a str)],
    /// Whether the connection stays open.
    pub keep_alive: bool,
    /// The client's version.
    pub client: Version,
    /// Now, as an IMF-fixdate.
    pub date: &'a [u8],
    /// Whether the request was HEAD: the body is announced but left out.
    pub head_only: bool,
}

/// Writes one of the server's own answers, head and body.
///
/// # Errors
/// `out` is full.
pub fn encode_reply(reply: &Reply<'_>, out: &mut impl Sink) -> Result<(), Full> {
    let mut digits = [0; 20];
    let status = write_decimal(u64::from(reply.status), &mut digits);
    out.put_all(&[b"HTTP/1.1 ", status, b" ", reason_phrase(reply.status).as_bytes(), b"\r\nDate: ", reply.date])?;
    let len = write_decimal(reply.sentence.len() as u64 + 1, &mut digits);
    out.put_all(&[b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ", len, b"\r\n"])?;
    for (name, value) in reply.fields {
        out.put_all(&[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"])?;
    }
    if reply.status == 405 {
        out.put(b"Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n")?;
    }
    out.put_all(&[connection(reply.keep_alive, reply.client), b"\r\n"])?;
    if reply.head_only { Ok(()) } else { out.put_all(&[reply.sentence.as_bytes(), b"\n"]) }
}

/// Answers `Expect: 100-continue` where the server does so itself.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The usual phrase for the statuses the server sends of its own accord.
#[must_use]
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// Writes the line before a chunk of `size` bytes; the data and a CRLF follow.
///
/// # Errors
/// `out` is full.
pub fn encode_chunk_size(size: u64, out: &mut impl Sink) -> Result<(), Full> {
    let mut line = *b"0000000000000000\r\n";
    let mut rest = size;
    let mut at = 16;
    loop {
        at -= 1;
        line[at] = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
        if rest == 0 {
            return out.put(&line[at..]);
        }
    }
}
