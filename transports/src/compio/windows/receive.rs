//! Receiving from a socket, with the error that ended it.
//!
//! compio's own receive takes a connection that was reset for one that has ended (its port maps several errors to zero
//! bytes), so this one looks at the status that the system has left.

use std::io::{self, ErrorKind};
use std::ptr::null_mut;
use std::task::Poll;

use compio::BufResult;
use compio::buf::{IoBufMut, SetLen};
use compio::driver::{AsRawFd, Extra, OpCode, SharedFd};
use forebay_core::buf::Chunk;
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{WSA_IO_PENDING, WSABUF, WSARecv};
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED};

use crate::Completion;
use crate::compio::buffers::Tail;

/// Receives into a chunk's unused memory.
pub(super) async fn receive(socket: SharedFd<Socket>, chunk: Chunk) -> Completion {
    let operation = Receive { socket, tail: Tail::new(chunk), overlapped: null_mut(), failed: false };
    let BufResult(result, mut done) = compio::runtime::submit(operation).await;
    let result = match result {
        Ok(0) if done.failed => Err(ErrorKind::ConnectionReset.into()),
        Ok(count) => {
            // SAFETY: the system has filled so many bytes from the view's start on.
            unsafe { done.tail.set_len(count) };
            Ok(count)
        }
        Err(error) => Err(error),
    };
    (result, done.tail.into_chunk())
}

struct Receive {
    socket: SharedFd<Socket>,
    tail: Tail,
    /// Where the system puts the status; valid until the result is set.
    overlapped: *mut OVERLAPPED,
    /// Whether the status was an error.
    failed: bool,
}

// SAFETY: the buffer is the operation's own, on the heap, and stays where it is until the operation is over. `operate`
// calls nothing that waits, and the operation needs no control of its own.
unsafe impl OpCode for Receive {
    type Control = ();

    unsafe fn operate(&mut self, (): &mut (), overlapped: *mut OVERLAPPED) -> Poll<io::Result<usize>> {
        let room = self.tail.as_uninit();
        let buffer = WSABUF { len: u32::try_from(room.len()).unwrap_or(u32::MAX), buf: room.as_mut_ptr().cast() };
        let (mut count, mut flags) = (0, 0);
        let socket = self.socket.as_raw_fd() as usize;
        // SAFETY: the buffer's memory and the overlapped structure live as long as the operation.
        let result = unsafe { WSARecv(socket, &raw const buffer, 1, &raw mut count, &raw mut flags, overlapped, None) };
        if result == 0 {
            return Poll::Ready(Ok(count as usize));
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(WSA_IO_PENDING) {
            return Poll::Ready(Err(error));
        }
        self.overlapped = overlapped;
        Poll::Pending
    }

    fn cancel(&mut self, (): &mut (), overlapped: *mut OVERLAPPED) -> io::Result<()> {
        // SAFETY: the socket is open, and the structure only names the operation.
        match unsafe { CancelIoEx(self.socket.as_raw_fd(), overlapped) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    unsafe fn set_result(&mut self, (): &mut (), _result: &io::Result<usize>, _extra: &Extra) {
        if !self.overlapped.is_null() {
            // SAFETY: the structure belongs to this operation, which is being completed.
            let status = unsafe { (*self.overlapped).Internal } as i32;
            self.failed = status < 0;
        }
    }
}
