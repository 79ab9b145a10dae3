//! The [`Engine`] on monoio.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use forebay_core::time::Timestamp;

use super::driver::{self, Driver};
use super::tasks::{self, Task};
use super::{Stream, TcpListener};
use crate::unix::{self, Bound};
use crate::{BindError, Endpoint, Engine, EngineOptions, clock};

/// How long to wait before dialling a worker again whose backlog is full.
const REDIAL: Duration = Duration::from_millis(2);

/// How long an ended engine waits for what it has cancelled.
const SETTLE: Duration = Duration::from_millis(2);

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
        driver.block_on(async {
            tasks::end_all();
            // What the tasks had in flight was cancelled with them: the kernel gives the buffers back, and closes.
            Self::sleep_until(Self::now() + SETTLE).await;
        });
        Ok(output)
    }

    fn driver() -> &'static str {
        driver::name()
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        drop(monoio::spawn(Task::new(task)));
    }

    fn yield_now() -> impl Future<Output = ()> {
        tasks::yield_now()
    }

    fn listen(bound: Bound) -> io::Result<TcpListener> {
        TcpListener::new(bound)
    }

    async fn dial(endpoint: &Endpoint, deadline: Timestamp) -> io::Result<Stream> {
        loop {
            match unix::connect(endpoint) {
                Ok(socket) => return Stream::adopt(socket),
                // Connecting to a Unix socket takes no time, unless the listener's backlog is full.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            let now = Self::now();
            if now >= deadline {
                return Err(ErrorKind::TimedOut.into());
            }
            Self::sleep_until(deadline.min(now + REDIAL)).await;
        }
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
