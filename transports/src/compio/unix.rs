//! The engine where workers are reached over Unix sockets and each shard has a listening socket of its own.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::task::Poll;

use compio::driver::{DriverType, ProactorBuilder};
use compio::net::{TcpStream, UnixListener, UnixStream};
use compio::runtime::Runtime;
use forebay_core::time::Timestamp;

use super::Stream;
use crate::tasks::{self, Task};
use crate::{BindError, Endpoint, Engine, EngineOptions, Listener, Peer, clock, unix};

pub use crate::unix::Bound;

/// A client's connection.
pub type Downstream = Stream<TcpStream>;
/// A connection to a worker.
pub type Upstream = Stream<UnixStream>;

/// Submissions and completions a ring holds: as in the monoio back end.
const SUBMISSIONS: u32 = 1024;
const COMPLETIONS: u32 = 8192;

/// The engine: see the [module](super).
#[derive(Debug)]
pub struct Compio;

fn runtime() -> io::Result<Runtime> {
    let mut proactor = ProactorBuilder::new();
    // A kernel that does not know the flags (before Linux 6.0) is driven by polling.
    proactor.capacity(SUBMISSIONS).cqsize(COMPLETIONS).single_issuer(true).coop_taskrun(true);
    Runtime::builder().with_proactor(proactor).build()
}

impl Engine for Compio {
    const NAME: &'static str = "compio";
    const HALF_CLOSE: bool = true;

    type Bound = Bound;
    type Listener = TcpListener;
    type Downstream = Downstream;
    type Upstream = Upstream;
    type Entrance = Entrance;

    fn bind(address: SocketAddr, shards: usize) -> Result<Vec<Bound>, BindError> {
        unix::bind(address, shards)
    }

    fn local_addr(bound: &Bound) -> SocketAddr {
        bound.address
    }

    fn run<F: Future>(options: &EngineOptions, main: impl FnOnce() -> F) -> io::Result<F::Output> {
        unix::prepare(options);
        let runtime = runtime()?;
        tasks::start();
        let output = runtime.block_on(async { main().await });
        runtime.block_on(tasks::end_all::<Self>());
        Ok(output)
    }

    fn driver() -> &'static str {
        match Runtime::with_current(Runtime::driver_type) {
            DriverType::IoUring => "io_uring",
            DriverType::IOCP => "IOCP",
            DriverType::Poll => "epoll",
        }
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        compio::runtime::spawn(Task::new(task)).detach();
    }

    async fn yield_now() {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn listen(bound: Bound) -> io::Result<TcpListener> {
        let socket = compio::net::TcpListener::from_std(bound.socket)?;
        Ok(TcpListener { socket, address: bound.address, closed: Cell::new(false) })
    }

    async fn dial(endpoint: &Endpoint, deadline: Timestamp) -> io::Result<Upstream> {
        let socket = unix::dial::<Self>(endpoint, deadline).await?;
        // Only a polled socket is non-blocking: compio sets that itself.
        socket.set_nonblocking(false)?;
        Ok(Stream::new(UnixStream::from_std(socket)?))
    }

    fn open(endpoint: &Endpoint) -> io::Result<Entrance> {
        let (socket, file) = unix::open(endpoint)?;
        Ok(Entrance { socket: UnixListener::from_std(socket)?, closed: Cell::new(false), _file: file })
    }

    async fn sleep_until(deadline: Timestamp) {
        while Self::now() < deadline {
            compio::time::sleep_until(clock::wake_instant(deadline)).await;
        }
    }

    fn now() -> Timestamp {
        clock::now()
    }
}

/// Accepts clients for one shard.
#[derive(Debug)]
pub struct TcpListener {
    socket: compio::net::TcpListener,
    address: SocketAddr,
    closed: Cell<bool>,
}

impl Listener for TcpListener {
    type Conn = Downstream;

    async fn accept(&self) -> io::Result<(Downstream, Peer)> {
        loop {
            if self.closed.get() {
                return Err(ErrorKind::NotConnected.into());
            }
            let (socket, remote) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                // A shut down listener says EINVAL.
                Err(_) if self.closed.get() => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // A socket bound to one address accepts on that address alone; only a wildcard has to ask.
            let local = if self.address.ip().is_unspecified() { socket.local_addr()? } else { self.address };
            return Ok((Stream::new(socket), Peer { remote, local }));
        }
    }

    fn close(&self) {
        self.closed.set(true);
        unix::abort(self.socket.as_fd());
    }
}

/// Accepts workers for one shard.
#[derive(Debug)]
pub struct Entrance {
    socket: UnixListener,
    closed: Cell<bool>,
    _file: unix::SocketFile,
}

impl crate::Entrance for Entrance {
    type Conn = Upstream;

    async fn accept(&self) -> io::Result<Upstream> {
        loop {
            if self.closed.get() {
                return Err(ErrorKind::NotConnected.into());
            }
            match self.socket.accept().await {
                Ok((socket, _)) => {
                    unix::enlarge(&socket);
                    return Ok(Stream::new(socket));
                }
                // A shut down listener says EINVAL.
                Err(_) if self.closed.get() => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn close(&self) {
        self.closed.set(true);
        unix::abort(self.socket.as_fd());
    }
}
