//! What tests ask of the system: whether a process lives, its memory, its sudden end.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(crate) use system::{is_alive, kill, memory};

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) now_kib: u64,
    /// The most that ever was.
    pub(crate) peak_kib: u64,
}

/// A folder of a test's own, with a path short enough for sockets.
pub(crate) fn folder() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("fb");
    if cfg!(unix) { builder.tempdir_in("/tmp") } else { builder.tempdir() }.unwrap()
}
