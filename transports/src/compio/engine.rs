//! The [`Engine`] on compio.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::Runtime;
use forebay_core::time::Timestamp;

use super::system::{self, Bound, Downstream, Entrance, TcpListener, Upstream};
use crate::tasks::{self, Task};
use crate::{BindError, Endpoint, Engine, EngineOptions, clock};

/// Submissions and completions a ring holds: as in the monoio back end.
const SUBMISSIONS: u32 = 1024;
const COMPLETIONS: u32 = 8192;

/// The engine: see the [module](super).
#[derive(Debug)]
pub struct Compio;

fn runtime() -> io::Result<Runtime> {
    let mut proactor = ProactorBuilder::new();
    // A kernel that does not know the flags (before Linux 6.0) is driven by polling; Windows has no use for any of it.
    proactor.capacity(SUBMISSIONS).cqsize(COMPLETIONS).single_issuer(true).coop_taskrun(true);
    Runtime::builder().with_proactor(proactor).build()
}

impl Engine for Compio {
    const NAME: &'static str = "compio";
    const HALF_CLOSE: bool = system::HALF_CLOSE;

    type Bound = Bound;
    type Listener = TcpListener;
    type Downstream = Downstream;
    type Upstream = Upstream;
    type Entrance = Entrance;

    fn bind(address: SocketAddr, shards: usize) -> Result<Vec<Bound>, BindError> {
        system::bind(address, shards)
    }

    fn local_addr(bound: &Bound) -> SocketAddr {
        bound.address
    }

    fn run<F: Future>(options: &EngineOptions, main: impl FnOnce() -> F) -> io::Result<F::Output> {
        system::prepare(options);
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

    fn yield_now() -> impl Future<Output = ()> {
        yield_now()
    }

    fn listen(bound: Bound) -> io::Result<TcpListener> {
        system::listen(bound)
    }

    fn dial(endpoint: &Endpoint, deadline: Timestamp) -> impl Future<Output = io::Result<Upstream>> {
        system::dial(endpoint, deadline)
    }

    fn open(endpoint: &Endpoint) -> io::Result<Entrance> {
        system::open(endpoint)
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

/// Lets the tasks that are runnable now go first.
pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        system::before_yield();
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
