//! A place for one operation of a connection at a time: start it, poll it together with others, never drop it midway.
//!
//! A relay has up to four operations in flight and goes on with whichever completes first. Completion IO lends the
//! buffer to the operation, so an operation that has begun has to be kept and polled again; an [`Op`] is where.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use forebay_core::buf::{Chunk, Queue};
use forebay_transports::{Completion, Conn, Written};
use pin_project_lite::pin_project;

/// One direction of one connection: idle, or busy with one operation.
pub(super) trait Op<I> {
    /// What an operation ends in.
    type Done;

    /// Begins an operation. The place is idle.
    fn start(self: Pin<&mut Self>, input: I);

    /// Whether an operation is in flight.
    fn is_busy(&self) -> bool;

    /// Polls the operation in flight; pending while idle. Once ready, the place is idle again.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Done>;
}

pin_project! {
    struct Place<S, F> {
        begin: S,
        #[pin]
        running: Option<F>,
    }
}

impl<I, S, F> Op<I> for Place<S, F>
where
    S: FnMut(I) -> F,
    F: Future,
{
    type Done = F::Output;

    fn start(self: Pin<&mut Self>, input: I) {
        debug_assert!(!self.is_busy());
        let mut this = self.project();
        let running = (this.begin)(input);
        this.running.set(Some(running));
    }

    fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(running) = this.running.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let done = running.poll(cx);
        if done.is_ready() {
            this.running.set(None);
        }
        done
    }
}

fn place<I, S: FnMut(I) -> F, F: Future>(begin: S) -> Place<S, F> {
    Place { begin, running: None }
}

/// Reads of `conn`.
pub(super) fn reader<C: Conn>(conn: &C) -> impl Op<Chunk, Done = Completion> + '_ {
    place(|chunk| conn.read(chunk))
}

/// Writes to `conn`.
pub(super) fn writer<C: Conn>(conn: &C) -> impl Op<Queue, Done = Written> + '_ {
    place(|parts| conn.write(parts))
}

/// Waits until the operation in flight is over, if there is one, and drops what it brings.
pub(super) async fn settle<I>(mut op: Pin<&mut impl Op<I>>) {
    if op.is_busy() {
        poll_fn(|cx| op.as_mut().poll(cx)).await;
    }
}
