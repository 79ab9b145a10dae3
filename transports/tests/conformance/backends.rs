//! The back ends under test: how to run each, and its clients and workers.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use forebay_transports::compio::Compio;
use forebay_transports::monoio::Monoio;
use forebay_transports::sim::Sim;
use forebay_transports::{Endpoint, Engine, EngineOptions, compio as on_compio, monoio as on_monoio, sim as simulated};

use crate::harness::{Harness, on_a_thread};

/// The real back ends' other ends are the same streams, connected by plain system calls.
mod real {
    use super::*;
    use std::os::unix::net::UnixListener;

    pub(crate) fn endpoint() -> Endpoint {
        let folder = tempfile::Builder::new().prefix("forebay-conformance-").tempdir().unwrap();
        // Left behind for the system to clean: tests end on many paths.
        Endpoint::new(folder.keep().join("worker.sock"))
    }

    pub(crate) fn work(endpoint: &Endpoint) -> UnixListener {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.bind(&socket2::SockAddr::unix(endpoint.path()).unwrap()).unwrap();
        socket.listen(1).unwrap();
        socket.into()
    }
}

impl Harness for Monoio {
    type Client = on_monoio::Stream;
    type WorkerConn = on_monoio::Stream;
    type Worker = std::os::unix::net::UnixListener;

    async fn connect(address: SocketAddr) -> io::Result<(on_monoio::Stream, Option<SocketAddr>)> {
        let socket = std::net::TcpStream::connect(address)?;
        let ours = socket.local_addr()?;
        Ok((on_monoio::Stream::adopt(socket)?, Some(ours)))
    }

    fn endpoint() -> Endpoint {
        real::endpoint()
    }

    fn work(endpoint: &Endpoint) -> Self::Worker {
        real::work(endpoint)
    }

    async fn accept(worker: &Self::Worker) -> on_monoio::Stream {
        // A Unix socket is connected as soon as it was dialled, so this does not wait.
        on_monoio::Stream::adopt(worker.accept().unwrap().0).unwrap()
    }

    async fn enter(endpoint: &Endpoint) -> io::Result<on_monoio::Stream> {
        on_monoio::Stream::adopt(std::os::unix::net::UnixStream::connect(endpoint.path())?)
    }

    fn nodelay(conn: &on_monoio::Stream) -> Option<bool> {
        Some(socket2::SockRef::from(conn).tcp_nodelay().unwrap())
    }
}

impl Harness for Compio {
    type Client = on_compio::Downstream;
    type WorkerConn = on_compio::Upstream;
    type Worker = std::os::unix::net::UnixListener;

    async fn connect(address: SocketAddr) -> io::Result<(on_compio::Downstream, Option<SocketAddr>)> {
        let socket = std::net::TcpStream::connect(address)?;
        let ours = socket.local_addr()?;
        Ok((on_compio::Stream::new(compio::net::TcpStream::from_std(socket)?), Some(ours)))
    }

    fn endpoint() -> Endpoint {
        real::endpoint()
    }

    fn work(endpoint: &Endpoint) -> Self::Worker {
        real::work(endpoint)
    }

    async fn accept(worker: &Self::Worker) -> on_compio::Upstream {
        let socket = worker.accept().unwrap().0;
        on_compio::Stream::new(compio::net::UnixStream::from_std(socket).unwrap())
    }

    async fn enter(endpoint: &Endpoint) -> io::Result<on_compio::Upstream> {
        let socket = std::os::unix::net::UnixStream::connect(endpoint.path())?;
        Ok(on_compio::Stream::new(compio::net::UnixStream::from_std(socket)?))
    }

    fn nodelay(conn: &on_compio::Downstream) -> Option<bool> {
        Some(socket2::SockRef::from(conn).tcp_nodelay().unwrap())
    }
}

impl Harness for Sim {
    type Client = simulated::Stream;
    type WorkerConn = simulated::Stream;
    type Worker = simulated::Worker;

    async fn connect(address: SocketAddr) -> io::Result<(simulated::Stream, Option<SocketAddr>)> {
        Ok((simulated::connect(address).await?, None))
    }

    fn endpoint() -> Endpoint {
        Endpoint::new("/run/worker.sock")
    }

    fn work(endpoint: &Endpoint) -> simulated::Worker {
        simulated::Worker::listen(endpoint).unwrap()
    }

    async fn accept(worker: &simulated::Worker) -> simulated::Stream {
        worker.accept().await.unwrap()
    }

    async fn enter(endpoint: &Endpoint) -> io::Result<simulated::Stream> {
        let process = Self::work(&Endpoint::new(format!("/run/worker-{}.sock", Self::now().as_nanos())));
        process.dial(endpoint, Self::now() + std::time::Duration::from_secs(1)).await
    }

    fn nodelay(_conn: &simulated::Stream) -> Option<bool> {
        None
    }
}

/// Runs a test in an engine whose driver must be the one that is meant.
fn run<E: Engine, F: Future<Output = ()>>(driver: &'static str, test: impl FnOnce() -> F) {
    let test = || async {
        assert_eq!(E::driver(), driver);
        test().await;
    };
    E::run(&EngineOptions::default(), test).unwrap();
}

/// No preparation.
fn nothing() {}

/// A module for each back end, with its engine and how to run a test.
macro_rules! backends {
    ($($name:ident: $engine:ty, $driver:literal, $prepare:path;)*) => {
        $(pub(crate) mod $name {
            use super::*;

            pub(crate) type Backend = $engine;

            pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
                on_a_thread(move || {
                    $prepare();
                    super::run::<Backend, F>($driver, test);
                });
            }
        })*
    };
}

backends! {
    io_uring: Monoio, "io_uring", nothing;
    epoll: Monoio, "epoll", on_monoio::force_epoll_on_this_thread;
    compio_io_uring: Compio, "io_uring", nothing;
    sim: Sim, "simulated", nothing;
}
