//! Listeners beside the engines: Unix sockets.

use std::io;
use std::os::unix::net::UnixListener;

/// A connection that threads read and write.
pub use std::os::unix::net::UnixStream as LocalStream;
/// A connection of tokio.
pub use tokio::net::UnixStream as AsyncStream;

use crate::Endpoint;

/// Accepts on a thread, which waits.
#[derive(Debug)]
pub struct LocalListener(UnixListener);

impl LocalListener {
    /// Listens for this user alone. What a dead process has left there is removed.
    ///
    /// # Errors
    /// The system's.
    pub fn open(endpoint: &Endpoint) -> io::Result<Self> {
        endpoint.remove();
        let listener = UnixListener::bind(endpoint.path())?;
        endpoint.seal();
        Ok(Self(listener))
    }

    /// The next connection.
    ///
    /// # Errors
    /// The system's; the next call may succeed.
    pub fn accept(&mut self) -> io::Result<LocalStream> {
        self.0.accept().map(|(stream, _)| stream)
    }

    /// Wakes who accepts there, once, and leaves nothing for clients to come to.
    pub fn end(endpoint: &Endpoint) {
        let _gone = dial(endpoint);
        endpoint.remove();
    }
}

/// Comes to who listens there, as a client.
///
/// # Errors
/// The system's.
pub fn dial(endpoint: &Endpoint) -> io::Result<LocalStream> {
    LocalStream::connect(endpoint.path())
}

/// Accepts in a runtime of tokio.
#[derive(Debug)]
pub struct AsyncListener(tokio::net::UnixListener);

impl AsyncListener {
    /// As [`LocalListener::open`]. Call it inside a runtime.
    ///
    /// # Errors
    /// The system's.
    pub fn open(endpoint: &Endpoint) -> io::Result<Self> {
        endpoint.remove();
        let listener = tokio::net::UnixListener::bind(endpoint.path())?;
        endpoint.seal();
        Ok(Self(listener))
    }

    /// The next connection.
    ///
    /// # Errors
    /// The system's; the next call may succeed.
    pub async fn accept(&mut self) -> io::Result<AsyncStream> {
        self.0.accept().await.map(|(stream, _)| stream)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_for_this_user_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::within(dir.path(), "local");
        std::fs::write(endpoint.path(), "of a dead process").unwrap();
        let mut listener = LocalListener::open(&endpoint).unwrap();
        assert_eq!(endpoint.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        LocalListener::end(&endpoint);
        assert!(listener.accept().is_ok());
        assert!(dial(&endpoint).is_err() && !endpoint.path().exists());
    }
}
