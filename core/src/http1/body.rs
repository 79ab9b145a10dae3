//! Bodies as runs of bytes to pass on: one step function, whatever the framing.

use super::chunked::ChunkedDecoder;
use super::error::Reject;
use super::framing::Framing;
use core::ops::Range;

/// Who sent the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A client: critical trailer fields are refused.
    Request,
    /// A worker: only trailer fields that would change the framing are refused.
    Response,
}

/// What of a chunked body is passed on. Makes no difference for other framings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Data with its chunk framing and trailer section, extensions removed: again a chunked body.
    Verbatim,
    /// The data alone: for an HTTP/1.0 client, or where another framing is put around it. Trailer fields are told apart;
    /// see [`Run::trailer`].
    DataOnly,
}

/// What one call of [`BodyDecoder::decode`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The part of the input to pass on, possibly empty. Never reaches beyond `consumed`.
    pub forward: Range<usize>,
    /// With [`Flavour::DataOnly`], the part of the input that belongs to the lines of trailer fields, possibly empty;
    /// [`Trailers`](super::Trailers) collects it. They are good once the body is done.
    pub trailer: Range<usize>,
    /// Bytes of the input that are dealt with.
    pub consumed: usize,
    /// Bytes of body data among them: without framing, extensions and trailers.
    pub data_bytes: u64,
    /// Whether the body ended. Input beyond `consumed` belongs to the next message.
    pub done: bool,
}

impl Run {
    /// The first `len` bytes are data.
    const fn data(len: usize, done: bool) -> Self {
        Self { forward: 0..len, trailer: 0..0, consumed: len, data_bytes: len as u64, done }
    }
}

/// Follows a body of any framing.
///
/// Every call deals with at least one byte of an input that is not empty, unless the body has ended; nothing has to be
/// kept for the next call. An offending byte is reported when it comes first in the input: what stood before it was
/// passed on as in any other split of the same bytes. A copy of the decoder looks ahead without commitment; see
/// [`check`](Self::check).
///
/// ```
/// use forebay_core::http1::{BodyDecoder, Flavour, Framing, Side};
///
/// let mut decoder = BodyDecoder::new(Framing::Chunked, Flavour::Verbatim, Side::Request);
/// let input = b"5;sig=x\r\nhello\r\n0\r\n\r\nGET /next";
/// let (mut at, mut sent) = (0, Vec::new());
/// while at < input.len() && !decoder.is_done() {
///     let run = decoder.decode(&input[at..])?;
///     sent.extend_from_slice(&input[at..][run.forward]); // a slice of the buffer, not a copy, in the server
///     at += run.consumed;
/// }
/// assert_eq!(sent, b"5\r\nhello\r\n0\r\n\r\n");
/// assert_eq!(&input[at..], b"GET /next");
/// # Ok::<(), forebay_core::http1::Reject>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BodyDecoder {
    framing: State,
    flavour: Flavour,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// So many bytes to come; 0 is the end.
    Length(u64),
    Chunked(ChunkedDecoder),
    /// Whatever comes, until the connection ends.
    Open,
}

impl BodyDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub const fn new(framing: Framing, flavour: Flavour, side: Side) -> Self {
        let framing = match framing {
            Framing::None => State::Length(0),
            Framing::Length(bytes) => State::Length(bytes),
            Framing::Chunked => State::Chunked(ChunkedDecoder::new(side)),
            Framing::UntilClose | Framing::Tunnel => State::Open,
        };
        Self { framing, flavour }
    }

    /// Whether the body has ended. A body that ends with its connection never says so; see [`finish`](Self::finish).
    #[must_use]
    pub const fn is_done(&self) -> bool {
        match &self.framing {
            State::Length(left) => *left == 0,
            State::Chunked(decoder) => decoder.is_done(),
            State::Open => false,
        }
    }

    /// Bytes still to come, where that is known.
    #[must_use]
    pub const fn left(&self) -> Option<u64> {
        match &self.framing {
            State::Length(left) => Some(*left),
            State::Chunked(_) | State::Open => None,
        }
    }

    /// Whether the line that begins a chunk is due, or has begun.
    #[must_use]
    pub const fn awaits_chunk(&self) -> bool {
        match &self.framing {
            State::Chunked(decoder) => decoder.awaits_chunk(),
            State::Length(_) | State::Open => false,
        }
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// 400: the first byte of `input` does not fit a chunked body. Calling again says the same.
    pub fn decode(&mut self, input: &[u8]) -> Result<Run, Reject> {
        match &mut self.framing {
            State::Length(left) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= len as u64;
                Ok(Run::data(len, *left == 0))
            }
            State::Chunked(decoder) => decoder.decode(input, self.flavour),
            State::Open => Ok(Run::data(input.len(), false)),
        }
    }

    /// Looks ahead: whether all of `input` is acceptable as the next bytes (and beginning of the next message).
    ///
    /// Lets the server refuse a broken body that arrived together with its head before a worker hears of it.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), for any byte of `input`.
    pub fn check(mut self, mut input: &[u8]) -> Result<(), Reject> {
        while !input.is_empty() && !self.is_done() {
            let run = self.decode(input)?;
            input = &input[run.consumed..];
        }
        Ok(())
    }

    /// The sender has closed.
    ///
    /// # Errors
    /// 400: the body is incomplete, so the message must not be taken for whole (RFC 9112 section 8).
    pub const fn finish(&self) -> Result<(), Reject> {
        if self.is_done() || matches!(self.framing, State::Open) {
            Ok(())
        } else {
            Err(Reject::bad("The connection ended before the body did."))
        }
    }
}
