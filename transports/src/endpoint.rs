//! Where a worker listens, or dials.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::system;

/// A local address that only this user's processes can reach: a Unix socket's path, or on Windows a pipe's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint(PathBuf);

impl Endpoint {
    /// Longest path in bytes: of a Unix socket 107, without the terminating NUL (`sun_path`, unix(7)); of a Windows
    /// pipe 256, with its `\\.\pipe\`.
    pub const PATH_BYTES_MAX: usize = system::ENDPOINT_BYTES_MAX;

    /// Whether endpoints are files in a folder, which then must not be too deep.
    pub const IS_FILE: bool = system::ENDPOINT_IS_FILE;

    /// What an endpoint looks like.
    pub const FORM: &str = system::ENDPOINT_FORM;

    /// Whether something can listen at `path`, as far as its form tells.
    #[must_use]
    pub fn is_possible(path: &Path) -> bool {
        system::is_endpoint(path)
    }

    /// The endpoint at `path`: a file system path, or `\\.\pipe\NAME` on Windows.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The endpoint called `name` of this process, whose folder is `folder`: a socket in it, or on Windows, where pipes
    /// are in no folder, a pipe whose name nobody can guess. (Who made it first could play the worker.)
    #[must_use]
    pub fn within(folder: &Path, name: &str) -> Self {
        Self(system::endpoint_within(folder, name))
    }

    /// The path, as a worker sees it in `PORT`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether somebody accepts connections there. Never blocks: a full backlog means that somebody listens.
    #[must_use]
    pub fn listens(&self) -> bool {
        system::listens(self)
    }

    /// Keeps other users out, as far as the system lets us; until now the folder did, or that its name is secret.
    pub fn seal(&self) {
        system::seal(self);
    }

    /// Removes what a worker that ended has left there, if anything can be left there.
    pub fn remove(&self) {
        system::remove_endpoint(self);
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
