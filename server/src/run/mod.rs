//! Puts the two planes together: bind, start the shards, hand the main thread to the supervisor.
//!
//! Everything that can be refused is refused before the first worker starts: the runtime folder, the addresses, the
//! engine. Then the shards serve, holding requests until a worker is ready, and the supervisor runs until told to stop.

mod front;
mod observe;
mod shards;
mod site;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use forebay_transports::compio::Compio;
#[cfg(target_os = "linux")]
use forebay_transports::monoio::Monoio;
use forebay_transports::{Endpoint, Engine};
use tracing::info;

use crate::access_log::AccessLogHandle;
use crate::app::assets;
use crate::bulletin::{Bulletin, Endpoints, SLOTS_PER_WORKER, WORKERS_ROOM};
use crate::config::{Config, ConfigErrors, EngineChoice, FrontConfig, PIPE_FILE, TransportChoice};
use crate::live::Live;
use crate::signals;
use crate::supervisor::logs::Output;
use crate::supervisor::runtime_dir::StartError;
use crate::supervisor::{Options, Outcome, Supervisor};
use front::front_on;
use observe::{start_log, start_metrics};
use shards::{Plan, bind, join};
use site::start_origin;

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
    let workers = u16::try_from(config.workers.count).unwrap_or(u16::MAX / SLOTS_PER_WORKER).max(WORKERS_ROOM);
    let endpoints = worker_endpoints(config.workers.runtime_dir.clone());
    let slots = one_route(workers * SLOTS_PER_WORKER);
    let bulletin = Arc::new(Bulletin::new(slots, config.shards.count, endpoints).with_origin());
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
    let mut supervisor = Supervisor::new(config.clone(), Arc::clone(&bulletin), options)?;
    assets::install(&config.workers.runtime_dir).map_err(|error| StartError {
        what: format!("workers.runtime_dir: cannot write to {} ({error})", config.workers.runtime_dir.display()),
        hint: "name a folder that this user can write to".into(),
    })?;
    start_metrics(config.metrics, &bulletin, SLOTS_PER_WORKER)?;
    signals::install(supervisor.commands()).map_err(no_thread)?;
    let _origin = start_origin(&config, &bulletin, &mut supervisor)?;
    let pipe = pipe_of(&config);
    let plan = Plan {
        bulletin: Arc::clone(&bulletin),
        live: Arc::new(Live::of(&config)),
        entrance: pipe.as_deref(),
        frames_only: config.transport == TransportChoice::Pipe,
        shards: &config.shards,
        external: false,
        log,
    };
    let (driver, threads) = plan.start::<E>(listen, &supervisor.commands())?;
    info!(target: "forebay", "{}", banner::<E>(&config, &addresses, driver));
    let outcome = join(threads, supervisor.run());
    drop(writer);
    Ok(outcome)
}

fn one_route(slots: u16) -> Vec<Range<u16>> {
    std::iter::once(0..slots).collect()
}

/// `w3.12.sock`: the twelfth process of slot 3. A name is never used twice, so a stale socket cannot be mistaken.
fn worker_endpoints(folder: PathBuf) -> Endpoints {
    Box::new(move |worker, generation| Endpoint::within(&folder, &format!("{worker}.{}.sock", generation.0)))
}

/// Where workers that speak frames dial in; none if they all speak HTTP.
pub(crate) fn pipe_of(config: &Config) -> Option<PathBuf> {
    let wanted = config.transport != TransportChoice::Http && config.workers.preload;
    wanted.then(|| Endpoint::within(&config.workers.runtime_dir, PIPE_FILE).path().to_path_buf())
}

fn no_thread(error: io::Error) -> StartError {
    StartError {
        what: format!("cannot start a thread ({error})"),
        hint: "raise the limit of processes (`ulimit -u`) or of the container's pids".into(),
    }
}

fn banner<E: Engine>(config: &Config, addresses: &[SocketAddr], driver: &str) -> String {
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}/")).collect();
    format!(
        "{} on {}: {} worker(s) over {}, {} shard(s), engine {} ({driver})",
        config.launch.title,
        urls.join(" "),
        config.workers.count,
        config.feeding(),
        config.shards.count,
        E::NAME,
    )
}
