//! Where shards reach the origin: a Unix socket, or a named pipe on Windows.

use std::io;
use std::time::Duration;

use forebay_transports::Endpoint;

/// What is waited after a connection that could not be accepted. 100 ms.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

#[cfg(unix)]
pub(super) use unix::{Listener, Stream};
#[cfg(windows)]
pub(super) use windows::{Listener, Stream};

#[cfg(unix)]
mod unix {
    use tokio::net::UnixListener;
    pub(crate) use tokio::net::UnixStream as Stream;

    use super::{Endpoint, io};

    /// A Unix socket in the runtime folder.
    pub(crate) struct Listener(UnixListener);

    impl Listener {
        /// Listens. Call it inside a runtime.
        pub(crate) fn open(endpoint: &Endpoint) -> io::Result<Self> {
            endpoint.remove();
            UnixListener::bind(endpoint.path()).map(Self)
        }

        /// The next connection.
        pub(crate) async fn accept(&mut self) -> io::Result<Stream> {
            self.0.accept().await.map(|(stream, _)| stream)
        }
    }
}

#[cfg(windows)]
mod windows {
    pub(crate) use tokio::net::windows::named_pipe::NamedPipeServer as Stream;
    use tokio::net::windows::named_pipe::ServerOptions;

    use super::{Endpoint, io};

    /// A named pipe: one instance waits for the next client.
    pub(crate) struct Listener {
        endpoint: Endpoint,
        next: Stream,
    }

    impl Listener {
        /// Listens. Call it inside a runtime. Clients of other machines are refused, and other users are kept out.
        pub(crate) fn open(endpoint: &Endpoint) -> io::Result<Self> {
            let next = ServerOptions::new().first_pipe_instance(true).create(endpoint.path())?;
            endpoint.seal();
            Ok(Self { endpoint: endpoint.clone(), next })
        }

        /// The next connection.
        pub(crate) async fn accept(&mut self) -> io::Result<Stream> {
            self.next.connect().await?;
            let next = ServerOptions::new().create(self.endpoint.path())?;
            Ok(std::mem::replace(&mut self.next, next))
        }
    }
}
