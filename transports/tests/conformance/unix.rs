//! The real back ends on Unix: their other ends are the same streams, connected by plain system calls.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};

use forebay_transports::Endpoint;
use forebay_transports::compio::{self as on_compio, Compio};
#[cfg(target_os = "linux")]
use forebay_transports::monoio::{self as on_monoio, Monoio};

use crate::harness::Harness;

fn endpoint() -> Endpoint {
    let folder = tempfile::Builder::new().prefix("forebay-conformance-").tempdir().unwrap();
    // Left behind for the system to clean: tests end on many paths.
    Endpoint::new(folder.keep().join("worker.sock"))
}

fn work(endpoint: &Endpoint) -> UnixListener {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(endpoint.path()).unwrap()).unwrap();
    socket.listen(1).unwrap();
    socket.into()
}

#[cfg(target_os = "linux")]
impl Harness for Monoio {
    type Client = on_monoio::Stream;
    type WorkerConn = on_monoio::Stream;
    type Worker = UnixListener;

    async fn connect(address: SocketAddr) -> io::Result<(on_monoio::Stream, Option<SocketAddr>)> {
        let socket = std::net::TcpStream::connect(address)?;
        let ours = socket.local_addr()?;
        Ok((on_monoio::Stream::adopt(socket)?, Some(ours)))
    }

    fn endpoint() -> Endpoint {
        endpoint()
    }

    fn work(endpoint: &Endpoint) -> Self::Worker {
        work(endpoint)
    }

    async fn accept(worker: &Self::Worker) -> on_monoio::Stream {
        // A Unix socket is connected as soon as it was dialled, so this does not wait.
        on_monoio::Stream::adopt(worker.accept().unwrap().0).unwrap()
    }

    async fn enter(endpoint: &Endpoint) -> io::Result<on_monoio::Stream> {
        on_monoio::Stream::adopt(UnixStream::connect(endpoint.path())?)
    }

    fn nodelay(conn: &on_monoio::Stream) -> Option<bool> {
        Some(socket2::SockRef::from(conn).tcp_nodelay().unwrap())
    }
}

impl Harness for Compio {
    type Client = on_compio::Downstream;
    type WorkerConn = on_compio::Upstream;
    type Worker = UnixListener;

    async fn connect(address: SocketAddr) -> io::Result<(on_compio::Downstream, Option<SocketAddr>)> {
        let socket = std::net::TcpStream::connect(address)?;
        let ours = socket.local_addr()?;
        Ok((on_compio::Stream::new(compio::net::TcpStream::from_std(socket)?), Some(ours)))
    }

    fn endpoint() -> Endpoint {
        endpoint()
    }

    fn work(endpoint: &Endpoint) -> Self::Worker {
        work(endpoint)
    }

    async fn accept(worker: &Self::Worker) -> on_compio::Upstream {
        let socket = worker.accept().unwrap().0;
        on_compio::Stream::new(compio::net::UnixStream::from_std(socket).unwrap())
    }

    async fn enter(endpoint: &Endpoint) -> io::Result<on_compio::Upstream> {
        let socket = UnixStream::connect(endpoint.path())?;
        Ok(on_compio::Stream::new(compio::net::UnixStream::from_std(socket)?))
    }

    fn nodelay(conn: &on_compio::Downstream) -> Option<bool> {
        Some(socket2::SockRef::from(conn).tcp_nodelay().unwrap())
    }
}
