//! Writes the frames that have no fields.

use super::control::{Hello, MAGIC, Pong, Stats, Welcome};
use super::frame::{HEADER_BYTES, Header, Kind};
use super::id::{ResetCode, StreamId};
use super::{DEMOTE_BYTES_MAX, ENDPOINT_BYTES_MAX, NODE_VERSION_BYTES_MAX, STACK_BYTES_MAX};
use crate::http1::{Full, Sink};

/// Writes a frame of the connection.
fn put_payload(kind: Kind, parts: &[&[u8]], out: &mut impl Sink) -> Result<(), Full> {
    // Every caller bounds its parts far below 2^24.
    let len = parts.iter().map(|part| part.len() as u32).sum();
    out.put(&Header::new(kind, len, StreamId::CONNECTION).bytes())?;
    out.put_all(parts)
}

/// Writes HELLO. Of the runtime's version, the first [`NODE_VERSION_BYTES_MAX`] bytes are sent; of an endpoint beyond
/// [`ENDPOINT_BYTES_MAX`] none, since a part of a path is another path.
///
/// # Errors
/// `out` is full.
pub fn put_hello(hello: &Hello<'_>, out: &mut impl Sink) -> Result<(), Full> {
    let text = &hello.node_version[..hello.node_version.len().min(NODE_VERSION_BYTES_MAX)];
    let endpoint = if hello.endpoint.len() > ENDPOINT_BYTES_MAX { "" } else { hello.endpoint };
    put_payload(
        Kind::Hello,
        &[
            &MAGIC,
            &hello.version.to_le_bytes(),
            &hello.worker.0.to_le_bytes(),
            &hello.features.to_le_bytes(),
            &hello.generation.0.to_le_bytes(),
            &hello.pid.to_le_bytes(),
            &hello.window.to_le_bytes(),
            &hello.data_bytes_max.to_le_bytes(),
            &(text.len() as u16).to_le_bytes(),
            text,
            &(endpoint.len() as u16).to_le_bytes(),
            endpoint.as_bytes(),
        ],
        out,
    )
}

/// Writes WELCOME.
///
/// # Errors
/// `out` is full.
pub fn put_welcome(welcome: &Welcome, out: &mut impl Sink) -> Result<(), Full> {
    put_payload(
        Kind::Welcome,
        &[
            &MAGIC,
            &welcome.version.to_le_bytes(),
            &welcome.streams_max.to_le_bytes(),
            &welcome.features.to_le_bytes(),
            &welcome.window.to_le_bytes(),
            &welcome.data_bytes_max.to_le_bytes(),
            &welcome.shards.to_le_bytes(),
        ],
        out,
    )
}

/// Writes PING.
///
/// # Errors
/// `out` is full.
pub fn put_ping(token: u64, out: &mut impl Sink) -> Result<(), Full> {
    put_payload(Kind::Ping, &[&token.to_le_bytes()], out)
}

/// Writes PONG.
///
/// # Errors
/// `out` is full.
pub fn put_pong(pong: &Pong, out: &mut impl Sink) -> Result<(), Full> {
    put_payload(Kind::Pong, &[&pong.token.to_le_bytes(), &pong.delay_us.to_le_bytes()], out)
}

/// Writes STATS.
///
/// # Errors
/// `out` is full.
pub fn put_stats(stats: &Stats, out: &mut impl Sink) -> Result<(), Full> {
    put_payload(
        Kind::Stats,
        &[
            &stats.utilisation.to_le_bytes(),
            &[0; 2],
            &stats.delay_max_us.to_le_bytes(),
            &stats.heap_used.to_le_bytes(),
            &stats.heap_total.to_le_bytes(),
            &stats.external.to_le_bytes(),
            &stats.array_buffers.to_le_bytes(),
            &stats.rss.to_le_bytes(),
            &stats.gc_pause_us.to_le_bytes(),
            &stats.gc_count.to_le_bytes(),
            &stats.handles.to_le_bytes(),
            &stats.outbound.to_le_bytes(),
            &stats.in_flight.to_le_bytes(),
        ],
        out,
    )
}

/// Writes DRAIN.
///
/// # Errors
/// `out` is full.
pub fn put_drain(out: &mut impl Sink) -> Result<(), Full> {
    put_payload(Kind::Drain, &[], out)
}

/// Writes CLOSING.
///
/// # Errors
/// `out` is full.
pub fn put_closing(out: &mut impl Sink) -> Result<(), Full> {
    put_payload(Kind::Closing, &[], out)
}

/// Writes DEMOTE. Of the reason, the first [`DEMOTE_BYTES_MAX`] bytes are sent.
///
/// # Errors
/// `out` is full.
pub fn put_demote(reason: &[u8], out: &mut impl Sink) -> Result<(), Full> {
    put_payload(Kind::Demote, &[&reason[..reason.len().min(DEMOTE_BYTES_MAX as usize)]], out)
}

/// Writes STACK. Of the text, the first [`STACK_BYTES_MAX`] bytes are sent.
///
/// # Errors
/// `out` is full.
pub fn put_stack(text: &[u8], out: &mut impl Sink) -> Result<(), Full> {
    put_payload(Kind::Stack, &[&text[..text.len().min(STACK_BYTES_MAX as usize)]], out)
}

/// Writes the header of a DATA frame; the caller lets exactly `len` body bytes follow, as the slices they are.
///
/// # Errors
/// `out` is full.
///
/// # Panics
/// If `len` is 0, which is no frame, or has more than 24 bits.
pub fn put_data(stream: StreamId, len: u32, out: &mut impl Sink) -> Result<(), Full> {
    assert!(len > 0, "DATA is never empty");
    out.put(&Header::new(Kind::Data, len, stream).bytes())
}

/// Writes RESET.
///
/// # Errors
/// `out` is full.
pub fn put_reset(stream: StreamId, code: ResetCode, out: &mut impl Sink) -> Result<(), Full> {
    let mut frame = [code as u8; HEADER_BYTES + 1];
    frame[..HEADER_BYTES].copy_from_slice(&Header::new(Kind::Reset, 1, stream).bytes());
    out.put(&frame)
}

/// Writes WINDOW.
///
/// # Errors
/// `out` is full.
pub fn put_window(stream: StreamId, credit: u32, out: &mut impl Sink) -> Result<(), Full> {
    out.put_all(&[&Header::new(Kind::Window, 4, stream).bytes(), &credit.to_le_bytes()])
}

/// Writes RAW.
///
/// # Errors
/// `out` is full.
pub fn put_raw(stream: StreamId, out: &mut impl Sink) -> Result<(), Full> {
    out.put(&Header::new(Kind::Raw, 0, stream).bytes())
}
