//! What the log's files ask of the operating system.

use std::fs::File;

/// The machine's name.
#[cfg(unix)]
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The machine's name where the environment does not have it, as it has on Windows.
#[cfg(not(unix))]
pub(crate) fn host_name() -> String {
    "localhost".into()
}

/// Whether an open file was not deleted by somebody, as people do with logs.
#[cfg(unix)]
pub(super) fn is_there(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|meta| meta.nlink() > 0)
}

/// Whether an open file was not deleted by somebody: there, nobody can.
#[cfg(not(unix))]
pub(super) fn is_there(_: &File) -> bool {
    true
}
