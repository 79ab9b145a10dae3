//! A connection to a worker: either end of a named pipe.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use std::time::Duration;

use compio::BufResult;
use compio::buf::IoBuf;
use compio::io::{AsyncRead, AsyncWrite};
use compio::runtime::fd::AsyncFd;
use forebay_core::buf::{Chunk, Queue};
use forebay_core::time::Timestamp;
use windows_sys::Win32::Foundation::{
    ERROR_OPERATION_ABORTED, ERROR_PIPE_BUSY, GENERIC_READ, GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT,
};
use windows_sys::Win32::System::IO::CancelIoEx;
use windows_sys::Win32::System::Pipes::PeekNamedPipe;

use super::turn::fair;
use crate::compio::Compio;
use crate::compio::buffers::Tail;
use crate::{Completion, Conn, Endpoint, Engine, Written};

/// How long to wait before a pipe is dialled again of which no instance is free.
const REDIAL: Duration = Duration::from_millis(2);

/// A connected pipe in byte mode.
///
/// Its peer notices an end when the handle is closed, so breaking it off lets the handle go: operations in flight hold
/// it until they are cancelled. What was written before can still be read by the peer.
#[derive(Debug)]
pub struct Pipe(RefCell<Option<AsyncFd<OwnedHandle>>>);

impl Pipe {
    pub(super) const fn new(handle: AsyncFd<OwnedHandle>) -> Self {
        Self(RefCell::new(Some(handle)))
    }

    fn handle(&self) -> Option<AsyncFd<OwnedHandle>> {
        self.0.borrow().clone()
    }
}

impl Conn for Pipe {
    async fn read(&self, chunk: Chunk) -> Completion {
        debug_assert!(chunk.spare() > 0, "a read into a full chunk");
        let Some(handle) = self.handle() else { return (Ok(0), chunk) };
        let BufResult(result, tail) = fair((&handle).read(Tail::new(chunk))).await;
        let result = match result {
            Err(error) if error.raw_os_error() == Some(ERROR_OPERATION_ABORTED as i32) => Ok(0),
            other => other,
        };
        (result, tail.into_chunk())
    }

    async fn write(&self, parts: Queue) -> Written {
        debug_assert!(!parts.is_empty(), "a write of nothing");
        let Some(handle) = self.handle() else { return (Err(ErrorKind::BrokenPipe.into()), parts) };
        let BufResult(result, Front(mut queue)) = fair((&handle).write(Front(parts))).await;
        match result {
            // A dead pipe takes no bytes rather than giving an error.
            Ok(0) => (Err(ErrorKind::WriteZero.into()), queue),
            Ok(count) => {
                queue.advance(count);
                (Ok(count), queue)
            }
            Err(error) => (Err(error), queue),
        }
    }

    fn finish(&self) {}

    fn abort(&self) {
        if let Some(handle) = self.0.take() {
            // SAFETY: the handle is open; no operation is named, so all of them are meant. There may be none.
            unsafe { CancelIoEx(handle.as_raw_handle(), null()) };
        }
    }

    fn reset(&self) {
        self.abort();
    }

    fn is_quiet(&self) -> bool {
        let Some(handle) = self.handle() else { return false };
        let mut waiting = 0;
        // SAFETY: the handle is open and the count valid for writing; nothing else is asked for.
        let open =
            unsafe { PeekNamedPipe(handle.as_raw_handle(), null_mut(), 0, null_mut(), &raw mut waiting, null_mut()) };
        open != 0 && waiting == 0
    }
}

/// A queue's first slice: a pipe takes one buffer at a time.
struct Front(Queue);

impl IoBuf for Front {
    fn as_init(&self) -> &[u8] {
        self.0.slices().first().map_or(&[], |slice| slice)
    }
}

/// A path as the system takes it.
pub(super) fn wide(endpoint: &Endpoint) -> Vec<u16> {
    endpoint.path().as_os_str().encode_wide().chain([0]).collect()
}

/// What a call that makes a handle has returned.
pub(super) fn adopt(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and nobody else owns what it made.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

pub(in crate::compio) async fn dial(endpoint: &Endpoint, deadline: Timestamp) -> io::Result<Pipe> {
    let path = wide(endpoint);
    loop {
        match connect(&path) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY as i32) => {}
            other => return Ok(Pipe::new(AsyncFd::new(other?)?)),
        }
        let now = Compio::now();
        if now >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        Compio::sleep_until(deadline.min(now + REDIAL)).await;
    }
}

/// One attempt; it does not wait. A server may know who we are, and not act as us.
fn connect(path: &[u16]) -> io::Result<OwnedHandle> {
    let flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    let access = GENERIC_READ | GENERIC_WRITE;
    // SAFETY: the path ends with a NUL; no attributes and no template are given.
    adopt(unsafe { CreateFileW(path.as_ptr(), access, 0, null(), OPEN_EXISTING, flags, null_mut()) })
}
