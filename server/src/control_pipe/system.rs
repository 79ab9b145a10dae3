//! How the control pipe is listened on.

#[cfg(unix)]
pub(super) use unix::Listener;

/// A Unix socket.
#[cfg(unix)]
mod unix {
    use std::fs::{Permissions, remove_file, set_permissions};
    use std::io::{self, Read};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    pub(in crate::control_pipe) struct Listener(UnixListener);

    impl Listener {
        /// Listens for our own user.
        pub(in crate::control_pipe) fn open(path: &Path) -> io::Result<Self> {
            let _stale = remove_file(path);
            let listener = UnixListener::bind(path)?;
            set_permissions(path, Permissions::from_mode(0o600))?;
            Ok(Self(listener))
        }

        /// The next client.
        pub(in crate::control_pipe) fn accept(&self) -> io::Result<impl Read + Send + 'static> {
            self.0.accept().map(|(stream, _)| stream)
        }

        /// Comes as a client, and leaves nothing for another one to come to.
        pub(in crate::control_pipe) fn end(path: &Path) {
            let _gone = UnixStream::connect(path);
            let _gone = remove_file(path);
        }
    }
}

#[cfg(not(unix))]
pub(super) use other::Listener;

/// Not there yet.
#[cfg(not(unix))]
mod other {
    use std::io::{self, Read};
    use std::path::Path;

    pub(in crate::control_pipe) enum Listener {}

    impl Listener {
        pub(in crate::control_pipe) fn open(_: &Path) -> io::Result<Self> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this system has none yet"))
        }

        pub(in crate::control_pipe) fn accept(&self) -> io::Result<impl Read + Send + 'static> {
            io::Result::<io::Empty>::Err(io::ErrorKind::Unsupported.into())
        }

        pub(in crate::control_pipe) fn end(_: &Path) {}
    }
}
