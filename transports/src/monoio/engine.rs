//! The [`Engine`] on monoio.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use forebay_core::time::Timestamp;

use super::driver::{self, Driver};
use super::{Entrance, Stream, TcpListener};
use crate::tasks::{self, Task};
use crate::unix::{self, Bound};
use crate::{BindError, Endpoint, Engine, EngineOptions, clock};

/// The engine: see the [module](super).
#[derive(Debug)]
pub struct Monoio;

impl Engine for Monoio {
    const NAME: &'static str = "monoio";
    const HALF_CLOSE: bool = true;

    type Bound = Bound;
    type Listener = TcpListener;
    type Downstream = Stream;
    type Upstream = Stream;
    type Entrance = Entrance;

    fn bind(address: SocketAddr, shards: usize) -> Result<Vec<Bound>, BindError> {
        unix::bind(address, shards)
    }

    fn local_addr(bound: &Bound) -> SocketAddr {
        bound.address
    }

    fn run<F: Future>(options: &EngineOptions, main: impl FnOnce() -> F) -> io::Result<F::Output> {
        unix::prepare(options);
        let mut driver = Driver::new()?;
        tasks::start();
        let output = driver.block_on(async { main().await });
        driver.block_on(tasks::end_all::<Self>());
        Ok(output)
    }

    fn driver() -> &'static str {
        driver::name()
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        drop(monoio::spawn(Task::new(task)));
    }

    fn yield_now() -> impl Future<Output = ()> {
        yield_now()
    }

    fn expect_writes(count: usize) {
        driver::expect_writes(count);
    }

    fn listen(bound: Bound) -> io::Result<TcpListener> {
        TcpListener::new(bound)
    }

    async fn dial(endpoint: &Endpoint, deadline: Timestamp) -> io::Result<Stream> {
        Stream::adopt(unix::dial::<Self>(endpoint, deadline).await?)
    }

    fn open(endpoint: &Endpoint) -> io::Result<Entrance> {
        Entrance::open(endpoint)
    }

    async fn sleep_until(deadline: Timestamp) {
        while Self::now() < deadline {
            let instant = clock::wake_instant(deadline);
            monoio::time::sleep_until(monoio::time::Instant::from_std(instant)).await;
        }
    }

    fn now() -> Timestamp {
        clock::now()
    }
}

/// Lets the tasks that are runnable now go first.
///
/// monoio puts a task that wakes itself in front of all others, so another one is asked to wake this one: that one is
/// last in the queue, and so is this one then.
pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        drop(monoio::spawn(async move { waker.wake() }));
        Poll::Pending
    })
    .await;
}
