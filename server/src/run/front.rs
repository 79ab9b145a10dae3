//! The front alone: clients on one side, workers that somebody else started on the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};
use forebay_core::drain::{Processes, Shutdown, Step};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::time::Timestamp;
use forebay_transports::{Endpoint, Engine};
use tracing::{info, warn};

use super::no_thread;
use super::observe::{start_log, start_metrics};
use super::shards::{Plan, bind, join};
use crate::access_log::AccessLogHandle;
use crate::bulletin::{Bulletin, Door, Endpoints, Notice, Phase};
use crate::config::{FrontConfig, TransportChoice};
use crate::live::Live;
use crate::signals;
use crate::supervisor::runtime_dir::StartError;
use crate::supervisor::{Command, Outcome};

/// What clients of a front alone get to be finished when it stops. 30 s, as `workers.drain_timeout`.
const FRONT_DRAIN: Duration = Duration::from_secs(30);

/// How often a draining front looks whether it is done. 10 ms.
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// Serves each port from its endpoint until told to stop.
pub(super) fn front_on<E: Engine>(config: FrontConfig) -> Result<Outcome, StartError> {
    let paths: Vec<PathBuf> = config.routes.iter().map(|route| route.endpoint.clone()).collect();
    let count = u16::try_from(paths.len()).unwrap_or(u16::MAX);
    let routes = (0..count).map(|i| i..i + 1).collect();
    let endpoints: Endpoints = Box::new(move |worker, _| Endpoint::new(&paths[usize::from(worker.0)]));
    let bulletin = Arc::new(Bulletin::new(routes, config.shards.count, endpoints));
    for slot in 0..count {
        bulletin.publish(WorkerId(slot), Notice { generation: Generation(1), home: 0, door: Door::Open });
    }
    let (log, writer) = start_log(config.access_log.as_ref())?;
    start_metrics(config.metrics, &bulletin, 1)?;
    let addresses = config.routes.iter().zip(0..).flat_map(|(route, i)| route.listen.iter().map(move |&a| (i, a)));
    let listen = bind::<E>(addresses, config.shards.count)?;
    let (commands, told) = bounded(16);
    signals::install(commands.clone()).map_err(no_thread)?;
    let plan = Plan {
        bulletin: Arc::clone(&bulletin),
        live: Arc::new(Live::of_front(&config)),
        entrance: config.pipe.as_deref(),
        frames_only: config.transport == TransportChoice::Pipe,
        shards: &config.shards,
        external: true,
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
                if shutdown.poll(now(), bulletin.left(), Processes::default()) > Step::Drain {
                    return Outcome::Stopped;
                }
                told.recv_timeout(DRAIN_POLL).ok()
            }
        };
        match (command, &mut shutdown) {
            (Some(Command::Stop), None) => {
                bulletin.set_phase(Phase::Draining);
                shutdown = Some(Shutdown::new(now(), FRONT_DRAIN));
            }
            (Some(Command::Stop), Some(shutdown)) => shutdown.on_asked_again(),
            (Some(Command::Reload | Command::Recycle), _) => {
                log.into_iter().for_each(AccessLogHandle::reopen);
                warn!(target: "forebay", "no workers to reload: they are not ours; the access log is opened again");
            }
            // Whose application is offline, or debugged, is not known here.
            (Some(Command::Offline(_) | Command::Inspect { .. } | Command::EndInspection) | None, _) => {}
        }
    }
}
