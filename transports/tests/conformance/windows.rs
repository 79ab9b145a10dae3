//! The real back end on Windows: its other ends are the same, and a worker is an entrance.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use forebay_transports::compio::{Client, Compio, Entrance, Pipe};
use forebay_transports::{Endpoint, Engine, Entrance as _};

use crate::harness::Harness;

/// How long a worker tries to dial a pipe that is busy.
const BUSY: Duration = Duration::from_millis(200);

impl Harness for Compio {
    type Client = Client;
    type WorkerConn = Pipe;
    type Worker = Entrance;

    async fn connect(address: SocketAddr) -> io::Result<(Client, Option<SocketAddr>)> {
        let socket = std::net::TcpStream::connect(address)?;
        let ours = socket.local_addr()?;
        Ok((Client::new(compio::net::TcpStream::from_std(socket)?), Some(ours)))
    }

    fn endpoint() -> Endpoint {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Endpoint::new(format!(r"\\.\pipe\forebay-conformance-{process}-{next}"))
    }

    fn work(endpoint: &Endpoint) -> Entrance {
        Self::open(endpoint).unwrap()
    }

    async fn accept(worker: &Entrance) -> Pipe {
        worker.accept().await.unwrap()
    }

    async fn enter(endpoint: &Endpoint) -> io::Result<Pipe> {
        Self::dial(endpoint, Self::now() + BUSY).await
    }

    /// Wine sends resets, but takes those it receives for ends.
    fn tells_resets() -> bool {
        std::env::var_os("WINEPREFIX").is_none()
    }

    fn nodelay(conn: &Client) -> Option<bool> {
        Some(socket2::SockRef::from(conn).tcp_nodelay().unwrap())
    }
}
