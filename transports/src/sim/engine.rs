//! The [`Engine`] of a simulated world.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use forebay_core::time::Timestamp;

use super::timers::Sleep;
use super::{Bound, Config, Entrance, Stream, TcpListener, World, endpoint, listener, stream, world};
use crate::{BindError, Endpoint, Engine, EngineOptions};

/// The engine: see the [module](super).
#[derive(Debug)]
pub struct Sim;

impl Engine for Sim {
    const NAME: &'static str = "sim";
    const HALF_CLOSE: bool = true;

    type Bound = Bound;
    type Listener = TcpListener;
    type Downstream = Stream;
    type Upstream = Stream;
    type Entrance = Entrance;

    /// Binds on the calling thread, before or inside [`World::run`].
    fn bind(address: SocketAddr, shards: usize) -> Result<Vec<Bound>, BindError> {
        listener::bind(address, shards)
    }

    fn local_addr(bound: &Bound) -> SocketAddr {
        bound.address
    }

    /// A calm world with seed 0; use [`World::run`] to choose.
    fn run<F: Future>(_options: &EngineOptions, main: impl FnOnce() -> F) -> io::Result<F::Output> {
        Ok(World::run(0, &Config::default(), main).value)
    }

    fn driver() -> &'static str {
        "simulated"
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        world::current().executor.spawn(task);
    }

    /// The seed may still choose the caller first.
    fn yield_now() -> impl Future<Output = ()> {
        stream::yield_now()
    }

    fn listen(bound: Bound) -> io::Result<TcpListener> {
        TcpListener::new(bound)
    }

    fn dial(endpoint: &Endpoint, deadline: Timestamp) -> impl Future<Output = io::Result<Stream>> {
        endpoint::dial(endpoint, deadline)
    }

    fn open(endpoint: &Endpoint) -> io::Result<Entrance> {
        Entrance::open(endpoint)
    }

    fn sleep_until(deadline: Timestamp) -> impl Future<Output = ()> {
        Sleep::until(deadline)
    }

    fn now() -> Timestamp {
        world::current().now()
    }
}
