//! A client's connection.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket};
use std::time::Duration;

use compio::BufResult;
use compio::driver::ToSharedFd;
use compio::io::AsyncWrite;
use compio::net::TcpStream;
use forebay_core::buf::{Chunk, Queue};
use socket2::SockRef;
use windows_sys::Win32::Networking::WinSock::{POLLRDNORM, SOCKET, WSAPOLLFD, WSAPoll};
use windows_sys::Win32::System::IO::CancelIoEx;

use super::receive::receive;
use super::turn::fair;
use crate::compio::buffers::Parts;
use crate::{Completion, Conn, Written};

/// A client's connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    finished: Cell<bool>,
    broken: Cell<bool>,
}

impl Client {
    /// The contract's view of a stream of compio's.
    #[must_use]
    pub const fn new(stream: TcpStream) -> Self {
        Self { stream, finished: Cell::new(false), broken: Cell::new(false) }
    }

    fn socket(&self) -> SOCKET {
        self.stream.as_raw_socket() as SOCKET
    }

    /// Ends what is in flight; later operations are not begun.
    fn cancel(&self) {
        self.broken.set(true);
        // SAFETY: the socket is open; no operation is named, so all of them are meant. There may be none.
        unsafe { CancelIoEx(self.socket() as _, std::ptr::null()) };
    }
}

impl Conn for Client {
    async fn read(&self, chunk: Chunk) -> Completion {
        debug_assert!(chunk.spare() > 0, "a read into a full chunk");
        if self.broken.get() {
            return (Ok(0), chunk);
        }
        match fair(receive(self.stream.to_shared_fd(), chunk)).await {
            (Err(_), chunk) if self.broken.get() => (Ok(0), chunk),
            done => done,
        }
    }

    async fn write(&self, parts: Queue) -> Written {
        debug_assert!(!parts.is_empty(), "a write of nothing");
        if self.broken.get() || self.finished.get() {
            return (Err(ErrorKind::BrokenPipe.into()), parts);
        }
        let BufResult(result, Parts(mut queue)) = fair((&self.stream).write_vectored(Parts(parts))).await;
        match result {
            Ok(0) => (Err(ErrorKind::WriteZero.into()), queue),
            Ok(count) => {
                queue.advance(count);
                (Ok(count), queue)
            }
            Err(error) => (Err(error), queue),
        }
    }

    fn finish(&self) {
        self.finished.set(true);
        // It fails where the connection is broken already.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
    }

    fn abort(&self) {
        if !self.broken.get() {
            self.cancel();
            // It fails where the connection is broken already.
            let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
        }
    }

    fn reset(&self) {
        if !self.broken.get() {
            // The RST is sent when the socket is closed, which nothing holds up: what was in flight is cancelled.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
            self.cancel();
        }
    }

    fn is_quiet(&self) -> bool {
        let mut asked = WSAPOLLFD { fd: self.socket(), events: POLLRDNORM, revents: 0 };
        // SAFETY: one entry is told and valid; the call does not wait.
        let found = unsafe { WSAPoll(&raw mut asked, 1, 0) };
        found == 0 && !self.broken.get()
    }
}

impl AsSocket for Client {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.stream.as_socket()
    }
}
