//! A byte stream on monoio: clients over TCP and workers over Unix sockets alike.

use std::cell::UnsafeCell;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use forebay_core::buf::{Chunk, Queue, Slice};
use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio::net::UnixStream;

use super::driver;
use crate::{Completion, Conn, Written, unix};

/// A connected socket.
///
/// Held as monoio's `UnixStream` whatever its family: that is a counted descriptor and nothing else (its `TcpStream`
/// adds two cached addresses), and its operations, `recv` and `poll`, are the same for every stream socket.
#[derive(Debug)]
pub struct Stream(UnsafeCell<UnixStream>);

impl Stream {
    /// Hands a connected stream socket to this thread's runtime.
    ///
    /// # Errors
    /// When the runtime cannot take it.
    pub fn adopt(socket: impl Into<OwnedFd>) -> io::Result<Self> {
        let socket = StdUnixStream::from(socket.into());
        socket.set_nonblocking(driver::is_epoll())?;
        Ok(Self(UnsafeCell::new(UnixStream::from_std(socket)?)))
    }

    /// As [`adopt`](Stream::adopt), for a socket in blocking mode: saves a system call on io_uring.
    pub(super) fn adopt_blocking(socket: impl Into<OwnedFd>) -> io::Result<Self> {
        if driver::is_epoll() {
            return Self::adopt(socket);
        }
        Ok(Self(UnsafeCell::new(UnixStream::from_std(StdUnixStream::from(socket.into()))?)))
    }

    fn stream(&self) -> &UnixStream {
        // SAFETY: the only exclusive borrow is made in `receive` and ends there, before anything else can run.
        unsafe { &*self.0.get() }
    }

    fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: the stream owns the descriptor and keeps it open for as long as it is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.stream().as_raw_fd()) }
    }

    /// Submits a receive. The future holds the buffer and a count on the descriptor, nothing of `self`.
    fn receive(&self, tail: Tail) -> impl Future<Output = (io::Result<usize>, Tail)> {
        // SAFETY: no other borrow is alive: all others end with the method that makes them, and no method runs inside
        // another. The trait asks for `&mut`, but the operation only clones the descriptor's count.
        let stream = unsafe { &mut *self.0.get() };
        stream.read(tail)
    }
}

impl Stream {
    /// Submits a send; see [`receive`](Self::receive).
    fn submit(&self, slice: Whole) -> impl Future<Output = (io::Result<usize>, Whole)> {
        // SAFETY: as in `receive`.
        let stream = unsafe { &mut *self.0.get() };
        stream.write(slice)
    }
}

impl Conn for Stream {
    async fn read(&self, chunk: Chunk) -> Completion {
        debug_assert!(chunk.spare() > 0, "a read into a full chunk");
        let mut tail = Tail(chunk);
        loop {
            let (result, back) = self.receive(tail).await;
            match result {
                Err(error) if error.kind() == ErrorKind::Interrupted => tail = back,
                result => return (result, back.0),
            }
        }
    }

    async fn write(&self, mut parts: Queue) -> Written {
        debug_assert!(!parts.is_empty(), "a write of nothing");
        if let [slice] = parts.slices()
            && driver::takes_write()
        {
            let (result, _slice) = self.submit(Whole(slice.clone())).await;
            return match result {
                Ok(0) => (Err(ErrorKind::WriteZero.into()), parts),
                Ok(sent) => {
                    parts.advance(sent);
                    (Ok(sent), parts)
                }
                Err(error) => (Err(error), parts),
            };
        }
        loop {
            match unix::send(self.socket(), &parts) {
                Ok(sent) => {
                    parts.advance(sent);
                    return (Ok(sent), parts);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return (Err(error), parts),
            }
            // Not relaxed: under epoll a remembered readiness would let this loop spin.
            if let Err(error) = self.stream().writable(false).await
                && error.kind() != ErrorKind::Interrupted
            {
                return (Err(error), parts);
            }
        }
    }

    fn finish(&self) {
        unix::finish(self.socket());
    }

    fn abort(&self) {
        unix::abort(self.socket());
    }

    fn reset(&self) {
        unix::reset(self.socket());
    }

    fn is_quiet(&self) -> bool {
        unix::is_quiet(self.socket())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket()
    }
}

/// A chunk's unused memory as monoio's buffer: what is received is appended.
struct Tail(Chunk);

// SAFETY: the pointer is to the chunk's spare memory, as many bytes as `bytes_total` says. It is stable while the
// chunk is moved (its memory is on the heap) and exclusively the chunk's until the operation gives it back.
unsafe impl IoBufMut for Tail {
    fn write_ptr(&mut self) -> *mut u8 {
        self.0.spare_mut().as_mut_ptr().cast()
    }

    fn bytes_total(&mut self) -> usize {
        self.0.spare()
    }

    unsafe fn set_init(&mut self, count: usize) {
        // SAFETY: the caller has initialised `count` bytes from `write_ptr` on, where the spare memory begins.
        unsafe { self.0.advance(count) };
    }
}

/// A slice as monoio's buffer.
struct Whole(Slice);

// SAFETY: the slice's memory is initialised, stable while the slice is moved, and shared read-only for as long as the
// operation holds it.
unsafe impl IoBuf for Whole {
    fn read_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.0.len()
    }
}
