//! HTTP/1 for the client out of what a worker sent in frames, by the same rules as for a worker that speaks HTTP.

use super::fields::FieldSection;
use super::message::{Response, flag};
use super::status::usual_reason;
use crate::http1::{
    BadResponse, Delivery, Field, FieldKind, Framing, Full, LAST_CHUNK, MethodClass, RequestFacts, ResponseFacts,
    ResponseHead, Sink, encode_response, judge_response, trim, write_decimal,
};

/// Room for a body's length in decimal.
pub type LengthDigits = [u8; 20];

/// A response's head as the client is to get it.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    head: ResponseHead<'a>,
    facts: ResponseFacts,
    delivery: Delivery,
    no_date: bool,
}

impl<'a> Reply<'a> {
    /// Plans the delivery of a response, final or informational, with `body` bytes in its frame. `may_keep_alive` is
    /// false where the server itself wants to close.
    ///
    /// Where the frame holds the whole body and the application did not say how long it is, this does. A body of
    /// unknown length is told as chunked; [`Delivery::framing`] then is [`Framing::Chunked`] for any client, and the
    /// server frames the data for those of HTTP/1.1 and closes after it for those of HTTP/1.0.
    ///
    /// # Errors
    /// The application's own framing is ambiguous or malformed. That is 502 and a RESET (`Protocol`) for the exchange,
    /// not a fault of the connection.
    pub fn plan(
        response: &Response<'a>,
        body: u32,
        request: &RequestFacts,
        may_keep_alive: bool,
        digits: &'a mut LengthDigits,
    ) -> Result<Self, BadResponse> {
        let reason =
            if response.reason.is_empty() { usual_reason(response.status).as_bytes() } else { response.reason };
        // Filled where it stays: a list of fields is too large to be moved about.
        let mut head = ResponseHead::of_parts(response.status, reason);
        let mut has_length = false;
        for (name, value) in response.fields.iter() {
            // Node lets white space around a value pass; a parser would drop it (RFC 9112 section 5.1).
            let field = Field::new(name, trim(value));
            // The frames say where the body ends, whatever the application thinks how it is sent.
            if field.kind == FieldKind::TransferEncoding {
                continue;
            }
            has_length |= field.kind == FieldKind::ContentLength;
            head.fields.push(field);
        }
        let may_have_body = request.method != MethodClass::Head && !matches!(response.status, 100..=199 | 204 | 304);
        if may_have_body && !has_length {
            head.fields.push(if response.flags & flag::END != 0 {
                Field::new(b"Content-Length", write_decimal(u64::from(body), digits))
            } else {
                Field::new(b"Transfer-Encoding", b"chunked")
            });
        }
        let facts = judge_response(&head, request)?;
        let wants_close = response.flags & flag::CLOSE != 0 || !facts.keep_alive;
        let delivery = Delivery::plan(request, &facts, may_keep_alive && !wants_close);
        Ok(Self { head, facts, delivery, no_date: response.flags & flag::NO_DATE != 0 })
    }

    /// The status, and how the end of the body is known.
    #[must_use]
    pub const fn facts(&self) -> &ResponseFacts {
        &self.facts
    }

    /// How the response reaches the client.
    #[must_use]
    pub const fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Whether the data is to be put into chunks on its way to the client.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.facts.framing == Framing::Chunked && self.delivery.client == crate::http1::Version::Http11
    }

    /// Writes the head. `date` is now, as an IMF-fixdate; `added` is whole field lines of the server's own, or nothing.
    ///
    /// # Errors
    /// `out` is full.
    pub fn encode(&self, date: &[u8], added: &[u8], out: &mut impl Sink) -> Result<(), Full> {
        let date = (!self.no_date).then_some(date);
        encode_response(&self.head, &self.facts, &self.delivery, date, added, out)
    }
}

/// Writes the end of a chunked body with its trailer section. Fields that would change the message's framing or the
/// connection are left out.
///
/// # Errors
/// `out` is full.
pub fn encode_trailers(trailers: &FieldSection<'_>, out: &mut impl Sink) -> Result<(), Full> {
    if trailers.is_empty() {
        return out.put(LAST_CHUNK);
    }
    out.put(b"0\r\n")?;
    for (name, value) in trailers.iter() {
        let refused = matches!(
            FieldKind::of(name),
            FieldKind::ContentLength
                | FieldKind::TransferEncoding
                | FieldKind::Connection
                | FieldKind::KeepAlive
                | FieldKind::ProxyConnection
                | FieldKind::Upgrade
        );
        if !refused {
            out.put_all(&[name, b": ", trim(value), b"\r\n"])?;
        }
    }
    out.put(b"\r\n")
}
