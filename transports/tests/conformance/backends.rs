//! The back ends under test: how to run each, and its clients and workers.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use forebay_transports::compio::Compio;
#[cfg(target_os = "linux")]
use forebay_transports::monoio::{self as on_monoio, Monoio};
use forebay_transports::sim::{self as simulated, Sim};
use forebay_transports::{Endpoint, Engine, EngineOptions};

use crate::harness::{Harness, on_a_thread};

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

#[cfg(target_os = "linux")]
backends! {
    io_uring: Monoio, "io_uring", nothing;
    epoll: Monoio, "epoll", on_monoio::force_epoll_on_this_thread;
    compio_io_uring: Compio, "io_uring", nothing;
}

#[cfg(windows)]
backends! {
    compio_iocp: Compio, "IOCP", nothing;
}

backends! {
    sim: Sim, "simulated", nothing;
}
