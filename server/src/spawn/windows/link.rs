//! How the preload is told that its process is to end, as there are no signals: a pipe that it dials when it is loaded.
//!
//! A word is written there at most once, and fits the pipe's buffer: nobody waits.

use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};

use forebay_transports::Endpoint;
use forebay_transports::windows::Access;
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_ACCESS_DUPLEX, WriteFile};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
};

/// Where the preload finds it.
pub(super) const VARIABLE: &str = "FOREBAY_ORDERS";

/// What it is told.
const STOP: &[u8] = b"stop\n";

/// Bytes that each direction holds.
const BUFFER_BYTES: u32 = 64;

/// Our end.
#[derive(Debug)]
pub(super) struct Link {
    pipe: OwnedHandle,
    endpoint: Endpoint,
}

impl Link {
    pub(super) fn open() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let endpoint = Endpoint::within(Path::new(""), &format!("orders-{number}"));
        let path: Vec<u16> = endpoint.path().as_os_str().encode_wide().chain([0]).collect();
        let access = Access::user()?;
        let open = PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE;
        let mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_REJECT_REMOTE_CLIENTS;
        // SAFETY: the path ends with a NUL, and the attributes are alive.
        let pipe =
            unsafe { CreateNamedPipeW(path.as_ptr(), open, mode, 1, BUFFER_BYTES, BUFFER_BYTES, 0, access.as_ptr()) };
        if pipe == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has succeeded, and nobody else owns what it made. The handle is not inherited.
        Ok(Self { pipe: unsafe { OwnedHandle::from_raw_handle(pipe) }, endpoint })
    }

    /// What the preload dials.
    pub(super) fn path(&self) -> &Path {
        self.endpoint.path()
    }

    /// Tells it to end; false where it has not dialled, or hung up.
    pub(super) fn ask(&self) -> bool {
        let mut written = 0;
        let (from, count) = (STOP.as_ptr(), STOP.len() as u32);
        // SAFETY: the handle is open, the bytes are valid for reading and the count for writing.
        unsafe { WriteFile(self.pipe.as_raw_handle(), from, count, &raw mut written, null_mut()) != 0 }
    }
}
