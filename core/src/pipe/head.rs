//! Writes the frames that have fields: REQUEST, RESPONSE, INFORM and END.

use super::HEAD_FRAME_BYTES_MAX;
use super::error::Unsendable;
use super::fields::{Writer, all, written};
use super::frame::{HEADER_BYTES, Header, Kind};
use super::id::StreamId;
use super::message::flag;
use super::names::method_number;
use crate::http1::{Forwarding, RequestFacts, RequestHead, Sink, Version, put_upstream_fields, upstream_target};
use alloc::vec::Vec;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The address as text, IPv6 without brackets; empty where there is none. At most 255 bytes of it are sent.
    pub address: &'a [u8],
    /// The client's port, 0 where there is none.
    pub port: u16,
    /// The port it connected to, 0 where there is none.
    pub local_port: u16,
    /// Whether it used https.
    pub https: bool,
}

/// How a stream is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// What [`Streams::open`](super::Streams::open) gave.
    pub stream: StreamId,
    /// Body bytes that the caller lets follow what is written, as the slices they are.
    pub body: u32,
    /// Whether the request's body ends with them.
    pub ends: bool,
    /// The client.
    pub client: Client<'a>,
}

/// Builds heads in memory that is used again, since a frame's length stands before it.
#[derive(Debug, Default)]
pub struct HeadEncoder {
    bytes: Vec<u8>,
}

/// The parts of a REQUEST frame other than its fields.
struct Start<'a> {
    flags: u16,
    method: &'a [u8],
    target: [&'a [u8]; 2],
    client: &'a Client<'a>,
}

impl HeadEncoder {
    /// Writes a request as it came from the client: with the fields a worker gets over HTTP/1.1, and the same facts.
    ///
    /// # Errors
    /// The head is too large for a frame (answer 431), or `out` is full.
    pub fn request(
        &mut self,
        head: &RequestHead<'_>,
        facts: &RequestFacts,
        forwarding: Option<&Forwarding<'_>>,
        opening: &Opening<'_>,
        out: &mut impl Sink,
    ) -> Result<(), Unsendable> {
        let mut flags = 0;
        for (is_set, bit) in [
            (opening.ends && !facts.upgrade, flag::END),
            (facts.version == Version::Http10, flag::HTTP_10),
            (facts.upgrade, flag::UPGRADE),
            (facts.expect_continue, flag::EXPECT),
            (opening.client.https, flag::HTTPS),
            (facts.trailers, flag::TRAILERS),
        ] {
            flags |= if is_set { bit } else { 0 };
        }
        let start = Start { flags, method: head.method, target: upstream_target(head), client: &opening.client };
        self.put_request(&start, opening, out, |fields| put_upstream_fields(head, facts, forwarding, fields))
    }

    /// Writes a request of one's own making: `flags` of [`flag`] but `END` and `HTTPS`, which `opening` tells.
    ///
    /// # Errors
    /// The head is too large for a frame, or `out` is full.
    pub fn plain_request<'f>(
        &mut self,
        flags: u16,
        method: &[u8],
        target: &[u8],
        fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
        opening: &Opening<'_>,
        out: &mut impl Sink,
    ) -> Result<(), Unsendable> {
        let told = if opening.ends { flag::END } else { 0 } | if opening.client.https { flag::HTTPS } else { 0 };
        let start = Start { flags: flags | told, method, target: [b"", target], client: &opening.client };
        self.put_request(&start, opening, out, |out| all(fields, out))
    }

    fn put_request(
        &mut self,
        start: &Start<'_>,
        opening: &Opening<'_>,
        out: &mut impl Sink,
        fields: impl FnOnce(&mut Writer<'_>) -> Result<(), Unsendable>,
    ) -> Result<(), Unsendable> {
        let Client { address, port, local_port, .. } = *start.client;
        let address = &address[..address.len().min(usize::from(u8::MAX))];
        let number = method_number(start.method);
        let literal = if number == 0 { start.method } else { &[] };
        let literal_len = u8::try_from(literal.len()).map_err(|_| Unsendable::TooLarge)?;
        let target_len = start.target.iter().map(|part| part.len()).sum::<usize>();
        let target_len = u32::try_from(target_len).map_err(|_| Unsendable::TooLarge)?;
        let bytes = self.begin();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&target_len.to_le_bytes());
        bytes.extend_from_slice(&start.flags.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&port.to_le_bytes());
        bytes.extend_from_slice(&local_port.to_le_bytes());
        bytes.extend_from_slice(&[number, literal_len, address.len() as u8, 0]);
        for part in [literal, start.target[0], start.target[1], address] {
            bytes.extend_from_slice(part);
        }
        let count = written(bytes, fields)?;
        bytes[HEADER_BYTES + 10..][..2].copy_from_slice(&count.to_le_bytes());
        self.finish(Kind::Request, opening.stream, Some(20), opening.body, out)
    }

    /// Writes a response: [`flag`]s, a status of 200 to 999, a reason (empty for the usual one), its fields. The caller
    /// lets `body` bytes follow.
    ///
    /// # Errors
    /// The head is too large for a frame, or `out` is full.
    #[expect(clippy::too_many_arguments, reason = "the parts of a response, named where they are passed")]
    pub fn response<'f>(
        &mut self,
        stream: StreamId,
        flags: u16,
        status: u16,
        reason: &[u8],
        fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
        body: u32,
        out: &mut impl Sink,
    ) -> Result<(), Unsendable> {
        self.put_response(flags, status, reason, fields)?;
        self.finish(Kind::Response, stream, Some(12), body, out)
    }

    /// Writes an informational response: a status of 100 to 199 but not 101, its fields.
    ///
    /// # Errors
    /// The head is too large for a frame, or `out` is full.
    pub fn inform<'f>(
        &mut self,
        stream: StreamId,
        status: u16,
        fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
        out: &mut impl Sink,
    ) -> Result<(), Unsendable> {
        self.put_response(0, status, b"", fields)?;
        self.finish(Kind::Inform, stream, Some(12), 0, out)
    }

    fn put_response<'f>(
        &mut self,
        flags: u16,
        status: u16,
        reason: &[u8],
        fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Result<(), Unsendable> {
        let reason_len = u16::try_from(reason.len()).map_err(|_| Unsendable::TooLarge)?;
        let bytes = self.begin();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&status.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&reason_len.to_le_bytes());
        bytes.extend_from_slice(reason);
        let count = written(bytes, |out| all(fields, out))?;
        bytes[HEADER_BYTES + 8..][..2].copy_from_slice(&count.to_le_bytes());
        Ok(())
    }

    /// Writes the end of a body with its trailer fields; `stop` is the worker's.
    ///
    /// # Errors
    /// The fields are too large for a frame, or `out` is full.
    pub fn end<'f>(
        &mut self,
        stream: StreamId,
        stop: bool,
        trailers: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
        out: &mut impl Sink,
    ) -> Result<(), Unsendable> {
        let flags = if stop { flag::STOP } else { 0 };
        let bytes = self.begin();
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        let count = written(bytes, |out| all(trailers, out))?;
        bytes[HEADER_BYTES + 2..][..2].copy_from_slice(&count.to_le_bytes());
        if flags == 0 && count == 0 {
            bytes.truncate(HEADER_BYTES);
        }
        self.finish(Kind::End, stream, None, 0, out)
    }

    /// Room for the frame's header, which is written last.
    fn begin(&mut self) -> &mut Vec<u8> {
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
        &mut self.bytes
    }

    /// Fills in the lengths. `fixed` is the size of the fixed part that begins with the length of the rest of the head.
    fn finish(
        &mut self,
        kind: Kind,
        stream: StreamId,
        fixed: Option<usize>,
        body: u32,
        out: &mut impl Sink,
    ) -> Result<(), Unsendable> {
        let head = self.bytes.len() - HEADER_BYTES;
        let len = u32::try_from(head).ok().and_then(|len| len.checked_add(body));
        let len = len.filter(|len| *len <= HEAD_FRAME_BYTES_MAX).ok_or(Unsendable::TooLarge)?;
        if let Some(fixed) = fixed {
            let head_len = (head - fixed) as u32;
            self.bytes[HEADER_BYTES..][..4].copy_from_slice(&head_len.to_le_bytes());
        }
        self.bytes[..HEADER_BYTES].copy_from_slice(&Header::new(kind, len, stream).bytes());
        Ok(out.put(&self.bytes)?)
    }
}
