//! Puts the two planes together: bind, start the shards, hand the main thread to the supervisor.
//!
//! Everything that can be refused is refused before the first worker starts: the runtime folder, the addresses, the
//! engine. Then the shards serve, holding requests until a worker is ready, and the supervisor runs until told to stop.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use forebay_core::drain::{Shutdown, Step};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::limits::Limits;
use forebay_core::time::Timestamp;
use forebay_transports::compio::Compio;
#[cfg(target_os = "linux")]
use forebay_transports::monoio::Monoio;
use forebay_transports::{Endpoint, Engine, EngineOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{error, info, warn};

use crate::access_log::{AccessLog, AccessLogHandle};
use crate::app::assets;
use crate::bulletin::{Bulletin, Door, Endpoints, Notice, Phase};
use crate::config::{
    AccessLogConfig, Affinity, Config, ConfigErrors, EngineChoice, ForwardingConfig, FrontConfig, ShardsConfig,
};
use crate::cpus::usable_cpus;
use crate::metrics::Metrics;
use crate::shard::{self, Setup};
use crate::supervisor::logs::Output;
use crate::supervisor::runtime_dir::StartError;
use crate::supervisor::{Command, Options, Outcome, Supervisor, signals};

/// What clients of a front alone get to be finished when it stops. 30 s, as `workers.drain_timeout`.
const FRONT_DRAIN: Duration = Duration::from_secs(30);

/// How often a draining front looks whether it is done. 10 ms.
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// Runs an application until it is told to stop. `reload` resolves the same command line again.
pub fn run<F>(config: Config, reload: F) -> ExitCode
where
    F: Fn() -> Result<Config, ConfigErrors> + Send + 'static,
{
    let outcome = match config.engine {
        #[cfg(target_os = "linux")]
        EngineChoice::Monoio => run_on::<Monoio, F>(config, reload),
        #[cfg(not(target_os = "linux"))]
        EngineChoice::Monoio => Err(not_here("monoio")),
        EngineChoice::Compio => run_on::<Compio, F>(config, reload),
    };
    exit_code(outcome)
}

/// Runs the front alone until it is told to stop.
pub fn front(config: FrontConfig) -> ExitCode {
    let outcome = match config.engine {
        #[cfg(target_os = "linux")]
        EngineChoice::Monoio => front_on::<Monoio>(config),
        #[cfg(not(target_os = "linux"))]
        EngineChoice::Monoio => Err(not_here("monoio")),
        EngineChoice::Compio => front_on::<Compio>(config),
    };
    exit_code(outcome)
}

fn exit_code(outcome: Result<Outcome, StartError>) -> ExitCode {
    match outcome {
        Ok(outcome) => outcome.exit_code().into(),
        Err(refused) => {
            // The last word of a process that could not start: not a log line, so that no level hides it.
            eprintln!("{refused}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn not_here(engine: &str) -> StartError {
    StartError { what: format!("server.engine: {engine} is for Linux"), hint: "leave the setting out".into() }
}

fn run_on<E, F>(config: Config, reload: F) -> Result<Outcome, StartError>
where
    E: Engine,
    F: Fn() -> Result<Config, ConfigErrors> + Send + 'static,
{
    let half = u16::try_from(config.workers.count).unwrap_or(u16::MAX / 2);
    let endpoints = worker_endpoints(config.workers.runtime_dir.clone());
    let bulletin = Arc::new(Bulletin::new(one_route(2 * half), config.shards.count, endpoints));
    let listen = bind::<E>(config.listen.iter().map(|&address| (0, address)), config.shards.count)?;
    let addresses: Vec<SocketAddr> = listen.iter().map(|(_, bound)| E::local_addr(&bound[0])).collect();
    let (log, writer) = start_log(config.access_log.as_ref())?;
    let reopened = log.clone();
    let options = Options {
        reload: Box::new(move || {
            // Whoever rotated the file sends the same signal.
            reopened.iter().for_each(AccessLogHandle::reopen);
            reload().map_err(|errors| errors.to_string())
        }),
        preload: config.workers.preload.then(|| config.workers.runtime_dir.join(assets::PRELOAD_FILE)),
        output: Output::standard(),
    };
    let supervisor = Supervisor::new(config.clone(), Arc::clone(&bulletin), options)?;
    assets::install(&config.workers.runtime_dir).map_err(|error| StartError {
        what: format!("workers.runtime_dir: cannot write to {} ({error})", config.workers.runtime_dir.display()),
        hint: "name a folder that this user can write to".into(),
    })?;
    start_metrics(config.metrics, &bulletin, config.workers.count)?;
    signals::install(supervisor.commands()).map_err(no_thread)?;
    let plan = Plan {
        bulletin: Arc::clone(&bulletin),
        limits: &config.limits,
        forwarding: Some(&config.forwarding),
        shards: &config.shards,
        external: false,
        affinity: config.affinity,
        log,
    };
    let (driver, threads) = plan.start::<E>(listen, &supervisor.commands())?;
    info!(target: "forebay", "{}", banner::<E>(&config, &addresses, driver));
    let outcome = join(threads, supervisor.run());
    drop(writer);
    Ok(outcome)
}

fn front_on<E: Engine>(config: FrontConfig) -> Result<Outcome, StartError> {
    let paths: Vec<PathBuf> = config.routes.iter().map(|route| route.endpoint.clone()).collect();
    let paths_len = paths.len();
    let count = u16::try_from(paths_len).unwrap_or(u16::MAX);
    let routes = (0..count).map(|i| i..i + 1).collect();
    let endpoints: Endpoints = Box::new(move |worker, _| Endpoint::new(&paths[usize::from(worker.0)]));
    let bulletin = Arc::new(Bulletin::new(routes, config.shards.count, endpoints));
    for slot in 0..count {
        bulletin.publish(WorkerId(slot), Notice { generation: Generation(1), home: 0, door: Door::Open });
    }
    let (log, writer) = start_log(config.access_log.as_ref())?;
    start_metrics(config.metrics, &bulletin, paths_len)?;
    let addresses = config.routes.iter().zip(0..).flat_map(|(route, i)| route.listen.iter().map(move |&a| (i, a)));
    let listen = bind::<E>(addresses, config.shards.count)?;
    let (commands, told) = bounded(16);
    signals::install(commands.clone()).map_err(no_thread)?;
    let plan = Plan {
        bulletin: Arc::clone(&bulletin),
        limits: &config.limits,
        forwarding: config.forwarding.as_ref(),
        shards: &config.shards,
        external: true,
        affinity: Affinity::Off,
        log: log.clone(),
    };
    let (driver, threads) = plan.start::<E>(listen, &commands)?;
    info!(target: "forebay", "front for {count} endpoint(s), engine {} ({driver})", E::NAME);
    let outcome = wait_and_drain(&bulletin, &told, log.as_ref());
    bulletin.set_phase(Phase::Stopping);
    let outcome = join(threads, outcome);
    drop(writer);
    Ok(outcome)
}

/// Serves until told to stop, then until no client wants anything any more.
fn wait_and_drain(bulletin: &Bulletin, told: &Receiver<Command>, log: Option<&AccessLogHandle>) -> Outcome {
    let origin = Instant::now();
    let now = || Timestamp::ZERO + origin.elapsed();
    let mut shutdown: Option<Shutdown> = None;
    loop {
        let command = match &mut shutdown {
            None => told.recv().ok(),
            Some(shutdown) => {
                if shutdown.poll(now(), bulletin.left(), 0) > Step::Drain {
                    return Outcome::Stopped;
                }
                told.recv_timeout(DRAIN_POLL).ok()
            }
        };
        match (command, &mut shutdown) {
            (Some(Command::Stop), None) => {
                bulletin.set_phase(Phase::Draining);
                shutdown = Some(Shutdown::new(now(), FRONT_DRAIN, Duration::ZERO));
            }
            (Some(Command::Stop), Some(shutdown)) => shutdown.on_asked_again(),
            (Some(Command::Reload), _) => {
                log.into_iter().for_each(AccessLogHandle::reopen);
                warn!(target: "forebay", "no workers to reload: they are not ours; the access log is opened again");
            }
            (None, _) => {}
        }
    }
}

fn one_route(slots: u16) -> Vec<Range<u16>> {
    std::iter::once(0..slots).collect()
}

/// `w3.12.sock`: the twelfth process of slot 3. A name is never used twice, so a stale socket cannot be mistaken.
fn worker_endpoints(folder: PathBuf) -> Endpoints {
    Box::new(move |worker, generation| Endpoint::new(folder.join(format!("{worker}.{}.sock", generation.0))))
}

/// Every address with its route, bound once for each shard.
type Bounds<E> = Vec<(u16, Vec<<E as Engine>::Bound>)>;

fn bind<E: Engine>(addresses: impl Iterator<Item = (u16, SocketAddr)>, shards: usize) -> Result<Bounds<E>, StartError> {
    raise_descriptor_limit();
    let one = |(route, address)| match E::bind(address, shards) {
        Ok(bound) => Ok((route, bound)),
        Err(error) => Err(cannot_listen(error.address, &error.source)),
    };
    addresses.map(one).collect()
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> StartError {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => format!("another process listens there: `ss -ltnp 'sport = :{}'`", address.port()),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE, or another port".to_string()
        }
        io::ErrorKind::AddrNotAvailable => "the address must be one of this machine's: `ip address`".to_string(),
        _ => "name another address with --listen".to_string(),
    };
    StartError { what: format!("server.listen: cannot listen on {address} ({error})"), hint }
}

/// The access log's queue and writer, if one is wanted.
fn start_log(config: Option<&AccessLogConfig>) -> Result<(Option<AccessLogHandle>, Option<AccessLog>), StartError> {
    let Some(config) = config else { return Ok((None, None)) };
    match AccessLog::start(config) {
        Ok((handle, writer)) => Ok((Some(handle), Some(writer))),
        Err(error) => Err(StartError {
            what: format!("access_log.path: cannot be opened ({error})"),
            hint: "its folder must exist and be writable for this user".into(),
        }),
    }
}

fn start_metrics(address: Option<SocketAddr>, bulletin: &Arc<Bulletin>, workers: usize) -> Result<(), StartError> {
    let Some(address) = address else { return Ok(()) };
    match Metrics::new(Arc::clone(bulletin), workers).serve(address) {
        Ok(bound) => {
            info!(target: "forebay", "metrics on http://{bound}/metrics");
            Ok(())
        }
        Err(error) => Err(StartError {
            what: format!("server.metrics: cannot listen on {address} ({error})"),
            hint: "name another loopback address".into(),
        }),
    }
}

fn no_thread(error: io::Error) -> StartError {
    StartError {
        what: format!("cannot start a thread ({error})"),
        hint: "raise the limit of processes (`ulimit -u`) or of the container's pids".into(),
    }
}

/// Each client and each exchange takes a descriptor, so the soft limit is raised to the hard one.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Where that is refused the old limit holds, and accepting says so when it is reached.
        let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// What every shard has in common.
struct Plan<'a> {
    bulletin: Arc<Bulletin>,
    limits: &'a Limits,
    forwarding: Option<&'a ForwardingConfig>,
    shards: &'a ShardsConfig,
    external: bool,
    affinity: Affinity,
    log: Option<AccessLogHandle>,
}

type Threads = Vec<JoinHandle<()>>;

impl Plan<'_> {
    /// Starts one thread a shard; returns when all of them serve, with what drives their IO. A shard that ends later
    /// for a reason of its own takes the server with it.
    fn start<E: Engine>(
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
                limits: self.limits.clone(),
                forwarding: self.forwarding.cloned(),
                external: self.external,
                affinity: self.affinity,
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

fn join(threads: Threads, outcome: Outcome) -> Outcome {
    let panicked = threads.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
    if panicked > 0 { Outcome::Failed } else { outcome }
}

fn banner<E: Engine>(config: &Config, addresses: &[SocketAddr], driver: &str) -> String {
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}/")).collect();
    format!(
        "{} on {}: {} worker(s) over http, {} shard(s), engine {} ({driver})",
        config.launch.title,
        urls.join(" "),
        config.workers.count,
        config.shards.count,
        E::NAME,
    )
}
