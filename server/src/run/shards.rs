//! The shards' threads and the sockets they share clients on.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Sender, bounded};
use forebay_transports::machine::{PORT_DENIED, SHOW_ADDRESSES, raise_descriptor_limit, usable_cpus, who_listens};
use forebay_transports::{Endpoint, Engine, EngineOptions};
use tracing::error;

use super::no_thread;
use crate::access_log::AccessLogHandle;
use crate::bulletin::{Bulletin, Phase};
use crate::config::ShardsConfig;
use crate::live::Live;
use crate::shard::{self, Setup};
use crate::supervisor::runtime_dir::StartError;
use crate::supervisor::{Command, Outcome};

/// Every address with its route, bound once for each shard.
pub(super) type Bounds<E> = Vec<(u16, Vec<<E as Engine>::Bound>)>;

/// Binds every address, each with the number of its route, for `shards` threads.
pub(super) fn bind<E: Engine>(
    addresses: impl Iterator<Item = (u16, SocketAddr)>,
    shards: usize,
) -> Result<Bounds<E>, StartError> {
    // Each client and each exchange takes a descriptor.
    raise_descriptor_limit();
    let one = |(route, address)| match E::bind(address, shards) {
        Ok(bound) => Ok((route, bound)),
        Err(error) => Err(cannot_listen(error.address, &error.source)),
    };
    addresses.map(one).collect()
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> StartError {
    let kind = error.kind();
    let hint = if kind == io::ErrorKind::AddrInUse {
        format!("another process listens there: `{}`", who_listens(address.port()))
    } else if kind == io::ErrorKind::PermissionDenied {
        PORT_DENIED.to_string()
    } else if kind == io::ErrorKind::AddrNotAvailable {
        format!("the address must be one of this machine's: `{SHOW_ADDRESSES}`")
    } else {
        "name another address with --listen".to_string()
    };
    StartError { what: format!("server.listen: cannot listen on {address} ({error})"), hint }
}

/// What every shard has in common.
pub(super) struct Plan<'a> {
    /// The worker table and the counters.
    pub(super) bulletin: Arc<Bulletin>,
    /// What to work by.
    pub(super) live: Arc<Live>,
    /// Where workers that speak frames dial in to the first shard; none if they all speak HTTP.
    pub(super) entrance: Option<&'a Path>,
    /// Whether requests go in frames and no other way.
    pub(super) frames_only: bool,
    /// How many threads, and how they run.
    pub(super) shards: &'a ShardsConfig,
    /// Whether workers are somebody else's.
    pub(super) external: bool,
    /// Where access log records go, if anywhere.
    pub(super) log: Option<AccessLogHandle>,
}

/// One a shard.
pub(super) type Threads = Vec<JoinHandle<()>>;

impl Plan<'_> {
    /// Starts one thread a shard; returns when all of them serve, with what drives their IO. A shard that ends later
    /// for a reason of its own takes the server with it.
    pub(super) fn start<E: Engine>(
        &self,
        listen: Bounds<E>,
        stop: &Sender<Command>,
    ) -> Result<(&'static str, Threads), StartError> {
        let (cpus, boot) = (usable_cpus(), random());
        let mut listen: Vec<(u16, std::vec::IntoIter<E::Bound>)> =
            listen.into_iter().map(|(route, bound)| (route, bound.into_iter())).collect();
        let (started, starts) = bounded(self.shards.count);
        let mut threads = Vec::with_capacity(self.shards.count);
        for index in 0..self.shards.count {
            let cpu = self.shards.pin.then(|| cpus[index % cpus.len()]);
            let setup = Setup::<E> {
                index,
                bulletin: Arc::clone(&self.bulletin),
                live: Arc::clone(&self.live),
                external: self.external,
                entrance: self.entrance.map(|path| entrance_of(path, index)),
                shards: u16::try_from(self.shards.count).unwrap_or(u16::MAX),
                frames_only: self.frames_only,
                listen: listen.iter_mut().filter_map(|(route, bound)| Some((*route, bound.next()?))).collect(),
                options: EngineOptions { cpu, batch: self.shards.batch },
                boot,
                log: self.log.clone(),
            };
            let (started, stop, bulletin) = (started.clone(), stop.clone(), Arc::clone(&self.bulletin));
            let work = move || {
                let first = started.clone();
                let ended = shard::run(setup, move |driver| {
                    let _gone = first.send(Ok(driver));
                });
                if let Err(error) = ended {
                    let _gone = started.try_send(Err(error.to_string()));
                }
                if bulletin.phase() != Phase::Stopping {
                    error!(target: "forebay", "shard {index} has ended; stopping");
                    let _gone = stop.send(Command::Stop);
                }
            };
            let thread = thread::Builder::new().name(format!("shard-{index}"));
            threads.push(thread.spawn(work).map_err(no_thread)?);
        }
        let mut driver = "";
        for _ in 0..self.shards.count {
            driver = match starts.recv() {
                Ok(Ok(driver)) => driver,
                Ok(Err(why)) => return Err(no_engine(E::NAME, &why)),
                Err(_) => return Err(no_engine(E::NAME, "its thread ended")),
            };
        }
        Ok((driver, threads))
    }
}

/// The first shard's is at the path itself, the others' beside it.
fn entrance_of(path: &Path, shard: usize) -> Endpoint {
    if shard == 0 {
        return Endpoint::new(path);
    }
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{shard}"));
    Endpoint::new(name)
}

fn no_engine(name: &str, why: &str) -> StartError {
    StartError {
        what: format!("server.engine: {name} cannot run here ({why})"),
        hint: "try --engine compio, or see the limits of descriptors and of locked memory (`ulimit -n -l`)".into(),
    }
}

/// A number that two starts of the server do not share. Nothing secret hangs on it.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// Waits for the shards to end; a shard that panicked makes the outcome a failure.
pub(super) fn join(threads: Threads, outcome: Outcome) -> Outcome {
    let panicked = threads.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
    if panicked > 0 { Outcome::Failed } else { outcome }
}
