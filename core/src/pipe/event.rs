//! What a decoder takes and what it gives.

use super::control::{Hello, Pong, Stats, Welcome};
use super::id::{ResetCode, StreamId};
use super::message::{End, Request, Response};
use crate::buf::Slice;
use core::ops::Deref;

/// Something that bytes can be taken off from the front of: a [`Slice`] of a chunk, or `&[u8]`.
pub trait Input: Deref<Target = [u8]> + Sized {
    /// Takes the first `count` bytes off, of at least as many.
    #[must_use]
    fn take(&mut self, count: usize) -> Self;
}

impl Input for Slice {
    fn take(&mut self, count: usize) -> Self {
        if count == self.len() { core::mem::replace(self, Self::from_static(b"")) } else { self.split_to(count) }
    }
}

impl Input for &[u8] {
    fn take(&mut self, count: usize) -> Self {
        let (front, rest) = self.split_at(count);
        *self = rest;
        front
    }
}

/// What a decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'d, I> {
    /// The worker introduces itself; always first.
    Hello(Hello<'d>),
    /// The front's answer; always first.
    Welcome(Welcome),
    /// To be answered with the same token.
    Ping(u64),
    /// The answer to a PING.
    Pong(Pong),
    /// How the worker fares.
    Stats(Stats),
    /// The front opens no more streams.
    Drain,
    /// The application has closed its server.
    Closing,
    /// The worker wants to be served over HTTP, and why, in UTF-8 where the worker is well.
    Demote(&'d [u8]),
    /// A JavaScript stack, in UTF-8 where the worker is well.
    Stack(&'d [u8]),
    /// A request; `body` bytes of its body follow as [`Event::Data`] of the same frame.
    Request {
        /// The stream it opens.
        stream: StreamId,
        /// Its head. With [`END`](super::flag::END) its body ends with the bytes that follow.
        head: Request<'d>,
        /// Body bytes in the frame, for which credit is needed.
        body: u32,
    },
    /// A response; `body` bytes of its body follow as [`Event::Data`] of the same frame.
    Response {
        /// The stream.
        stream: StreamId,
        /// Its head. With [`END`](super::flag::END) its body ends with the bytes that follow.
        head: Response<'d>,
        /// Body bytes in the frame, for which credit is needed.
        body: u32,
    },
    /// An informational response.
    Inform {
        /// The stream.
        stream: StreamId,
        /// Its head.
        head: Response<'d>,
    },
    /// Bytes of a body, never none.
    Data {
        /// The stream.
        stream: StreamId,
        /// Bytes of the DATA frame that begins with this piece, for which credit is needed; 0 for its further pieces
        /// and for those that a head announced.
        begins: u32,
        /// The bytes.
        piece: I,
        /// Whether this is the body's last piece.
        ends: bool,
    },
    /// The body has ended.
    End {
        /// The stream.
        stream: StreamId,
        /// Its trailer fields.
        end: End<'d>,
    },
    /// The exchange is given up.
    Reset {
        /// The stream.
        stream: StreamId,
        /// Why.
        code: ResetCode,
    },
    /// More credit.
    Window {
        /// The stream.
        stream: StreamId,
        /// So many bytes.
        credit: u32,
    },
    /// Raw bytes follow.
    Raw(StreamId),
}
