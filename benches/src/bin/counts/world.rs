//! One shard of the server on a thread of its own, as `forebay front` would run it, and its worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use forebay::bulletin::{Bulletin, Door, Notice, Phase};
use forebay::config::ForwardingConfig;
use forebay::live::Live;
use forebay::shard::{self, Setup};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::limits::Limits;
use forebay_transports::monoio::Monoio;
use forebay_transports::{Endpoint, Engine, EngineOptions};
use rustix::thread::{Pid, gettid};

use crate::{tally, worker};

/// A running shard.
pub(crate) struct World {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its thread.
    pub(crate) thread: Pid,
    /// What drives its IO.
    pub(crate) driver: &'static str,
    bulletin: Arc<Bulletin>,
    shard: Option<JoinHandle<io::Result<()>>>,
    _folder: tempfile::TempDir,
}

impl World {
    /// Starts both; the shard's thread is watched.
    ///
    /// # Errors
    /// A socket or the engine is refused.
    pub(crate) fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("worker.sock");
        worker::start(&socket)?;
        let endpoint = Endpoint::new(socket);
        let route = std::iter::once(0..1).collect();
        let bulletin = Arc::new(Bulletin::new(route, 1, Box::new(move |_, _| endpoint.clone())));
        bulletin.publish(WorkerId(0), Notice { generation: Generation(1), home: 0, door: Door::Open });
        let bound = Monoio::bind(([127, 0, 0, 1], 0).into(), 1).map_err(io::Error::other)?;
        let address = Monoio::local_addr(&bound[0]);
        let forwarding = ForwardingConfig {
            x_forwarded: true,
            forwarded: true,
            request_id: true,
            trusted: Vec::new(),
            server_variables: Vec::new(),
        };
        let setup = Setup::<Monoio> {
            index: 0,
            bulletin: Arc::clone(&bulletin),
            live: Arc::new(Live::plain(Limits::default(), Some(forwarding))),
            external: true,
            listen: bound.into_iter().map(|bound| (0, bound)).collect(),
            entrance: None,
            shards: 1,
            frames_only: false,
            options: EngineOptions { cpu: None, batch: true },
            boot: 1,
            log: None,
        };
        let (started, starts) = channel();
        let work = move || {
            shard::run(setup, move |driver| {
                tally::watch_this_thread();
                let _gone = started.send((gettid(), driver));
            })
        };
        let shard = thread::Builder::new().name("shard-0".into()).spawn(work)?;
        let (thread, driver) = starts.recv().map_err(|_| io::Error::other("the shard did not start"))?;
        Ok(Self { address, thread, driver, bulletin, shard: Some(shard), _folder: folder })
    }

    /// Stops the shard.
    ///
    /// # Errors
    /// It had ended with an error, or panicked.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        self.bulletin.set_phase(Phase::Stopping);
        match self.shard.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("the shard panicked")),
            None => Ok(()),
        }
    }
}
