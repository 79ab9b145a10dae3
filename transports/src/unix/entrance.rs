//! Listening for workers on a Unix socket: binding it, and removing its file afterwards.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::socket::connect;
use crate::Endpoint;

/// Connections that may wait to be accepted: all workers of a large machine at once. What node asks for, too.
const BACKLOG: i32 = 511;

/// A socket file that is this process's, until it is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: somebody may have put another file in its place.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Nothing depends on it: who dials a file that was left behind is refused.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `endpoint`. The socket is non-blocking.
///
/// # Errors
/// `AddrInUse` where somebody listens or the file is no socket; else the system's.
pub(crate) fn open(endpoint: &Endpoint) -> io::Result<(UnixListener, SocketFile)> {
    let path = endpoint.path();
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_behind(endpoint) => {
            fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    let file = SocketFile { path: path.to_owned(), identity: identity(path)? };
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file))
}

/// Whether the file is a socket that nobody listens on.
fn is_left_behind(endpoint: &Endpoint) -> bool {
    let is_socket = fs::symlink_metadata(endpoint.path()).is_ok_and(|file| file.file_type().is_socket());
    is_socket && connect(endpoint).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}
