//! One exchange's stream: what it sends, what has come for it, and that the worker hears when nobody wants it any more.

use std::rc::Rc;
use std::task::{Context, Poll};

use forebay_core::buf::Queue;
use forebay_core::pipe::{ResetCode, Signal, StreamId, put_data, put_reset};

use super::inbox::News;
use super::{Engine, Pipe, State};

/// A stream of a worker's connection, from its REQUEST on. Dropped before its end it is given up.
pub(in crate::shard) struct Stream<E: Engine> {
    pipe: Rc<Pipe<E>>,
    id: StreamId,
    key: u32,
    /// Whether our half has ended.
    ended: bool,
    /// What the worker hears when it is dropped before its end.
    code: ResetCode,
}

impl<E: Engine> Stream<E> {
    pub(super) fn new(pipe: Rc<Pipe<E>>, id: StreamId, key: u32, ended: bool) -> Self {
        Self { pipe, id, key, ended, code: ResetCode::Cancelled }
    }

    /// Whether our half has ended.
    pub(in crate::shard) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Ready with what has come since the last time.
    pub(in crate::shard) fn poll(&self, cx: &mut Context<'_>) -> Poll<News> {
        self.pipe.state.borrow_mut().inboxes.get(self.key).map_or(Poll::Pending, |inbox| inbox.poll(cx))
    }

    /// Sends body data or raw bytes off the front of `data`, as far as the credit goes.
    pub(in crate::shard) fn send(&mut self, data: &mut Queue) {
        let mut state = self.pipe.state.borrow_mut();
        let State { streams, inboxes, out, data_bytes_max, is_dead, .. } = &mut *state;
        if *is_dead {
            return;
        }
        let before = out.total();
        while !data.is_empty() {
            let credit = streams.credit(self.id).min(*data_bytes_max);
            let count = data.len().min(credit as usize);
            if count == 0 || streams.send(self.id, Signal::Data(count as u32)).is_err() {
                break;
            }
            // Eight bytes always fit.
            let _fits = put_data(self.id, count as u32, out);
            let mut left = count;
            for piece in data.slices() {
                let part = left.min(piece.len());
                out.put_slice(piece.slice(..part));
                left -= part;
                if left == 0 {
                    break;
                }
            }
            data.advance(count);
            if let Some(inbox) = inboxes.get(self.key) {
                inbox.told = true;
            }
        }
        // Without credit there is nothing to wake the writer for.
        let has_sent = out.total() > before;
        drop(state);
        if has_sent {
            self.pipe.flush.want();
        }
    }

    /// Ends our half, with trailer fields if there are any.
    pub(in crate::shard) fn end<'f>(&mut self, trailers: impl IntoIterator<Item = (&'f [u8], &'f [u8])>) {
        self.ended = true;
        let mut state = self.pipe.state.borrow_mut();
        let State { streams, out, encoder, is_dead, .. } = &mut *state;
        if *is_dead || streams.send(self.id, Signal::End { stop: false }).is_err() {
            return;
        }
        if encoder.end(self.id, false, trailers, out).is_err() {
            // Trailers that do not fit are not needed to understand the message (RFC 9110 section 6.5.1).
            let _fits = encoder.end(self.id, false, std::iter::empty(), out);
        }
        drop(state);
        self.pipe.flush.want();
    }

    /// What came is not HTTP: that is why it will be given up.
    pub(in crate::shard) fn blame(&mut self) {
        self.code = ResetCode::Protocol;
    }

    /// Body bytes that came have been used up.
    pub(in crate::shard) fn on_used(&self, bytes: usize) {
        self.pipe.grant(self.id, bytes);
    }
}

impl<E: Engine> Drop for Stream<E> {
    fn drop(&mut self) {
        let mut state = self.pipe.state.borrow_mut();
        let State { streams, inboxes, out, is_dead, .. } = &mut *state;
        inboxes.remove(self.key);
        if !*is_dead && streams.is_open(self.id) && streams.send(self.id, Signal::Reset).is_ok() {
            // Nine bytes always fit.
            let _fits = put_reset(self.id, self.code, out);
            drop(state);
            self.pipe.flush.want();
        }
    }
}
