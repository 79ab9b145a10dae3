//! A byte stream on compio, over whichever of its socket types.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWrite};
use forebay_core::buf::{Chunk, Queue};

use crate::compio::buffers::{Parts, Tail};
use crate::{Completion, Conn, Written};

/// A connected socket.
#[derive(Debug)]
pub struct Stream<S>(S);

impl<S> Stream<S> {
    /// The contract's view of a stream of compio's.
    pub const fn new(stream: S) -> Self {
        Self(stream)
    }
}

impl<S: AsFd> AsFd for Stream<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<S: AsFd + 'static> Conn for Stream<S>
where
    for<'a> &'a S: AsyncRead + AsyncWrite,
{
    async fn read(&self, chunk: Chunk) -> Completion {
        debug_assert!(chunk.spare() > 0, "a read into a full chunk");
        let mut tail = Tail::new(chunk);
        loop {
            let BufResult(result, back) = (&self.0).read(tail).await;
            match result {
                Err(error) if error.kind() == ErrorKind::Interrupted => tail = back,
                result => return (result, back.into_chunk()),
            }
        }
    }

    async fn write(&self, parts: Queue) -> Written {
        debug_assert!(!parts.is_empty(), "a write of nothing");
        let mut parts = Parts(parts);
        loop {
            let BufResult(result, Parts(mut queue)) = (&self.0).write_vectored(parts).await;
            match result {
                Err(error) if error.kind() == ErrorKind::Interrupted => parts = Parts(queue),
                Ok(0) => return (Err(ErrorKind::WriteZero.into()), queue),
                Ok(count) => {
                    queue.advance(count);
                    return (Ok(count), queue);
                }
                Err(error) => return (Err(error), queue),
            }
        }
    }

    fn finish(&self) {
        crate::unix::finish(self.as_fd());
    }

    fn abort(&self) {
        crate::unix::abort(self.as_fd());
    }

    fn reset(&self) {
        crate::unix::reset(self.as_fd());
    }

    fn is_quiet(&self) -> bool {
        crate::unix::is_quiet(self.as_fd())
    }
}
