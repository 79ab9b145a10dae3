//! Who is compared, how each is started, and when it counts as started.
//!
//! All run the command that `forebay run` would, in the same folder and environment. Nothing is added to bare node and
//! to the cluster but `PORT` and, as Forebay does it, `NODE_ENV=production` where that is not set.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::probe::probe;
use super::process::{Tree, free_port};
use super::refusal::Refusal;
use super::reply::Reply;
use crate::config::Config;

/// Time from start to the first answer. 60 s.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Time that an application gets to answer well after it has answered at all, and to listen on PORT after it has
/// listened elsewhere. 2 s.
const SECOND_THOUGHTS: Duration = Duration::from_secs(2);

/// Time for the use of CPU to come to rest after the first answer. 5 s.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two tries to get an answer. 20 ms.
const TRY_INTERVAL: Duration = Duration::from_millis(20);

/// The cluster's primary process.
const CLUSTER: &str = include_str!("../../node/bench-cluster.cjs");

/// A way to run the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One node process.
    Bare,
    /// node's own cluster module.
    Cluster,
    /// Forebay, workers fed over HTTP/1.1.
    Http,
    /// Forebay, workers fed over the pipe protocol.
    Pipe,
}

impl Kind {
    /// All of them, in the order of the table.
    pub(super) const ALL: [Self; 4] = [Self::Bare, Self::Cluster, Self::Http, Self::Pipe];

    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare node",
            Self::Cluster => "node cluster",
            Self::Http => "forebay http",
            Self::Pipe => "forebay pipe",
        }
    }

    /// Whether Forebay runs it.
    pub(super) const fn is_forebay(self) -> bool {
        matches!(self, Self::Http | Self::Pipe)
    }

    /// For machines.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Bare => "node",
            Self::Cluster => "cluster",
            Self::Http => "forebay_http",
            Self::Pipe => "forebay_pipe",
        }
    }
}

/// What is needed to start any of them.
pub(super) struct Stage {
    /// What `forebay run` would run.
    pub(super) config: Config,
    /// The node binary.
    pub(super) node: PathBuf,
    /// This program.
    pub(super) forebay: PathBuf,
    /// Arguments for `forebay run`, without address and transport.
    pub(super) run_args: Vec<std::ffi::OsString>,
    /// Where logs and the cluster's script go.
    pub(super) folder: PathBuf,
    /// The request to measure with.
    pub(super) request: Vec<u8>,
    /// The request in words: `GET /`.
    pub(super) asked: String,
}

/// A contender that answers.
pub(super) struct Running {
    /// Its processes.
    pub(super) tree: Tree,
    /// Where it answers.
    pub(super) address: SocketAddr,
    /// What it answered.
    pub(super) reply: Reply,
    /// Whether it listens where it was told to.
    pub(super) heeds_port: bool,
}

impl Stage {
    /// Starts a contender and waits until it answers with 2xx or 3xx.
    ///
    /// # Errors
    /// It cannot be run this way, it does not answer well, or `stop` was set.
    pub(super) fn start(&self, kind: Kind, stop: &AtomicBool) -> Result<Running, Refusal> {
        let address = free_port().map_err(|error| Refusal::new(format!("no port is free ({error})"), ""))?;
        let mut command = self.command(kind, address)?;
        let log = self.folder.join(format!("{}.log", kind.key()));
        let indirect = kind == Kind::Bare && self.config.launch.indirect;
        let tree = Tree::start(&mut command, &log, indirect).map_err(|error| {
            let program = Path::new(command.get_program()).display().to_string();
            Refusal::new(format!("{}: {program} cannot be started ({error})", kind.name()), "")
        })?;
        let mut start = Start { stage: self, kind, tree: &tree, listens_elsewhere: None, bad_since: None };
        let (address, heeds_port, reply) = start.answer(address, stop)?;
        tree.settle(SETTLE_TIMEOUT);
        Ok(Running { tree, address, reply, heeds_port })
    }

    fn command(&self, kind: Kind, address: SocketAddr) -> Result<Command, Refusal> {
        let launch = &self.config.launch;
        let transport = match kind {
            Kind::Bare => {
                let mut command = Command::new(&launch.program);
                command.args(&launch.args);
                self.prepare(&mut command, address);
                return Ok(command);
            }
            Kind::Cluster if launch.indirect => {
                return Err(Refusal::new("its start script runs in a shell, which node's cluster cannot start", ""));
            }
            Kind::Cluster => {
                let script = self.folder.join("bench-cluster.cjs");
                std::fs::write(&script, CLUSTER)
                    .map_err(|error| Refusal::new(format!("cannot write {} ({error})", script.display()), ""))?;
                let mut command = Command::new(&self.node);
                command.arg(script).arg(self.config.workers.count.to_string()).args(&launch.args);
                self.prepare(&mut command, address);
                return Ok(command);
            }
            Kind::Http => "http",
            Kind::Pipe => "pipe",
        };
        let mut command = Command::new(&self.forebay);
        command.arg("run").args(&self.run_args);
        command.args(["--listen", &address.to_string(), "--transport", transport]);
        Ok(command)
    }

    fn prepare(&self, command: &mut Command, address: SocketAddr) {
        let launch = &self.config.launch;
        let names_env = launch.env.iter().any(|(name, _)| name == "NODE_ENV");
        if !names_env && std::env::var_os("NODE_ENV").is_none() {
            command.env("NODE_ENV", "production");
        }
        command.current_dir(&launch.cwd).envs(launch.env.clone()).env("PORT", address.port().to_string());
    }
}

/// A start under way.
struct Start<'a> {
    stage: &'a Stage,
    kind: Kind,
    tree: &'a Tree,
    /// Since when it has listened on other ports only.
    listens_elsewhere: Option<Instant>,
    /// Since when it has answered badly.
    bad_since: Option<Instant>,
}

impl Start<'_> {
    fn answer(&mut self, told: SocketAddr, stop: &AtomicBool) -> Result<(SocketAddr, bool, Reply), Refusal> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if stop.load(Ordering::Relaxed) {
                return Err(Refusal::interrupted());
            }
            if self.tree.has_ended() {
                return Err(self.ended());
            }
            for address in std::iter::once(told).chain(self.other_addresses(told)) {
                // Nobody there, or not yet.
                let Ok(reply) = probe(address, &self.stage.request, stop) else { continue };
                if reply.is_good() {
                    return Ok((address, address == told, reply));
                }
                let since = *self.bad_since.get_or_insert_with(Instant::now);
                if since.elapsed() > SECOND_THOUGHTS {
                    let what = format!("answered {} with {}, not with 2xx or 3xx", self.stage.asked, reply.status);
                    return Err(self.refuse(what, "name a path that it answers with --path"));
                }
            }
            sleep(TRY_INTERVAL);
        }
        let ports = self.tree.ports();
        let where_it_listens = match &ports[..] {
            [] => "listens on no TCP port".to_owned(),
            ports => format!("listens on {ports:?}"),
        };
        let what =
            format!("did not answer {} within {} s; it {where_it_listens}", self.stage.asked, START_TIMEOUT.as_secs());
        Err(self.refuse(what, "it must serve HTTP/1.1 without TLS, on process.env.PORT or a port of its own"))
    }

    /// Where an application listens that has ignored PORT for a while.
    fn other_addresses(&mut self, told: SocketAddr) -> Vec<SocketAddr> {
        let ports = self.tree.ports();
        if ports.is_empty() || ports.contains(&told.port()) {
            self.listens_elsewhere = None;
            return Vec::new();
        }
        let since = *self.listens_elsewhere.get_or_insert_with(Instant::now);
        if since.elapsed() < SECOND_THOUGHTS {
            return Vec::new();
        }
        ports.into_iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).collect()
    }

    fn ended(&self) -> Refusal {
        let tail = self.tree.tail();
        if self.kind.is_forebay() {
            // Its own last word says it best.
            let said = tail.iter().rev().find_map(|line| line.strip_prefix("error: "));
            let what = said.map_or_else(|| "forebay ended before it answered".to_owned(), str::to_owned);
            return Refusal::new(what, "").with_log(tail);
        }
        let hint = if tail.iter().any(|line| line.contains("EADDRINUSE")) {
            "its port is taken: stop what listens there, or let it listen on process.env.PORT, which is a free one"
        } else {
            "it must run by itself first; see what it printed"
        };
        self.refuse(format!("ended before it answered {}", self.stage.asked), hint)
    }

    fn refuse(&self, what: String, hint: &str) -> Refusal {
        Refusal::new(format!("{}: the application {what}", self.kind.name()), hint).with_log(self.tree.tail())
    }
}
