//! Payloads of the connection's own frames: introductions, life signs and what a worker reports.
//!
//! Their layouts are fixed at the front and open at the end: a receiver ignores bytes behind those it knows, so that a
//! later version can add some.

use super::credit::is_window;
use super::error::Error;
use super::{DATA_BYTES_LIMIT_MAX, DATA_BYTES_LIMIT_MIN, ENDPOINT_BYTES_MAX, NODE_VERSION_BYTES_MAX};
use crate::id::{Generation, WorkerId};

/// The version this code speaks.
pub const VERSION: u16 = 1;
/// What HELLO and WELCOME begin with.
pub const MAGIC: [u8; 4] = *b"FBAY";

/// A worker's introduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The highest version the worker speaks, from 1; it speaks all below too.
    pub version: u16,
    /// Which slot of the worker table it lives in, as the environment told it.
    pub worker: WorkerId,
    /// Bits of what it can do beyond the version.
    pub features: u32,
    /// Which process of the slot it is, as the environment told it.
    pub generation: Generation,
    /// Its process id.
    pub pid: u32,
    /// Body bytes it accepts on a stream before it grants more: 1 KiB to 1 GiB.
    pub window: u32,
    /// Body bytes it accepts in one frame: 4 KiB to 1 MiB.
    pub data_bytes_max: u32,
    /// `process.version` or its like: at most 64 visible ASCII characters.
    pub node_version: &'a [u8],
    /// Path of the server that this connection serves, in a worker that somebody else has started: at most 256 bytes
    /// without control characters. Empty in our own, whose endpoint we chose.
    pub endpoint: &'a str,
}

/// The front's answer to a [`Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The version that is spoken from here on.
    pub version: u16,
    /// Streams open at a time: slots are numbered 1 to this.
    pub streams_max: u16,
    /// The features of both.
    pub features: u32,
    /// Body bytes the front accepts on a stream before it grants more: 1 KiB to 1 GiB.
    pub window: u32,
    /// Body bytes the front accepts in one frame: 4 KiB to 1 MiB.
    pub data_bytes_max: u32,
    /// Connections that the worker is to make, this one among them: one for each shard, from 1.
    pub shards: u16,
}

/// The answer to a PING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// The PING's token.
    pub token: u64,
    /// How late the event loop last was, in microseconds.
    pub delay_us: u32,
}

/// How a worker fares, since its last report where that makes a difference. Memory in bytes, times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Event-loop utilisation in 1/10000.
    pub utilisation: u16,
    /// The longest delay of the event loop.
    pub delay_max_us: u32,
    /// Bytes of the V8 heap in use.
    pub heap_used: u64,
    /// Bytes of the V8 heap.
    pub heap_total: u64,
    /// Bytes V8's objects hold outside of the heap.
    pub external: u64,
    /// Bytes in array buffers.
    pub array_buffers: u64,
    /// Resident set, bytes.
    pub rss: u64,
    /// Sum of the garbage collector's pauses.
    pub gc_pause_us: u32,
    /// Number of the garbage collector's pauses.
    pub gc_count: u32,
    /// Active handles.
    pub handles: u32,
    /// Open sockets to elsewhere.
    pub outbound: u32,
    /// Exchanges in flight.
    pub in_flight: u32,
}

/// Reads little-endian integers one after the other; zeros beyond the end, which the frame's bounds rule out.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (front, rest) = self.0.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.0 = rest;
        *front
    }

    pub(super) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (front, rest) = self.0.split_at_checked(len).ok_or(Error::BadLength)?;
        self.0 = rest;
        Ok(front)
    }
}

impl<'a> Reader<'a> {
    /// The endpoint behind HELLO's version; empty where the frame ends before it.
    fn endpoint(&mut self) -> Result<&'a str, Error> {
        if self.0.is_empty() {
            return Ok("");
        }
        let len = usize::from(Reader(self.bytes(2)?).u16());
        let text = self.bytes(len)?;
        if len > ENDPOINT_BYTES_MAX {
            return Err(Error::BadLength);
        }
        let text = core::str::from_utf8(text).map_err(|_| Error::BadValue)?;
        if text.chars().any(char::is_control) { Err(Error::BadValue) } else { Ok(text) }
    }
}

fn check_limits(window: u32, data_bytes_max: u32) -> Result<(), Error> {
    let is_limit = (DATA_BYTES_LIMIT_MIN..=DATA_BYTES_LIMIT_MAX).contains(&data_bytes_max);
    if is_window(window) && is_limit { Ok(()) } else { Err(Error::BadCredit) }
}

impl<'a> Hello<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        let mut it = Reader(payload);
        if it.array() != MAGIC {
            return Err(Error::BadMagic);
        }
        let (version, worker, features) = (it.u16(), WorkerId(it.u16()), it.u32());
        let (generation, pid, window, data_bytes_max) = (Generation(it.u32()), it.u32(), it.u32(), it.u32());
        let len = usize::from(it.u16());
        if version == 0 {
            return Err(Error::BadVersion);
        }
        check_limits(window, data_bytes_max)?;
        let node_version = it.bytes(len)?;
        if len > NODE_VERSION_BYTES_MAX {
            return Err(Error::BadLength);
        }
        if !node_version.iter().all(u8::is_ascii_graphic) {
            return Err(Error::BadValue);
        }
        let endpoint = it.endpoint()?;
        Ok(Self { version, worker, features, generation, pid, window, data_bytes_max, node_version, endpoint })
    }

    /// The answer: the lower version, the features of both, and the front's own limits out of `ours`.
    #[must_use]
    pub fn answer(&self, ours: &Welcome) -> Welcome {
        Welcome { version: self.version.min(ours.version), features: self.features & ours.features, ..*ours }
    }
}

impl Welcome {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut it = Reader(payload);
        if it.array() != MAGIC {
            return Err(Error::BadMagic);
        }
        let (version, streams_max, features) = (it.u16(), it.u16(), it.u32());
        let (window, data_bytes_max) = (it.u32(), it.u32());
        if version == 0 {
            return Err(Error::BadVersion);
        }
        if streams_max == 0 {
            return Err(Error::BadStream);
        }
        check_limits(window, data_bytes_max)?;
        // Fronts that know one shard only end before it.
        let shards = if it.0.is_empty() { 1 } else { Reader(it.bytes(2)?).u16().max(1) };
        Ok(Self { version, streams_max, features, window, data_bytes_max, shards })
    }
}

impl Pong {
    pub(super) fn parse(payload: &[u8]) -> Self {
        let mut it = Reader(payload);
        Self { token: it.u64(), delay_us: it.u32() }
    }
}

impl Stats {
    pub(super) fn parse(payload: &[u8]) -> Self {
        let mut it = Reader(payload);
        let utilisation = it.u16();
        let _reserved = it.u16();
        Self {
            utilisation,
            delay_max_us: it.u32(),
            heap_used: it.u64(),
            heap_total: it.u64(),
            external: it.u64(),
            array_buffers: it.u64(),
            rss: it.u64(),
            gc_pause_us: it.u32(),
            gc_count: it.u32(),
            handles: it.u32(),
            outbound: it.u32(),
            in_flight: it.u32(),
        }
    }
}
