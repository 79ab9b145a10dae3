//! Bytes of one direction to events: heads borrowed, bodies as parts of the input, nothing else is kept.

use super::control::{Hello, Pong, Reader, Stats, Welcome};
use super::error::Error;
use super::event::{Event, Input};
use super::frame::{HEADER_BYTES, Header, Kind};
use super::id::{ResetCode, Role, StreamId};
use super::message::{End, Request, Response, flag};
use alloc::vec::Vec;

/// Bytes of memory for split heads that are kept for the next one. Most heads fit; 16 KiB.
const CARRY_BYTES_KEPT: usize = 16 * 1024;

#[derive(Clone, Copy, Debug)]
enum State {
    /// At a frame's header, of which so many bytes are here.
    Header(usize),
    /// At a frame's head: all that is not body. `need` bytes of it, or as many as tell how many are needed.
    Head {
        kind: Kind,
        stream: StreamId,
        len: u32,
        need: u32,
        measured: bool,
    },
    /// In a body.
    Body {
        stream: StreamId,
        begins: u32,
        left: u32,
        ends: bool,
    },
    /// In a frame that is skipped.
    Skip(u32),
    Failed(Error),
}

/// A frame's head that is complete.
struct Ready {
    kind: Kind,
    stream: StreamId,
    /// Body bytes behind it.
    body: u32,
}

/// Decodes what one side sends, in whatever pieces it arrives.
///
/// Heads that are whole in one input are borrowed from it. Others are put together in memory of the decoder's own, at
/// most [`HEAD_FRAME_BYTES_MAX`](super::HEAD_FRAME_BYTES_MAX) bytes. Bodies are never copied or waited for.
#[derive(Debug)]
pub struct Decoder<I> {
    from: Role,
    data_bytes_max: u32,
    state: State,
    greeted: bool,
    header: [u8; HEADER_BYTES],
    /// The head that the last event borrows, or
    held: Option<I>,
    /// the beginning of one.
    carry: Vec<u8>,
}

impl<I: Input> Decoder<I> {
    /// A decoder for what `from` sends, at the connection's beginning. `data_bytes_max` is what was announced to it.
    #[must_use]
    pub const fn new(from: Role, data_bytes_max: u32) -> Self {
        Self {
            from,
            data_bytes_max,
            state: State::Header(0),
            greeted: false,
            header: [0; HEADER_BYTES],
            held: None,
            carry: Vec::new(),
        }
    }

    /// Whether the input may end here: not inside of a frame.
    #[must_use]
    pub const fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Header(0))
    }

    /// Takes bytes off `input` up to the next event; `None` when all have been taken and more are needed.
    ///
    /// # Errors
    /// The peer's fault; calling again says the same.
    pub fn next(&mut self, input: &mut I) -> Result<Option<Event<'_, I>>, Error> {
        self.held = None;
        let ready = loop {
            match self.state {
                State::Failed(error) => return Err(error),
                State::Header(have) => match self.header(have, input) {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(error) => return self.fail(error),
                },
                State::Head { .. } => match self.head(input) {
                    Ok(Some(ready)) => break ready,
                    Ok(None) => return Ok(None),
                    Err(error) => return self.fail(error),
                },
                State::Body { stream, begins, left, ends } => {
                    let Some(taken) = part(left, input) else { return Ok(None) };
                    let left = left - taken;
                    self.state =
                        if left == 0 { State::Header(0) } else { State::Body { stream, begins: 0, left, ends } };
                    let piece = input.take(taken as usize);
                    return Ok(Some(Event::Data { stream, begins, piece, ends: ends && left == 0 }));
                }
                State::Skip(left) => {
                    let Some(taken) = part(left, input) else { return Ok(None) };
                    let _skipped = input.take(taken as usize);
                    self.state = if left == taken { State::Header(0) } else { State::Skip(left - taken) };
                }
            }
        };
        let head = self.held.as_deref().unwrap_or(&self.carry);
        match parse(&ready, head, self.from) {
            Ok((event, ends)) => {
                self.state = match ready.body {
                    0 => State::Header(0),
                    left => State::Body { stream: ready.stream, begins: 0, left, ends },
                };
                Ok(Some(event))
            }
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    fn fail<T>(&mut self, error: Error) -> Result<T, Error> {
        self.state = State::Failed(error);
        self.carry = Vec::new();
        Err(error)
    }

    /// Completes a header; false if it takes more input.
    fn header(&mut self, have: usize, input: &mut I) -> Result<bool, Error> {
        if self.carry.capacity() > CARRY_BYTES_KEPT {
            self.carry = Vec::new();
        }
        self.carry.clear();
        let taken = input.len().min(HEADER_BYTES - have);
        self.header[have..have + taken].copy_from_slice(&input.take(taken));
        if have + taken < HEADER_BYTES {
            self.state = State::Header(have + taken);
            return Ok(false);
        }
        let header = Header::read(self.header);
        let Header { len, stream, .. } = header;
        let greeting = match self.from {
            Role::Front => Kind::Welcome,
            Role::Worker => Kind::Hello,
        };
        // Whoever begins with anything else does not speak this protocol; other faults would only mislead.
        if !self.greeted && header.number != greeting as u8 {
            return Err(Error::BadMagic);
        }
        self.state = match header.judge(self.from, self.data_bytes_max)? {
            None if len == 0 => State::Header(0),
            None => State::Skip(len),
            Some(kind) if kind == greeting && self.greeted => return Err(Error::BadState),
            Some(Kind::Data) => State::Body { stream, begins: len, left: len, ends: false },
            Some(kind) => {
                let fixed = kind.fixed_bytes();
                State::Head { kind, stream, len, need: fixed.unwrap_or(len), measured: fixed.is_none() }
            }
        };
        self.greeted = true;
        Ok(true)
    }

    /// Completes a head; `None` if it takes more input.
    fn head(&mut self, input: &mut I) -> Result<Option<Ready>, Error> {
        while let State::Head { kind, stream, len, need, measured } = self.state {
            let whole = self.carry.is_empty() && input.len() >= need as usize;
            if !whole {
                let taken = input.len().min(need as usize - self.carry.len());
                self.carry.extend_from_slice(&input.take(taken));
            }
            if !whole && self.carry.len() < need as usize {
                return Ok(None);
            }
            if measured {
                if whole {
                    self.held = Some(input.take(need as usize));
                }
                return Ok(Some(Ready { kind, stream, body: len - need }));
            }
            let fixed: &[u8] = if whole { input } else { &self.carry };
            let need = Reader(fixed).u32().checked_add(need).filter(|need| *need <= len).ok_or(Error::BadLength)?;
            if len - need > self.data_bytes_max {
                return Err(Error::BadLength);
            }
            self.state = State::Head { kind, stream, len, need, measured: true };
        }
        Ok(None)
    }
}

/// How many of the `left` bytes are in the input; `None` if not one is.
fn part(left: u32, input: &[u8]) -> Option<u32> {
    let here = u32::try_from(input.len()).unwrap_or(u32::MAX).min(left);
    (here > 0).then_some(here)
}

/// The event of a complete head, and whether the body bytes behind it are the last.
fn parse<'d, I>(ready: &Ready, head: &'d [u8], from: Role) -> Result<(Event<'d, I>, bool), Error> {
    let &Ready { kind, stream, body } = ready;
    let mut ends = false;
    let event = match kind {
        Kind::Hello => Event::Hello(Hello::parse(head)?),
        Kind::Welcome => Event::Welcome(Welcome::parse(head)?),
        Kind::Ping => Event::Ping(Reader(head).u64()),
        Kind::Pong => Event::Pong(Pong::parse(head)),
        Kind::Stats => Event::Stats(Stats::parse(head)),
        Kind::Drain => Event::Drain,
        Kind::Closing => Event::Closing,
        Kind::Demote => Event::Demote(head),
        Kind::Stack => Event::Stack(head),
        Kind::Request => {
            let head = Request::parse(head, body)?;
            ends = head.flags & flag::END != 0;
            Event::Request { stream, head, body }
        }
        Kind::Response => {
            let head = Response::parse(head)?;
            ends = head.flags & flag::END != 0;
            Event::Response { stream, head, body }
        }
        Kind::Inform => Event::Inform { stream, head: Response::parse_informational(head)? },
        // Bodies are never put together; there is no such head.
        Kind::Data => return Err(Error::BadState),
        Kind::End => Event::End { stream, end: End::parse(head, from == Role::Worker)? },
        Kind::Reset => Event::Reset { stream, code: ResetCode::of(Reader(head).u8()) },
        Kind::Window => match Reader(head).u32() {
            credit @ 1..=super::WINDOW_BYTES_MAX => Event::Window { stream, credit },
            _ => return Err(Error::BadCredit),
        },
        Kind::Raw => Event::Raw(stream),
    };
    Ok((event, ends))
}
