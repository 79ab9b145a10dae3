//! What tests ask of the system: whether a process lives, its memory, its sudden end.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(crate) use system::{cpus_of, dial, is_alive, is_batch, is_sealed, kill, link, memory, open_to_others};

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

// Each target asks some of this: none of it is unused.
const _: () = {
    let _ = (cpus_of, dial, folder, is_alive, is_batch, is_sealed, kill, memory, open_to_others);
    let _ = |from: &std::path::Path| link(from, from);
    let _ = |memory: Memory| (memory.now_kib, memory.peak_kib);
};
