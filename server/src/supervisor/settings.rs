//! What one set of workers is started with, and which changes of the configuration a reload can apply.

use std::path::PathBuf;
use std::sync::Arc;

use forebay_core::time::Timestamp;
use forebay_core::worker::{Journey, Policy};

use crate::config::{AppLogConfig, Config, Launch, TransportChoice, WorkersConfig};
use crate::control_pipe;
use crate::run::pipe_of;

/// What one set of workers is started with. A worker that crashes is started with its own set's, not with the newest.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub launch: Launch,
    pub workers: WorkersConfig,
    /// Files with what they write, if any.
    pub app_log: Option<Arc<AppLogConfig>>,
    /// Where workers that can take frames dial in, if they are to.
    pub pipe: Option<PathBuf>,
    /// Script that node loads first, if any.
    pub preload: Option<PathBuf>,
    /// Whether requests go in frames and no other way.
    pub frames_only: bool,
    /// Whether somebody debugs it: then its event loop may well stand still.
    pub is_debugged: bool,
    /// The vCPUs to pin workers to.
    pub cpus: Arc<[usize]>,
}

impl Settings {
    pub(super) fn new(config: &Config, preload: Option<PathBuf>, cpus: Arc<[usize]>) -> Self {
        let preload = preload.filter(|_| config.workers.preload);
        let mut launch = config.launch.clone();
        if config.workers.control_pipe {
            let pipe = control_pipe::endpoint_in(&config.workers.runtime_dir);
            launch.env.push((control_pipe::VARIABLE.into(), pipe.path().into()));
        }
        Self {
            launch,
            workers: config.workers.clone(),
            app_log: config.app_log.clone().map(Arc::new),
            pipe: pipe_of(config),
            preload,
            frames_only: config.transport == TransportChoice::Pipe,
            is_debugged: is_debugged(&config.launch),
            cpus,
        }
    }

    pub(super) fn policy(&self) -> Policy {
        let workers = &self.workers;
        Policy {
            start_timeout: workers.start_timeout,
            drain_timeout: workers.drain_timeout,
            tunnel_drain_timeout: workers.tunnel_drain_timeout,
            stop_timeout: workers.stop_timeout,
            backoff_min: workers.backoff_min,
            backoff_max: workers.backoff_max,
        }
    }

    /// The vCPU of the worker with this number, if workers are pinned.
    pub(super) fn cpu(&self, index: u16) -> Option<usize> {
        let cpus = self.workers.pin.then_some(&self.cpus)?;
        cpus.get(usize::from(index) % cpus.len().max(1)).copied()
    }

    pub(super) fn journey(&self, now: Timestamp) -> Journey {
        let words =
            std::iter::once(self.launch.program.as_os_str()).chain(self.launch.args.iter().map(|a| a.as_os_str()));
        let command: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        Journey::new(now, command.join(" "), self.launch.cwd.display().to_string())
    }
}

/// Whether node's inspector is asked for, in the command or in `NODE_OPTIONS`.
fn is_debugged(launch: &Launch) -> bool {
    let own = std::env::var_os("NODE_OPTIONS");
    let set = launch.env.iter().rev().find(|(name, _)| name == "NODE_OPTIONS").map(|(_, value)| value);
    let mut words = launch.args.iter().chain(set.or(own.as_ref()));
    words.any(|word| word.to_string_lossy().contains("--inspect"))
}

/// The keys that differ and that only a restart can apply.
pub(super) fn needs_restart(old: &Config, new: &Config, count_max: usize) -> Vec<&'static str> {
    let shards = |c: &Config| (c.shards.count, c.shards.pin, c.shards.batch);
    let differences = [
        ("listen", old.listen != new.listen),
        ("engine", old.engine != new.engine),
        ("transport", old.transport != new.transport),
        ("shards", shards(old) != shards(new)),
        ("metrics", old.metrics != new.metrics),
        ("access_log", old.access_log != new.access_log),
        ("site.offline_page", old.site.offline_page != new.site.offline_page),
        ("workers.runtime_dir", old.workers.runtime_dir != new.workers.runtime_dir),
        ("workers.count", new.workers.count > count_max),
    ];
    differences.into_iter().filter(|&(_, differs)| differs).map(|(key, _)| key).collect()
}
