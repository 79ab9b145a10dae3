//! The contract every back end keeps, sentence by sentence; `tests/conformance.rs` tests each of them.
//!
//! Shapes follow completion IO: a buffer is lent by value and comes home with the result, so that no back end has to
//! copy. One thread runs one engine; nothing here is `Send` unless it says so.
//!
//! Rules for callers:
//! - At most one read and one write of a connection are in flight at a time.
//! - A future of an operation that has been polled is not dropped before it completes: to give up, call
//!   [`Conn::abort`] and await it. (A back end survives such a drop without harm to memory, but may lose bytes.)
//! - A task does not wake itself: it may run again before everything else does. To let others go first, await
//!   [`Engine::yield_now`], and not for ever: tasks and IO go on meanwhile, but timers may wait until nothing is
//!   runnable.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use forebay_core::buf::{Chunk, Queue};
use forebay_core::time::Timestamp;

use crate::Endpoint;

/// A read's outcome: bytes appended, and the chunk itself whatever happened.
pub type Completion = (io::Result<usize>, Chunk);

/// A write's outcome: bytes accepted, and the queue without them.
pub type Written = (io::Result<usize>, Queue);

/// A byte stream, client or worker.
///
/// Both directions are independent. Methods take `&self` so that a read and a write can be in flight together.
pub trait Conn: 'static {
    /// Appends what arrives to `chunk`, which has room for at least one byte.
    ///
    /// Completes with 1 or more bytes as soon as any are there, without waiting for more; with `Ok(0)` when the peer
    /// has ended its direction, or after [`abort`](Conn::abort); with an error when the connection broke:
    /// `ConnectionReset` where the peer closed it without reading all that we had sent. (Over a Windows named pipe that
    /// is an end like any other.) The chunk keeps what it held before.
    fn read(&self, chunk: Chunk) -> impl Future<Output = Completion>;

    /// Writes from the front of `parts`, which is not empty, and returns the queue without what was accepted.
    ///
    /// Short writes are normal: `Ok(n)` with 1 or more bytes. `WriteZero` or any other error means that no further
    /// byte will be accepted; a dead peer is an error, never `Ok(0)` and never a signal.
    fn write(&self, parts: Queue) -> impl Future<Output = Written>;

    /// Ends our direction: the peer reads what was written, then an end of stream. Reading goes on.
    ///
    /// Where [`Engine::HALF_CLOSE`] is false (Windows named pipes) this does nothing.
    fn finish(&self);

    /// Breaks both directions: operations in flight complete promptly (`Ok(0)` or an error), later ones at once. Bytes
    /// that had arrived before may still be read.
    /// Dropping the connection afterwards closes it.
    fn abort(&self);

    /// As [`abort`](Conn::abort), and a peer over TCP is told that what it has read is not all: its stream ends with an
    /// error, `ConnectionReset`, never with an end of stream; when the connection is dropped at the latest. What was
    /// written but has not reached it may be lost. After an [`abort`](Conn::abort) it is too late.
    ///
    /// For a response that ends with its connection this is the only way to say that it was cut short. Local endpoints
    /// know no such thing: over them it is an abort.
    fn reset(&self);

    /// Whether the connection is as an idle one should be: open, and nothing to read. False once the peer has closed
    /// or sent anything. Not called while a read is in flight. Never blocks.
    fn is_quiet(&self) -> bool;
}

/// Who is at the other end of an accepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub remote: SocketAddr,
    /// The address it connected to.
    pub local: SocketAddr,
}

/// Accepts clients on one address for one shard.
pub trait Listener: 'static {
    /// What it accepts.
    type Conn: Conn;

    /// The next client. `TCP_NODELAY` is set.
    ///
    /// Errors concern one attempt (`ECONNABORTED`, `EMFILE` …): calling again is right, after a pause where
    /// descriptors ran out. After [`close`](Listener::close) it completes with `NotConnected`.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Conn, Peer)>>;

    /// Stops accepting: an `accept` in flight completes promptly, and new clients are refused or go to the other
    /// shards' listeners.
    fn close(&self);
}

/// Where workers dial in: an [`Endpoint`] that one shard listens at.
///
/// Dropping it closes it and removes the endpoint: dialling no longer finds it.
pub trait Entrance: 'static {
    /// What it accepts.
    type Conn: Conn;

    /// The next connection of a worker, as good as one that was dialled: order is kept, and a worker may have written
    /// before it was accepted.
    ///
    /// It may be gone already. Errors are as a listener's: they concern one attempt. After [`close`](Entrance::close) it completes with
    /// `NotConnected`.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Conn>>;

    /// Stops accepting: an `accept` in flight completes promptly, and dialling is refused from now on. Connections
    /// that were accepted go on.
    fn close(&self);
}

/// How an engine runs a shard.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// The vCPU to pin the thread to; none leaves it to the scheduler.
    pub cpu: Option<usize>,
    /// Whether the thread runs under `SCHED_BATCH` (Linux; it keeps shards from preempting others on every wake-up).
    pub batch: bool,
}

/// Why an address could not be listened on.
#[derive(Debug)]
pub struct BindError {
    /// The address asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A runtime for one pinned thread, with its sockets, clock and tasks.
///
/// Apart from [`bind`](Engine::bind) and [`run`](Engine::run) everything is called from inside `run`, on its thread.
pub trait Engine: Sized + 'static {
    /// Its name, as in `--engine NAME`.
    const NAME: &'static str;
    /// Whether [`Conn::finish`] on an upstream connection reaches the peer.
    const HALF_CLOSE: bool;

    /// An address that is bound and listened on, but not yet served by a thread.
    type Bound: Send + 'static;
    /// Accepts clients.
    type Listener: Listener<Conn = Self::Downstream>;
    /// A client's connection.
    type Downstream: Conn;
    /// A connection to a worker, whoever dialled.
    type Upstream: Conn;
    /// Accepts workers.
    type Entrance: Entrance<Conn = Self::Upstream>;

    /// Binds `address` for `shards` threads that share its clients, one element each. Port 0 takes a free port, the
    /// same for all; [`local_addr`](Engine::local_addr) tells which.
    ///
    /// # Errors
    /// When the address is in use, not ours, or not allowed.
    fn bind(address: SocketAddr, shards: usize) -> Result<Vec<Self::Bound>, BindError>;

    /// The address that was bound, with its real port.
    fn local_addr(bound: &Self::Bound) -> SocketAddr;

    /// Runs `main` on this thread until it completes. Tasks still there are dropped.
    ///
    /// # Errors
    /// When the runtime cannot be set up. A missing io_uring is not an error where there is another way; it is logged.
    fn run<F: Future>(options: &EngineOptions, main: impl FnOnce() -> F) -> io::Result<F::Output>;

    /// What drives IO on this thread, for the start banner: `io_uring`, `epoll`, `IOCP`, `simulated`.
    fn driver() -> &'static str;

    /// Starts a task on this thread. A panic in it is logged and ends that task alone.
    fn spawn(task: impl Future<Output = ()> + 'static);

    /// Lets the tasks that are runnable now go first.
    fn yield_now() -> impl Future<Output = ()>;

    /// About so many small writes to different connections follow before the shard waits: a back end that can hand
    /// several to the system at a time does so. A hint; calling it changes nothing but speed.
    fn expect_writes(count: usize) {
        let _ = count;
    }

    /// Serves a bound address on this thread.
    ///
    /// # Errors
    /// When the runtime cannot take the socket.
    fn listen(bound: Self::Bound) -> io::Result<Self::Listener>;

    /// Connects to a worker.
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` at once where nobody listens; `TimedOut` at `deadline`. (A Windows named pipe
    /// of which connections are left, but nobody listens any more, cannot be told from one that is busy.)
    fn dial(endpoint: &Endpoint, deadline: Timestamp) -> impl Future<Output = io::Result<Self::Upstream>>;

    /// Listens at `endpoint` for workers that dial in. What a process that died left there is replaced. Who may dial
    /// is up to the folder that the endpoint is in.
    ///
    /// # Errors
    /// `AddrInUse` where somebody listens, or where there is something that is no endpoint; it is left alone.
    fn open(endpoint: &Endpoint) -> io::Result<Self::Entrance>;

    /// Completes at `deadline` or shortly after, never before; [`Timestamp::NEVER`] never completes. Unlike IO it may
    /// be dropped at any time.
    fn sleep_until(deadline: Timestamp) -> impl Future<Output = ()>;

    /// This thread's monotonic clock.
    fn now() -> Timestamp;
}
