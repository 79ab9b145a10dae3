//! Chunks and queues as compio's buffers: views that are lent with an operation and taken apart after it.

use std::mem::MaybeUninit;

use compio::buf::{IoBuf, IoBufMut, IoVectoredBuf, SetLen};
use forebay_core::buf::{Chunk, Queue};

/// A chunk's unused memory: what is received is appended.
pub(super) struct Tail {
    chunk: Chunk,
    /// Bytes the chunk held before.
    start: usize,
}

impl Tail {
    pub(super) fn new(chunk: Chunk) -> Self {
        Self { start: chunk.len(), chunk }
    }

    pub(super) fn into_chunk(self) -> Chunk {
        self.chunk
    }
}

impl IoBuf for Tail {
    fn as_init(&self) -> &[u8] {
        &self.chunk[self.start..]
    }
}

impl SetLen for Tail {
    unsafe fn set_len(&mut self, len: usize) {
        let more = len.checked_sub(self.chunk.len() - self.start);
        // SAFETY: the caller has initialised the first `len` bytes of the view; those that are new begin the spare memory.
        unsafe { self.chunk.advance(more.expect("a receive only adds")) };
    }
}

impl IoBufMut for Tail {
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // The view begins where the spare memory begins only as long as nothing was received.
        assert_eq!(self.chunk.len(), self.start, "a view is lent once");
        self.chunk.spare_mut()
    }
}

/// A queue's slices, as many as one call takes.
pub(super) struct Parts(pub(super) Queue);

impl IoVectoredBuf for Parts {
    fn iter_slice(&self) -> impl Iterator<Item = &[u8]> {
        self.0.slices().iter().take(Queue::SLICES_MAX).map(|slice| &**slice)
    }
}
