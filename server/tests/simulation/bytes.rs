//! Bytes that belong to one request and to no other, and how they are sent.

use forebay_core::buf::{ChunkSize, Pool, Queue};
use forebay_transports::Conn;
use forebay_transports::sim::Stream;

use crate::plan::{below, chance, nap};

/// How bytes are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pieces {
    /// Bytes in one write at most.
    pub(crate) bytes_max: usize,
    /// The longest pause between two, in milliseconds.
    pub(crate) pause_ms: u64,
}

impl Pieces {
    pub(crate) const WHOLE: Self = Self { bytes_max: usize::MAX, pause_ms: 0 };

    pub(crate) fn random() -> Self {
        match below(6) {
            0 => Self { bytes_max: 1 + below(400) as usize, pause_ms: 0 },
            1 => Self { bytes_max: 1 + below(4000) as usize, pause_ms: 20 },
            2 => Self { bytes_max: 2000 + below(20_000) as usize, pause_ms: below(400) },
            _ => Self::WHOLE,
        }
    }
}

/// Writes everything; false if that failed.
pub(crate) async fn send(conn: &Stream, bytes: &[u8], pieces: Pieces) -> bool {
    let pool = Pool::new(0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = pieces.bytes_max.min(ChunkSize::Medium.capacity());
        let most = if matches!(pieces.bytes_max, 1 | usize::MAX) || chance(700) {
            most
        } else {
            1 + below(most as u64) as usize
        };
        let (piece, after) = rest.split_at(most.min(rest.len()));
        let mut chunk = pool.take(ChunkSize::holding(piece.len()).unwrap());
        chunk.put(piece).unwrap();
        let mut queue = Queue::from(chunk.freeze());
        while !queue.is_empty() {
            let (result, left) = conn.write(queue).await;
            if !matches!(result, Ok(1..)) {
                return false;
            }
            queue = left;
        }
        rest = after;
        if pieces.pause_ms > 0 && !rest.is_empty() {
            nap(pieces.pause_ms).await;
        }
    }
    true
}

/// The bytes that belong to `id` and to nothing else: which place of which body they are of can be told from any few.
pub(crate) fn pattern(id: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 16);
    let mut line = 0;
    while bytes.len() < length {
        bytes.extend_from_slice(format!("{id:x}:{line:x}\n").as_bytes());
        line += 1;
    }
    bytes.truncate(length);
    bytes
}

/// `body` in the chunked coding, in random pieces.
pub(crate) fn chunked(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body;
    let most = 1 + below(8000);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + below(most) as usize).min(rest.len()));
        let extension = if chance(50) { ";a=b" } else { "" };
        out.extend_from_slice(format!("{:x}{extension}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    out.extend_from_slice(if chance(100) { b"0\r\nX-Trailer: 1\r\n\r\n" } else { b"0\r\n\r\n" });
    out
}
