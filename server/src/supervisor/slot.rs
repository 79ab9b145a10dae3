//! One slot of the worker table with its process: does what its life cycle decides.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::Sender;
use forebay_core::drain::Load;
use forebay_core::id::WorkerId;
use forebay_core::time::Timestamp;
use forebay_core::worker::{Action, Door, Fault, Journey, Lifecycle, Policy, Report, SpawnFault, State, Stuck, Want};
use forebay_transports::Endpoint;

use super::condition::condition_of;
use super::logs::{Logs, Source, Tail};
use super::order::{self, Order};
use super::report::{Facts, Throttle, failure, report};
use super::settings::Settings;
use super::watch::Probe;
use super::{Captured, Ended, inspector};
use crate::bulletin::{self, Bulletin, Notice, Station};
use crate::origin::{Board, Last};
use crate::spawn::{Process, Resident};

/// What a slot uses of its supervisor.
pub(super) struct Tools<'a> {
    pub now: Timestamp,
    pub random: u32,
    pub bulletin: &'a Bulletin,
    pub logs: &'a Logs,
    pub board: &'a Board,
    pub ended: &'a Sender<Ended>,
    pub captured: &'a Sender<Captured>,
}

/// A worker's process that is there.
struct Worker {
    process: Process,
    tail: Tail,
    /// Its leader is a shell or npm, which may be gone long before the application has ended in peace.
    is_indirect: bool,
    kill_sent: bool,
    /// When to look again whether the leader's group has ended.
    lingers_until: Option<Timestamp>,
}

/// One slot.
pub(super) struct Slot {
    pub id: WorkerId,
    /// The same in both halves of the table: the number the application sees, the vCPU, the home shard.
    pub index: u16,
    pub life: Lifecycle,
    pub settings: Arc<Settings>,
    pub journey: Journey,
    /// Why the last start could not even be tried, when trying again would not help.
    pub permanent: Option<SpawnFault>,
    pub oddities: Throttle,
    endpoint: Endpoint,
    worker: Option<Worker>,
    probe: Option<Probe>,
    killed: bool,
    /// It listened on a port of its own when its time to start was over.
    is_elsewhere: bool,
    /// For how long its event loop has stood still, as a shard said.
    silence: Duration,
    /// What it did wrong.
    broke: String,
    /// Why the last start failed: fault and last words.
    last_failure: Option<(String, Vec<String>)>,
}

impl Slot {
    /// What is waited for the last words of a process that ended.
    const LAST_WORDS: Duration = Duration::from_millis(100);
    /// Between two looks at a group whose leader is gone.
    const LINGER: Duration = Duration::from_millis(20);

    pub(super) fn new(id: WorkerId, index: u16, settings: Arc<Settings>, bulletin: &Bulletin) -> Self {
        let life = Lifecycle::new(settings.policy());
        let endpoint = bulletin.endpoint(id, life.generation());
        let journey = settings.journey(Timestamp::ZERO);
        Self {
            id,
            index,
            life,
            settings,
            journey,
            permanent: None,
            oddities: Throttle::default(),
            endpoint,
            worker: None,
            probe: None,
            killed: false,
            is_elsewhere: false,
            silence: Duration::ZERO,
            broke: String::new(),
            last_failure: None,
        }
    }

    /// Wants something of the slot.
    pub(super) fn want(&mut self, want: Want, tools: &Tools<'_>) {
        self.life.on_want(tools.now, want);
        self.act(tools);
    }

    /// The next process is started with these.
    pub(super) fn set(&mut self, settings: Arc<Settings>) {
        let policy: Policy = settings.policy();
        self.life.set_policy(policy);
        self.settings = settings;
        self.last_failure = None;
    }

    /// When the slot has something to do.
    pub(super) fn next(&self) -> Timestamp {
        let probe = self.probe.as_ref().map(Probe::next);
        let lingers = self.worker.as_ref().and_then(|worker| worker.lingers_until);
        [probe, lingers].into_iter().flatten().fold(self.life.next_deadline(), Timestamp::min)
    }

    /// Whether its process was killed, and has yet to vanish.
    pub(super) fn is_killed(&self) -> bool {
        self.worker.as_ref().is_some_and(|worker| worker.kill_sent)
    }

    /// Whether this is the id of its process.
    pub(super) fn has_pid(&self, pid: u32) -> bool {
        self.worker.as_ref().is_some_and(|worker| worker.process.id() == pid)
    }

    /// The id of its process, while there is one.
    pub(super) fn pid(&self) -> Option<u32> {
        self.worker.as_ref().map(|worker| worker.process.id())
    }

    /// Its process and all it started, as far as they hold memory.
    pub(super) fn residents(&self) -> Vec<Resident> {
        self.worker.as_ref().map(|worker| worker.process.residents()).unwrap_or_default()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, tools: &Tools<'_>) {
        if self.probe.as_mut().is_some_and(|probe| probe.poll(tools.now, &self.endpoint)) {
            self.probe = None;
            self.endpoint.seal();
            self.journey.on_listening(tools.now);
            self.life.on_listening(tools.now);
        }
        self.life.on_load(tools.now, self.load(tools));
        // Its last chance is over: does it listen elsewhere? Once it is killed nobody can tell.
        if self.life.state() == State::Starting && tools.now >= self.life.next_deadline() {
            self.is_elsewhere = self.worker.as_ref().is_some_and(|worker| !worker.process.ports().is_empty());
        }
        self.life.on_tick(tools.now);
        self.act(tools);
        let lingers = self.worker.as_ref().and_then(|worker| worker.lingers_until);
        if lingers.is_some_and(|until| tools.now >= until) {
            self.on_ended(tools);
        }
    }

    /// Its process ended, somebody says.
    pub(super) fn on_ended(&mut self, tools: &Tools<'_>) {
        let is_stopping = self.life.state() == State::Stopping;
        let Some(worker) = &mut self.worker else { return };
        let is_asked = is_stopping && worker.is_indirect && !worker.kill_sent;
        if is_asked && worker.process.has_company() {
            worker.lingers_until = Some(tools.now + Self::LINGER);
            return;
        }
        let Some(exit) = worker.process.collect() else { return };
        self.probe = None;
        self.journey.on_ended(tools.now, exit);
        self.life.on_exited(tools.now, tools.random);
        self.act(tools);
        self.worker = None;
        self.endpoint.remove();
    }

    /// A shard says that its endpoint refuses connections: looks for itself.
    pub(super) fn on_refused(&mut self, tools: &Tools<'_>) {
        if self.life.state() == State::Ready && !self.endpoint.listens() {
            self.life.on_refused(tools.now);
            self.act(tools);
        }
    }

    /// A shard says that it broke the pipe protocol: it finishes what it has, and is started again.
    pub(super) fn on_broken(&mut self, why: String, tools: &Tools<'_>) {
        self.broke = why;
        self.life.on_broken(tools.now);
        self.act(tools);
    }

    /// Where its inspector listens, once it does.
    pub(super) fn inspector(&self) -> Option<String> {
        self.worker.as_ref().and_then(|worker| worker.tail.inspector().look())
    }

    /// Whether somebody may look into it: its inspector was asked for, or is open.
    pub(super) fn is_debugged(&self) -> bool {
        let is_open = |worker: &Worker| worker.tail.inspector().look().is_some();
        self.settings.is_debugged || (self.life.state() != State::Stuck && self.worker.as_ref().is_some_and(is_open))
    }

    /// A shard says that its event loop does not turn.
    pub(super) fn on_stuck(&mut self, silence: Duration, tools: &Tools<'_>) {
        self.silence = silence;
        self.life.on_stuck(tools.now);
        self.act(tools);
    }

    /// What it hangs in is known, or cannot be.
    pub(super) fn on_captured(&mut self, stuck: Stuck, tools: &Tools<'_>) {
        if self.life.state() == State::Stuck {
            self.journey.on_stuck(tools.now, stuck);
            self.life.on_captured(tools.now);
            self.act(tools);
        }
    }

    fn capture(&mut self, tools: &Tools<'_>) {
        let stuck = |why: &str| Stuck { silence: self.silence, stack: Vec::new(), why_not: why.into() };
        let late = stuck("it could not be found out in time");
        let started = self.worker.as_ref().ok_or_else(|| "there is no process".to_string()).and_then(|worker| {
            let feed = tools.bulletin.feed(self.id, self.life.generation());
            let pid = worker.process.open_inspector(feed.map(|feed| feed.pid))?;
            let (from, to) = (worker.tail.inspector(), tools.captured.clone());
            let (slot, generation, found) = (self.id, self.life.generation(), late.clone());
            inspector::capture(pid, from, move |stack| {
                let stuck = match stack {
                    Ok(stack) => Stuck { stack, ..found },
                    Err(why_not) => Stuck { why_not, ..found },
                };
                let _supervisor_gone = to.send(Captured { slot, generation, stuck });
            })
        });
        self.journey.on_stuck(tools.now, started.as_ref().map_or_else(|why| stuck(why), |()| late));
        if started.is_err() {
            self.life.on_captured(tools.now);
        }
    }

    fn load(&self, tools: &Tools<'_>) -> Load {
        Load { in_flight: tools.bulletin.in_flight(self.id), tunnels: tools.bulletin.tunnels(self.id) }
    }

    fn act(&mut self, tools: &Tools<'_>) {
        // Read before any door is shut: this is what a crash cost.
        let load = self.load(tools);
        while let Some(action) = self.life.poll_action() {
            match action {
                Action::Spawn => self.spawn(tools),
                Action::Probe => self.probe = Some(Probe::new(tools.now)),
                Action::Publish(door) => self.publish(door, tools.bulletin),
                Action::Capture => self.capture(tools),
                Action::SendTerm => {
                    self.probe = None;
                    self.tell(|worker| worker.process.ask_to_end(worker.is_indirect));
                }
                Action::SendKill => {
                    self.probe = None;
                    self.tell(|worker| {
                        worker.kill_sent = true;
                        worker.process.kill();
                    });
                }
                Action::Report(what) => self.report(what, load, tools),
            }
        }
        let condition = condition_of(self.life.want(), self.life.state(), &self.journey, &self.settings.launch);
        let condition = if self.is_elsewhere { condition.elsewhere() } else { condition };
        tools.bulletin.set_station(self.id, Station { number: self.index, condition });
    }

    fn tell(&mut self, order: impl FnOnce(&mut Worker)) {
        if let Some(worker) = &mut self.worker {
            order(worker);
        }
    }

    fn publish(&self, door: Door, bulletin: &Bulletin) {
        let shards = u16::try_from(bulletin.shards()).unwrap_or(u16::MAX).max(1);
        let door = match door {
            Door::Shut => bulletin::Door::Shut,
            Door::Open => bulletin::Door::Open,
            Door::Draining => bulletin::Door::Draining,
        };
        bulletin.publish(self.id, Notice { generation: self.life.generation(), home: self.index % shards, door });
    }

    fn spawn(&mut self, tools: &Tools<'_>) {
        let settings = self.settings.clone();
        let generation = self.life.generation();
        self.endpoint = tools.bulletin.endpoint(self.id, generation);
        self.journey = settings.journey(tools.now);
        (self.permanent, self.killed, self.is_elsewhere) = (None, false, false);
        self.endpoint.remove();
        let order = Order {
            launch: &settings.launch,
            index: self.index,
            generation,
            endpoint: &self.endpoint,
            pipe: settings.pipe.as_deref(),
            preload: settings.preload.as_deref(),
            cpu: settings.cpu(self.index),
            batch: settings.workers.batch,
        };
        match order::start(&order).and_then(|process| self.adopt(process, tools)) {
            Ok(worker) => {
                self.journey.on_spawned(tools.now, worker.process.id());
                self.worker = Some(worker);
                self.life.on_spawned(tools.now);
            }
            Err(fault) => {
                self.permanent = fault.is_permanent().then(|| fault.clone());
                self.journey.on_fault(tools.now, Fault::Spawn(fault));
                self.life.on_spawn_failed(tools.now, tools.random);
            }
        }
    }

    /// Reads its output and waits for its end; a process that cannot be watched is killed.
    fn adopt(&self, mut process: Process, tools: &Tools<'_>) -> Result<Worker, SpawnFault> {
        let ended = Ended { slot: self.id, generation: self.life.generation() };
        let (stdout, stderr) = process.output();
        let to = tools.ended.clone();
        let tell = move || {
            let _supervisor_gone = to.send(ended);
        };
        let source = Source { worker: self.id, pid: process.id(), files: self.settings.app_log.clone() };
        let watched = tools.logs.follow(&source, stdout, stderr);
        match watched.and_then(|tail| process.when_ended(tell).map(|()| tail)) {
            Ok(tail) => {
                let is_indirect = self.settings.launch.indirect;
                Ok(Worker { process, tail, is_indirect, kill_sent: false, lingers_until: None })
            }
            Err(error) => {
                process.end();
                Err(SpawnFault::Other(format!("no thread to watch it with: {error}")))
            }
        }
    }

    fn report(&mut self, what: Report, load: Load, tools: &Tools<'_>) {
        if what == Report::Killed && std::mem::replace(&mut self.killed, true) {
            return; // It is killed again and again; once is said.
        }
        if what == Report::NeverListened {
            let after = self.journey.uptime(tools.now);
            self.journey.on_fault(tools.now, Fault::NeverListened(after));
        }
        if let Some(worker) = &self.worker {
            let patience = if self.journey.exit().is_some() { Self::LAST_WORDS } else { Duration::ZERO };
            self.journey.stderr = worker.tail.lines(patience);
        }
        if !matches!(what, Report::Ready | Report::Draining | Report::DrainCut | Report::Refused) {
            let story = match self.journey.exit().filter(|_| self.journey.has_listened()) {
                Some(exit) => format!("It had been ready, and ended: {exit}."),
                None => self.journey.summary(),
            };
            let stderr = self.journey.stderr.clone();
            tools.board.note(Last { worker: self.id, generation: self.life.generation(), story, stderr });
        }
        // One that was ready and then deaf was no failed start.
        let what = if what == Report::ExitedEarly && self.journey.has_listened() { Report::Crashed } else { what };
        match what {
            Report::Crashed | Report::Recycled | Report::Stuck => tools.bulletin.count_restart(self.id),
            Report::SpawnFailed | Report::ExitedEarly | Report::NeverListened => tools.bulletin.count_failure(self.id),
            Report::Ready
            | Report::Stopped
            | Report::Refused
            | Report::Draining
            | Report::DrainCut
            | Report::Killed => {}
        }
        let is_repeated = self.is_repeated(what);
        let facts = Facts {
            worker: self.id,
            now: tools.now,
            journey: &self.journey,
            state: self.life.state(),
            delay: self.life.next_deadline().since(tools.now),
            failures: self.life.failures(),
            is_repeated,
            cpu: self.settings.cpu(self.index),
            in_flight: load.in_flight,
            tunnels: load.tunnels,
            feed: tools.bulletin.feed(self.id, self.life.generation()),
            why: &self.broke,
        };
        if let Some(config) = &self.settings.app_log
            && let Some(failure) = failure(what, &facts, self.worker.as_ref().and_then(|worker| worker.tail.last()))
        {
            tools.logs.record(config, failure);
        }
        report(what, &facts);
    }

    /// Whether this is a failed start that looks like the one before; the story need not be told again.
    fn is_repeated(&mut self, what: Report) -> bool {
        match what {
            Report::SpawnFailed | Report::ExitedEarly | Report::NeverListened => {
                let failure = Some((self.journey.summary(), self.journey.stderr.clone()));
                std::mem::replace(&mut self.last_failure, failure.clone()) == failure
            }
            Report::Ready => {
                self.last_failure = None;
                false
            }
            Report::Crashed
            | Report::Stopped
            | Report::Refused
            | Report::Draining
            | Report::Recycled
            | Report::Stuck
            | Report::DrainCut
            | Report::Killed => false,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.tell(|worker| worker.process.kill());
    }
}
