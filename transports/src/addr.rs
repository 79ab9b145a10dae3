//! Where a worker listens, or dials.

use std::fmt;
use std::path::{Path, PathBuf};

/// A local address that only this user's processes can reach: a Unix socket's path, or on Windows a pipe's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint(PathBuf);

impl Endpoint {
    /// Longest path of a Unix socket in bytes, without the terminating NUL (`sun_path`, unix(7)).
    pub const PATH_BYTES_MAX: usize = 107;

    /// The endpoint at `path`: a file system path, or `\\.\pipe\NAME` on Windows.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path, as a worker sees it in `PORT`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
