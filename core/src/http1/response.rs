//! How a worker's response is framed, and how it can be delivered to the client at hand.

use super::body::Flavour;
use super::error::BadResponse;
use super::field::FieldKind;
use super::framing::{Framing, RequestFacts, Seen};
use super::head::{ResponseHead, Version};
use super::method::MethodClass;
use super::token::{decimal, elements, has_prefix};
use core::time::Duration;

/// Everything the server needs to know of a response after the bytes of its head are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFacts {
    /// 100 to 999.
    pub status: u16,
    /// How the end of the body is known.
    pub framing: Framing,
    /// Whether the worker's connection can carry another request once the body has ended.
    pub keep_alive: bool,
    /// How long the worker keeps an idle connection, from `Keep-Alive: timeout=N`. Whole seconds.
    pub keep_alive_timeout: Option<Duration>,
    /// Whether this is a 1xx other than 101: the response proper is still to come.
    pub informational: bool,
    /// Whether `Connection` names fields that have to be looked for and dropped.
    pub(super) nominates: bool,
}

/// Decides a response's framing.
///
/// # Errors
/// The framing is ambiguous (RFC 9112 section 6.3).
pub fn judge_response(head: &ResponseHead<'_>, request: &RequestFacts) -> Result<ResponseFacts, BadResponse> {
    let mut seen = Seen::default();
    let mut keep_alive_timeout = None;
    for field in &head.fields {
        // Not a response's business; how an application misuses the names does not matter.
        if matches!(field.kind, FieldKind::Host | FieldKind::Expect | FieldKind::Te | FieldKind::ContentType) {
            continue;
        }
        if field.kind == FieldKind::KeepAlive {
            keep_alive_timeout = timeout(field.value).or(keep_alive_timeout);
        }
        // Between the worker and this server nothing depends on it but reuse: what cannot be read means none.
        if field.kind == FieldKind::Connection {
            seen.options.close |= seen.options.take(field.value).is_err();
            continue;
        }
        seen.take(field.kind, field.value)?;
    }
    let declared = seen.framing(head.version)?;
    let connects = request.method == MethodClass::Connect && matches!(head.status, 200..=299);
    let framing = match (head.status, declared) {
        (101, _) if request.upgrade => Framing::Tunnel,
        _ if connects => Framing::Tunnel,
        (100..=199 | 204 | 304, _) => Framing::None,
        _ if request.method == MethodClass::Head => Framing::None,
        (_, Framing::None) => Framing::UntilClose,
        (_, other) => other,
    };
    let persists = match head.version {
        Version::Http11 => !seen.options.close,
        Version::Http10 => !seen.options.close && seen.options.keep_alive,
    };
    // A 204 or 1xx that announces a body may be followed by one, which would pass for the next response.
    let suspicious = matches!(head.status, 100..=199 | 204) && !matches!(declared, Framing::None | Framing::Length(0));
    // Node takes its parser off a connection that asked for an upgrade and leaves the socket to the application. Where
    // that refuses with an ordinary response, nobody is left to read another request.
    let detached = request.upgrade || head.status == 101;
    Ok(ResponseFacts {
        status: head.status,
        framing,
        keep_alive: persists && !suspicious && !detached && !matches!(framing, Framing::UntilClose | Framing::Tunnel),
        keep_alive_timeout,
        informational: matches!(head.status, 100 | 102..=199),
        nominates: seen.options.nominates,
    })
}

/// The `timeout` parameter of a `Keep-Alive` field, in seconds.
fn timeout(value: &[u8]) -> Option<Duration> {
    let parameter = elements(value).find(|it| has_prefix(it, b"timeout="))?;
    decimal(&parameter[b"timeout=".len()..]).map(Duration::from_secs)
}

/// How a response reaches a given client: what becomes of its body and of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How the worker's body is read and which of its bytes are passed on.
    pub framing: Framing,
    /// Whether the chunked framing is passed on with the data.
    pub flavour: Flavour,
    /// Whether the client's connection stays open afterwards.
    pub keep_alive: bool,
    /// Whether the head is sent at all: an HTTP/1.0 client gets no informational ones.
    pub sends_head: bool,
    /// The client's version.
    pub client: Version,
}

impl Delivery {
    /// Plans the delivery of a response. `may_keep_alive` is false where the server itself wants to close, because it
    /// drains or has not read the whole request.
    ///
    /// A 101 that nobody asked for (an application's `res.status(101)`) passes, and both connections end with it: what
    /// either side takes for another protocol then reaches nobody.
    ///
    /// A body of unknown length ends with the connection for any client. It is not put into chunks, for then a body
    /// that a dying worker cut short would look complete.
    #[must_use]
    pub fn plan(request: &RequestFacts, response: &ResponseFacts, may_keep_alive: bool) -> Self {
        let is_11 = request.version == Version::Http11;
        let delimited = match response.framing {
            Framing::None | Framing::Length(_) => response.status != 101,
            Framing::Chunked => is_11,
            Framing::UntilClose | Framing::Tunnel => false,
        };
        Self {
            framing: response.framing,
            flavour: if is_11 { Flavour::Verbatim } else { Flavour::DataOnly },
            keep_alive: may_keep_alive && request.keep_alive && delimited,
            sends_head: is_11 || !response.informational,
            client: request.version,
        }
    }
}
