//! Listeners beside the engines: named pipes, of which one instance waits for the next client.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle};
use std::ptr::null_mut;

/// A connection that threads read and write, one of them at a time.
pub use std::fs::File as LocalStream;
/// A connection of tokio.
pub use tokio::net::windows::named_pipe::NamedPipeServer as AsyncStream;

use tokio::net::windows::named_pipe::ServerOptions;
use windows_sys::Win32::Foundation::{ERROR_NO_DATA, ERROR_PIPE_BUSY, ERROR_PIPE_CONNECTED, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_ACCESS_DUPLEX};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES, WaitNamedPipeW,
};

use super::local::wide;
use super::{Access, check};
use crate::Endpoint;

/// Bytes that each direction of a [`LocalStream`] holds.
const BUFFER_BYTES: u32 = 4096;

/// How long a client waits while all instances are taken, in milliseconds: a moment, unless nobody accepts. 5 s.
const WAIT_MS: u32 = 5000;

/// Accepts on a thread, which waits.
#[derive(Debug)]
pub struct LocalListener {
    endpoint: Endpoint,
    next: File,
}

impl LocalListener {
    /// Listens for this user alone.
    ///
    /// # Errors
    /// The system's; also when somebody else has made a pipe of this name.
    pub fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let next = instance(endpoint, FILE_FLAG_FIRST_PIPE_INSTANCE)?;
        Ok(Self { endpoint: endpoint.clone(), next })
    }

    /// The next connection.
    ///
    /// # Errors
    /// The system's; the next call may succeed.
    pub fn accept(&mut self) -> io::Result<LocalStream> {
        // SAFETY: the handle is open, and made without overlapped operations.
        let connected = check(unsafe { ConnectNamedPipe(self.next.as_raw_handle(), null_mut()) });
        // Who came before we waited is there, and who has left may have said something.
        let is = |error: &io::Error, code: u32| error.raw_os_error() == Some(code as i32);
        connected.or_else(|error| match error {
            error if is(&error, ERROR_PIPE_CONNECTED) || is(&error, ERROR_NO_DATA) => Ok(()),
            error => Err(error),
        })?;
        let next = instance(&self.endpoint, 0)?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Wakes who accepts there, once. The pipe goes with its listener.
    pub fn end(endpoint: &Endpoint) {
        let _gone = dial(endpoint);
    }
}

fn instance(endpoint: &Endpoint, flags: u32) -> io::Result<File> {
    let (path, access) = (wide(endpoint.path()), Access::user()?);
    let mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_REJECT_REMOTE_CLIENTS;
    let (open, most, room) = (PIPE_ACCESS_DUPLEX | flags, PIPE_UNLIMITED_INSTANCES, BUFFER_BYTES);
    // SAFETY: the path ends with a NUL, and the attributes are alive.
    let pipe = unsafe { CreateNamedPipeW(path.as_ptr(), open, mode, most, room, room, 0, access.as_ptr()) };
    if pipe == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and nobody else owns what it made. The handle is not inherited.
    Ok(unsafe { File::from_raw_handle(pipe) })
}

/// Comes to who listens there, as a client; waits while all instances are taken.
///
/// # Errors
/// The system's.
pub fn dial(endpoint: &Endpoint) -> io::Result<LocalStream> {
    let path = wide(endpoint.path());
    loop {
        match OpenOptions::new().read(true).write(true).open(endpoint.path()) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY as i32) => {
                // SAFETY: the path ends with a NUL.
                check(unsafe { WaitNamedPipeW(path.as_ptr(), WAIT_MS) })?;
            }
            opened => return opened,
        }
    }
}

/// Accepts in a runtime of tokio.
#[derive(Debug)]
pub struct AsyncListener {
    endpoint: Endpoint,
    next: AsyncStream,
}

impl AsyncListener {
    /// As [`LocalListener::open`]. Call it inside a runtime.
    ///
    /// # Errors
    /// The system's.
    pub fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let next = async_instance(endpoint, true)?;
        Ok(Self { endpoint: endpoint.clone(), next })
    }

    /// The next connection.
    ///
    /// # Errors
    /// The system's; the next call may succeed.
    pub async fn accept(&mut self) -> io::Result<AsyncStream> {
        self.next.connect().await?;
        let next = async_instance(&self.endpoint, false)?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}

fn async_instance(endpoint: &Endpoint, first: bool) -> io::Result<AsyncStream> {
    let access = Access::user()?;
    let mut options = ServerOptions::new();
    options.first_pipe_instance(first);
    // SAFETY: the attributes are what the call wants, and alive.
    unsafe { options.create_with_security_attributes_raw(endpoint.path(), access.as_ptr().cast_mut().cast()) }
}
