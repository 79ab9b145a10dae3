//! What frames mean to the state of a stream: the table.
//!
//! Each stream has two halves, one a sender. [`front_half`] and [`worker_half`] say what each may send, and where that
//! leads.

use core::fmt;

/// What a frame of a stream means to its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// REQUEST: `body` bytes in it, whether the body ends with them, whether another protocol is asked for.
    Request {
        /// Body bytes in the frame.
        body: u32,
        /// Whether the front's half ends with the frame.
        ends: bool,
        /// Whether the stream is offered for RAW.
        upgrade: bool,
    },
    /// RESPONSE.
    Response {
        /// Body bytes in the frame.
        body: u32,
        /// Whether the worker's half ends with the frame.
        ends: bool,
        /// Whether the rest of the request's body is not wanted.
        stop: bool,
    },
    /// INFORM
    Inform,
    /// RAW
    Raw,
    /// DATA, of so many bytes.
    Data(u32),
    /// END, and whether the rest of the request's body is not wanted.
    End {
        /// Never from the front.
        stop: bool,
    },
    /// RESET
    Reset,
    /// WINDOW, of so much credit.
    Window(u32),
}

impl Signal {
    /// Body bytes in the frame, for which credit is needed.
    pub(super) const fn body(self) -> u32 {
        match self {
            Self::Request { body, .. } | Self::Response { body, .. } | Self::Data(body) => body,
            Self::Inform | Self::Raw | Self::End { .. } | Self::Reset | Self::Window(_) => 0,
        }
    }

    /// Whether it says that the rest of the request's body is not wanted.
    pub(super) const fn stops(self) -> bool {
        matches!(self, Self::Response { stop: true, .. } | Self::End { stop: true })
    }
}

/// Where one half of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// The worker has not sent a response's head yet.
    Head,
    /// The front has offered the stream for an upgrade and waits for what the worker says to it.
    Held,
    /// A body, or raw bytes.
    Body,
    /// END or RESET was sent.
    Done,
}

/// What the front may send; `None` is what it may not.
pub(super) const fn front_half(half: Half, signal: Signal) -> Option<Half> {
    match (half, signal) {
        (Half::Body, Signal::Data(_)) => Some(Half::Body),
        (Half::Held | Half::Body, Signal::End { stop: false }) => Some(Half::Done),
        // After END too: nobody wants the answer any more.
        (Half::Held | Half::Body | Half::Done, Signal::Reset) => Some(Half::Done),
        (half, Signal::Window(_)) => Some(half),
        (Half::Head, _)
        | (Half::Held | Half::Done, Signal::Data(_))
        | (Half::Done, Signal::End { .. })
        | (Half::Held | Half::Body, Signal::End { stop: true })
        | (_, Signal::Request { .. } | Signal::Response { .. } | Signal::Inform | Signal::Raw) => None,
    }
}

/// What the worker may send; `None` is what it may not.
pub(super) const fn worker_half(half: Half, offered: bool, signal: Signal) -> Option<Half> {
    match (half, signal) {
        (Half::Head, Signal::Inform) => Some(Half::Head),
        (Half::Head, Signal::Response { ends: false, .. }) => Some(Half::Body),
        (Half::Head, Signal::Response { ends: true, .. }) => Some(Half::Done),
        (Half::Head, Signal::Raw) if offered => Some(Half::Body),
        (Half::Body, Signal::Data(_)) => Some(Half::Body),
        (Half::Body, Signal::End { .. }) => Some(Half::Done),
        (Half::Head | Half::Body, Signal::Reset) => Some(Half::Done),
        (half, Signal::Window(_)) => Some(half),
        (Half::Held, _)
        | (Half::Head, Signal::Raw | Signal::Data(_) | Signal::End { .. })
        | (Half::Body | Half::Done, Signal::Inform | Signal::Response { .. } | Signal::Raw)
        | (Half::Done, Signal::Data(_) | Signal::End { .. } | Signal::Reset)
        | (_, Signal::Request { .. }) => None,
    }
}

/// What has to be done about a frame that was received or sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The frame is to be acted on; otherwise it is late, and dropped.
    pub deliver: bool,
    /// A RESET (`Cancelled`) is to be sent, and counts as sent.
    pub answer: bool,
    /// The stream is closed. Its id means nothing any more.
    pub closed: bool,
}

impl Outcome {
    pub(super) const LATE: Self = Self { deliver: false, answer: false, closed: false };
}

/// What this end must not send. A fault of the caller; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// No slot is free.
    NoSlot,
    /// There is no such stream.
    Closed,
    /// The frame does not suit the stream's state.
    State,
    /// There is not enough credit.
    Credit,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSlot => "no slot is free",
            Self::Closed => "the stream is closed",
            Self::State => "the frame does not suit the stream's state",
            Self::Credit => "there is not enough credit",
        })
    }
}

impl core::error::Error for Misuse {}
