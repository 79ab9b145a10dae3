//! What the suite needs from a back end besides the contract: the other ends of connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use forebay_core::buf::{Chunk, ChunkSize, Pool, Queue};
use forebay_core::time::Timestamp;
use forebay_transports::{Conn, Endpoint, Engine, Entrance, Listener};

/// Real time after which a test has failed; generous, because the machine may be busy.
const TEST_MAX: Duration = Duration::from_secs(60);

/// How long a level may take to be reached.
const LEVEL_MAX: Duration = Duration::from_secs(20);

/// An engine, with ways to play clients and workers.
pub(crate) trait Harness: Engine {
    /// A client's end of a connection.
    type Client: Conn;
    /// A worker's end of a connection.
    type WorkerConn: Conn;
    /// A worker that listens.
    type Worker;

    /// Connects as a client; also tells the client's address where that is known.
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<(Self::Client, Option<SocketAddr>)>>;

    /// An endpoint that nobody has used.
    fn endpoint() -> Endpoint;

    /// Listens at an endpoint, with room for one connection that waits.
    fn work(endpoint: &Endpoint) -> Self::Worker;

    /// Accepts one connection.
    fn accept(worker: &Self::Worker) -> impl Future<Output = Self::WorkerConn>;

    /// Dials an entrance as a worker.
    fn enter(endpoint: &Endpoint) -> impl Future<Output = io::Result<Self::WorkerConn>>;

    /// Whether a client can tell a reset from an end here.
    fn tells_resets() -> bool {
        true
    }

    /// Whether `TCP_NODELAY` is set; none where there is no TCP.
    fn nodelay(conn: &Self::Downstream) -> Option<bool>;
}

/// Runs a test on a thread of its own: runtimes cannot be entered twice, and a test that hangs must fail.
pub(crate) fn on_a_thread(test: impl FnOnce() + Send + 'static) {
    prepare_process();
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match wait.recv_timeout(TEST_MAX) {
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test hangs"),
    }
}

#[cfg(not(unix))]
fn prepare_process() {}

/// A dead peer must not raise a signal even where the default disposition, death, is in force (the test runner
/// ignores it); and a thousand connections need descriptors.
#[cfg(unix)]
fn prepare_process() {
    // SAFETY: the default disposition needs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is valid for writing.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the struct is valid for reading.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
}

/// Any free port on the loopback address.
pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A client's end and ours.
pub(crate) async fn clients<E: Harness>() -> (E::Client, E::Downstream) {
    let bound = E::bind(loopback(), 1).unwrap().pop().unwrap();
    let address = E::local_addr(&bound);
    let listener = E::listen(bound).unwrap();
    let (client, _) = E::connect(address).await.unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    (client, ours)
}

/// Our end and a worker's.
pub(crate) async fn workers<E: Harness>() -> (E::Upstream, E::WorkerConn) {
    let endpoint = E::endpoint();
    let worker = E::work(&endpoint);
    let ours = E::dial(&endpoint, E::now() + LEVEL_MAX).await.unwrap();
    (ours, E::accept(&worker).await)
}

/// Our end and that of a worker that has dialled in.
pub(crate) async fn entered<E: Harness>() -> (E::Upstream, E::WorkerConn) {
    let endpoint = E::endpoint();
    let entrance = E::open(&endpoint).unwrap();
    let worker = E::enter(&endpoint).await.unwrap();
    (entrance.accept().await.unwrap(), worker)
}

/// Waits until `level` holds.
pub(crate) async fn eventually<E: Engine>(what: &str, mut level: impl FnMut() -> bool) {
    let deadline = E::now() + LEVEL_MAX;
    while !level() {
        assert!(E::now() < deadline, "{what}: not within {LEVEL_MAX:?}");
        E::sleep_until(E::now() + Duration::from_millis(1)).await;
    }
}

/// Waits until no chunk is away: cancelled operations give theirs back when the kernel is done with them.
pub(crate) async fn all_home<E: Engine>(pool: &Pool) {
    eventually::<E>("chunks come home", || pool.stats().away == [0; 3]).await;
}

/// A queue of `bytes`, in slices of one medium chunk each.
pub(crate) fn queue(pool: &Pool, bytes: &[u8]) -> Queue {
    let piece = |bytes: &[u8]| {
        let mut chunk = pool.take(ChunkSize::Medium);
        chunk.put(bytes).unwrap();
        chunk.freeze()
    };
    bytes.chunks(ChunkSize::Medium.capacity()).map(piece).collect()
}

/// Writes all of `parts`.
pub(crate) async fn write_all(conn: &impl Conn, mut parts: Queue) -> io::Result<()> {
    while !parts.is_empty() {
        let before = parts.len();
        let (result, rest) = conn.write(parts).await;
        let count = result?;
        assert!(count > 0 && rest.len() + count == before, "a write of {before} left {} and says {count}", rest.len());
        parts = rest;
    }
    Ok(())
}

/// Reads until the stream ends or `bytes` are there.
pub(crate) async fn read_up_to(conn: &impl Conn, pool: &Pool, bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < bytes {
        let (result, chunk) = conn.read(pool.take(ChunkSize::Medium)).await;
        let count = result.unwrap();
        assert_eq!(count, chunk.len());
        if count == 0 {
            break;
        }
        all.extend_from_slice(&chunk);
    }
    all
}

/// A chunk that holds `bytes`.
pub(crate) fn holding(pool: &Pool, bytes: &[u8]) -> Chunk {
    let mut chunk = pool.take(ChunkSize::Small);
    chunk.put(bytes).unwrap();
    chunk
}

/// Waits, but not forever.
pub(crate) async fn promptly<E: Engine, T>(what: &str, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut timer = std::pin::pin!(E::sleep_until(E::now() + LEVEL_MAX));
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(cx) {
            return std::task::Poll::Ready(value);
        }
        assert!(timer.as_mut().poll(cx).is_pending(), "{what}: not within {LEVEL_MAX:?}");
        std::task::Poll::Pending
    })
    .await
}

/// Both futures' outcomes.
pub(crate) async fn join<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let (mut one, mut two) = (None, None);
    std::future::poll_fn(|cx| {
        if one.is_none()
            && let std::task::Poll::Ready(value) = a.as_mut().poll(cx)
        {
            one = Some(value);
        }
        if two.is_none()
            && let std::task::Poll::Ready(value) = b.as_mut().poll(cx)
        {
            two = Some(value);
        }
        if one.is_some() && two.is_some() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    (one.unwrap(), two.unwrap())
}

/// Lets everything else that can run do so once, and the kernel deliver what was sent.
pub(crate) async fn a_moment<E: Engine>() {
    E::sleep_until(E::now() + Duration::from_millis(2)).await;
}

/// A point that a test never reaches.
pub(crate) fn far<E: Engine>() -> Timestamp {
    E::now() + Duration::from_secs(3000)
}
