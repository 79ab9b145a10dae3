//! Accepting workers: a pipe of which some instances always wait.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use compio::driver::op::ConnectNamedPipe;
use compio::runtime::Runtime;
use compio::runtime::fd::AsyncFd;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, NMPWAIT_NOWAIT, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES, PIPE_WAIT, WaitNamedPipeW,
};

use super::Pipe;
use super::pipe::{adopt, wide};
use crate::Endpoint;
use crate::windows::Access;

/// Instances that wait for workers. Who comes when none does is told that the pipe is busy, and dials again.
const BACKLOG: usize = 8;

/// Bytes that each direction of a pipe holds: fewer wake-ups for bulk, as with the sockets of other systems.
const BUFFER_BYTES: u32 = 1 << 20;

/// An instance, and what becomes of it when a worker has come. Dropping it closes the pipe at once, not when the
/// operation has been given back: it would admit workers until then.
struct Waiting {
    /// Declared first, so that it is cancelled while the handle is open.
    connected: Pin<Box<dyn Future<Output = io::Result<()>>>>,
    handle: OwnedHandle,
}

impl Waiting {
    fn new(handle: OwnedHandle) -> io::Result<Self> {
        Runtime::with_current(|runtime| runtime.attach(handle.as_raw_handle()))?;
        // SAFETY: the operation is cancelled before the handle is closed, and then does not use it any more.
        let borrowed = unsafe { BorrowedHandle::borrow_raw(handle.as_raw_handle()) };
        let mut connected: Pin<Box<dyn Future<Output = io::Result<()>>>> =
            Box::pin(async move { compio::runtime::submit(ConnectNamedPipe::new(borrowed)).await.0.map(drop) });
        // Begins to wait now. One that has a worker already is asked again when somebody accepts.
        let begun = connected.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(outcome) = begun {
            connected = Box::pin(std::future::ready(outcome));
        }
        Ok(Self { connected, handle })
    }

    /// The pipe of a worker that has come.
    fn into_pipe(self) -> Pipe {
        let Self { connected, handle } = self;
        drop(connected);
        // SAFETY: it was attached to this thread's port when it was made.
        Pipe::new(unsafe { AsyncFd::new_unchecked(handle) })
    }
}

/// Accepts workers for one shard.
pub struct Entrance {
    path: Vec<u16>,
    security: Access,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// None once it is closed.
    waiting: Option<VecDeque<Waiting>>,
    acceptor: Option<Waker>,
}

pub(in crate::compio) fn open(endpoint: &Endpoint) -> io::Result<Entrance> {
    let entrance = Entrance { path: wide(endpoint), security: Access::user()?, state: RefCell::default() };
    if entrance.is_in_use() {
        return Err(ErrorKind::AddrInUse.into());
    }
    let first = entrance.instance(FILE_FLAG_FIRST_PIPE_INSTANCE).map_err(|error| {
        // Somebody has an instance, which is all the right they need to keep others from making the first.
        let is_taken = error.raw_os_error() == Some(ERROR_ACCESS_DENIED as i32);
        if is_taken { ErrorKind::AddrInUse.into() } else { error }
    })?;
    let mut waiting = VecDeque::with_capacity(BACKLOG);
    waiting.push_back(first);
    while waiting.len() < BACKLOG {
        waiting.push_back(entrance.instance(0)?);
    }
    entrance.state.borrow_mut().waiting = Some(waiting);
    Ok(entrance)
}

impl Entrance {
    /// Whether there is such a pipe. Windows would tell when the first instance is made; Wine makes another one.
    fn is_in_use(&self) -> bool {
        // SAFETY: the path ends with a NUL.
        let is_free = unsafe { WaitNamedPipeW(self.path.as_ptr(), NMPWAIT_NOWAIT) };
        is_free != 0 || io::Error::last_os_error().raw_os_error() != Some(ERROR_FILE_NOT_FOUND as i32)
    }

    /// Another instance. Byte mode, and nobody from another machine.
    fn instance(&self, flags: u32) -> io::Result<Waiting> {
        let open = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | flags;
        let mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
        let (instances, timeout) = (PIPE_UNLIMITED_INSTANCES, 0);
        let (path, security) = (self.path.as_ptr(), self.security.as_ptr());
        // SAFETY: the path ends with a NUL, and the attributes are alive.
        let made =
            unsafe { CreateNamedPipeW(path, open, mode, instances, BUFFER_BYTES, BUFFER_BYTES, timeout, security) };
        Waiting::new(adopt(made)?)
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Pipe>> {
        let mut state = self.state.borrow_mut();
        state.acceptor = Some(cx.waker().clone());
        let Some(waiting) = &mut state.waiting else { return Poll::Ready(Err(ErrorKind::NotConnected.into())) };
        // The oldest first: the system gives them out in this order.
        for at in 0..waiting.len() {
            let Poll::Ready(outcome) = waiting[at].connected.as_mut().poll(cx) else { continue };
            let taken = waiting.remove(at);
            // One short until the next call where this fails.
            let next = self.instance(0);
            waiting.extend(next);
            let pipe = taken.map(Waiting::into_pipe).ok_or(ErrorKind::NotConnected)?;
            return Poll::Ready(outcome.map(|()| pipe));
        }
        Poll::Pending
    }
}

impl crate::Entrance for Entrance {
    type Conn = Pipe;

    async fn accept(&self) -> io::Result<Pipe> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn close(&self) {
        let state = std::mem::take(&mut *self.state.borrow_mut());
        drop(state.waiting);
        state.acceptor.into_iter().for_each(Waker::wake);
    }
}

impl std::fmt::Debug for Entrance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entrance").finish_non_exhaustive()
    }
}
