//! What a decoder takes and what it gives.

use super::control::{Hello, Pong, Stats, Welcome};
use super::id::{ResetCode, StreamId};
use super::message::{End, Request, Response, flag};
use super::signal::Signal;
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

impl<I> Event<'_, I> {
    /// What the event means to the state of its stream: up to two steps, one after the other; none if it is one of the
    /// connection.
    ///
    /// A frame that ends a body ends it with its last byte, not with its first: until then the stream stays open.
    #[must_use]
    pub fn signals(&self) -> Option<(StreamId, [Option<Signal>; 2])> {
        let ended_by = |flags: u16, body: u32| flags & flag::END != 0 && body == 0;
        let (stream, first, then) = match *self {
            Event::Request { stream, head, body } => {
                let upgrade = head.flags & flag::UPGRADE != 0;
                (stream, Some(Signal::Request { body, ends: ended_by(head.flags, body), upgrade }), None)
            }
            Event::Response { stream, head, body } => {
                let stop = head.flags & flag::STOP != 0;
                (stream, Some(Signal::Response { body, ends: ended_by(head.flags, body), stop }), None)
            }
            Event::Inform { stream, .. } => (stream, Some(Signal::Inform), None),
            Event::Data { stream, begins, ends, .. } => {
                let data = (begins > 0).then_some(Signal::Data(begins));
                (stream, data, ends.then_some(Signal::End { stop: false }))
            }
            Event::End { stream, end } => (stream, Some(Signal::End { stop: end.stop }), None),
            Event::Reset { stream, .. } => (stream, Some(Signal::Reset), None),
            Event::Window { stream, credit } => (stream, Some(Signal::Window(credit)), None),
            Event::Raw(stream) => (stream, Some(Signal::Raw), None),
            Event::Hello(_)
            | Event::Welcome(_)
            | Event::Ping(_)
            | Event::Pong(_)
            | Event::Stats(_)
            | Event::Drain
            | Event::Closing
            | Event::Demote(_)
            | Event::Stack(_) => return None,
        };
        Some((stream, [first, then]))
    }
}
