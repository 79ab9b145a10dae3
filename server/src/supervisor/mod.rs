//! The control plane: starts, watches and replaces workers.
//!
//! One thread, one loop: wait for a command, the end of a process or a deadline; tell the life cycles
//! (`forebay_core::worker`) what happened; do what they decide. It may block for moments, since no client waits for
//! it. Helper threads only read pipes, wait for processes and receive signals; each hands what it learns to the loop.
//!
//! The worker table of the bulletin has two slots for each worker. One serves; a reload brings the other to readiness,
//! and only then are the doors of the new ones opened and the old ones drained. The processes `w2` and `w3` have the same
//! number for the application, 1, the same vCPU and the same home shard. The table has room for more workers than there
//! are, so that a reload can start more; what goes through the table goes through the slots in use only.
//!
//! Invariants: workers are made on this thread only (see [`Process`](crate::spawn::Process)); shards learn of a worker's end before the log does.
//!
//! What it deliberately does not do: touch a connection, give up on a worker, or judge one by anything but whether it
//! is there and listens.

mod assembly;
mod broken;
mod condition;
mod debuggee;
mod footprint;
mod idle;
pub mod inspector;
pub mod logs;
mod offline;
pub mod order;
mod recycle;
mod reload;
pub mod report;
pub mod runtime_dir;
mod settings;
mod slot;
mod stop;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use crossbeam::select;
use forebay_core::drain::{Shutdown, Step};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::time::Timestamp;
use forebay_core::worker::journey::Span;
use forebay_core::worker::{State, Stuck, Want};
use forebay_transports::machine::usable_cpus;
use tracing::warn;

use crate::bulletin::{Bulletin, Event, Phase, SLOTS_PER_WORKER};
use crate::changes::{Changes, Watch};
use crate::config::Config;
use crate::control_pipe::ControlPipe;
use crate::origin::{Board, InspectedCell, Watching};
use crate::page_out::PageOut;
use crate::spawn;
use assembly::Assembly;
use logs::{Logs, Output};
use recycle::Replacement;
use runtime_dir::{RuntimeDir, StartError};
use settings::Settings;
use slot::{Slot, Tools};

/// What the supervisor can be told, by a signal or otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read the configuration again and replace all workers; keep them if the new ones do not become ready.
    Reload,
    /// The same, asked for by the application: not needed where the workers are new, or about to be.
    Recycle,
    /// Finish what is in flight, then stop. Told twice: kill at once.
    Stop,
    /// The application is to be offline, or to come back: no worker runs meanwhile.
    Offline(bool),
    /// Start a process that is debugged, with its inspector on a loopback port.
    Inspect {
        /// The port.
        port: u16,
        /// Whether it stops before the first line.
        brk: bool,
    },
    /// End that process.
    EndInspection,
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stopped as asked.
    Stopped,
    /// It could not go on.
    Failed,
}

impl Outcome {
    /// The exit code of the process: 0 or 1.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::Failed => 1,
        }
    }
}

/// Reads the configuration again, or says why it cannot be used.
pub type ReadConfig = Box<dyn FnMut() -> Result<Config, String> + Send>;

/// What a supervisor needs besides configuration and bulletin.
pub struct Options {
    /// Called at each reload.
    pub reload: ReadConfig,
    /// The script that node loads first when `workers.preload` is on.
    pub preload: Option<PathBuf>,
    /// Where workers' lines go.
    pub output: Output,
}

/// The end of a slot's process.
#[derive(Clone, Copy, Debug)]
struct Ended {
    slot: WorkerId,
    generation: Generation,
}

/// What a slot's process hangs in.
struct Captured {
    slot: WorkerId,
    generation: Generation,
    stuck: Stuck,
}

/// What the supervisor is busy with.
enum Stage {
    Serving,
    /// The slots that do not serve are brought to readiness.
    Reloading(reload::Trial),
    Stopping(Shutdown, Step),
}

/// The control plane of one server.
pub struct Supervisor {
    config: Config,
    bulletin: Arc<Bulletin>,
    reload: ReadConfig,
    preload: Option<PathBuf>,
    cpus: Arc<[usize]>,
    logs: Logs,
    changes: Changes,
    slots: Vec<Slot>,
    /// Which of its two slots serves, 0 or 1, for each worker's number.
    lanes: Vec<usize>,
    /// How many slots are in use: all that are not down lie below.
    used: usize,
    /// Workers for which another process is brought to readiness.
    replacements: Vec<Replacement>,
    stage: Stage,
    assembly: Assembly,
    /// When memory is looked at next.
    look_at: Timestamp,
    /// Whether there has been a configuration to start workers with.
    has_begun: bool,
    /// Whether the application is to have no worker.
    is_offline: bool,
    /// How processes ended, for pages that explain failures.
    board: Arc<Board>,
    /// How it is with the process that is debugged.
    inspected: Arc<InspectedCell>,
    /// Told when a reload changes who answers what.
    site: Option<Watching>,
    reload_again: bool,
    /// When the last reload began.
    reloaded: Option<Timestamp>,
    control_pipe: Option<ControlPipe>,
    page_out: PageOut,
    ever_ready: bool,
    outcome: Outcome,
    origin: Instant,
    random: u64,
    commands: (Sender<Command>, Receiver<Command>),
    ended: (Sender<Ended>, Receiver<Ended>),
    captured: (Sender<Captured>, Receiver<Captured>),
    runtime_dir: RuntimeDir,
}

impl Supervisor {
    /// Longest sleep of the loop: what shards report waits this long at most.
    const TURN_MAX: Duration = Duration::from_millis(250);
    /// Longest sleep while something drains.
    const TURN_DRAINING: Duration = Duration::from_millis(10);
    /// Messages of one kind that wait for the loop; their senders wait when there are more.
    const MESSAGES_MAX: usize = 64;
    /// Two orders to stop within this time are one.
    const SAME_STOP: Duration = Duration::from_millis(500);
    /// Who asks for a recycle so soon after a reload has begun asks for the same.
    const SAME_RECYCLE: Duration = Duration::from_secs(1);
    /// What the last lines of workers get to be printed at the end.
    const LAST_LINES: Duration = Duration::from_secs(1);

    /// Makes the runtime folder and checks that every endpoint fits. Workers start in [`run`](Supervisor::run).
    ///
    /// Route 0 of the bulletin is served; it must have room for two slots for each worker that is wanted.
    ///
    /// # Errors
    ///
    /// When the runtime folder is unusable, an endpoint's path too long, or a thread cannot be made.
    pub fn new(config: Config, bulletin: Arc<Bulletin>, options: Options) -> Result<Self, StartError> {
        let slots = bulletin.room(0);
        // The longest path: the last slot, with a generation of ten digits.
        RuntimeDir::check(&bulletin.endpoint(WorkerId(slots.end.saturating_sub(1)), Generation(u32::MAX)))?;
        let runtime_dir = RuntimeDir::prepare(&config.workers.runtime_dir)?;
        let logs = Logs::new(options.output).map_err(|error| StartError {
            what: format!("cannot start a thread ({error})"),
            hint: "raise the limit of processes (`ulimit -u`) or of the container's pids".into(),
        })?;
        let cpus: Arc<[usize]> = usable_cpus().into();
        let settings = Arc::new(Settings::new(&config, options.preload.clone(), cpus.clone()));
        let numbers = slots.end.saturating_sub(slots.start) / SLOTS_PER_WORKER;
        debug_assert!(config.workers.count <= usize::from(numbers), "the table is too small for the workers");
        let slot = |id: u16| {
            let number = (id - slots.start) / SLOTS_PER_WORKER;
            Slot::new(WorkerId(id), number, settings.clone(), &bulletin)
        };
        // Behind those of the workers, and with a number that none of them has.
        let debuggee = bulletin.debuggee().map(|route| bulletin.route(usize::from(route)).start);
        let debuggee = debuggee.map(|id| Slot::new(WorkerId(id), numbers, settings.clone(), &bulletin));
        let slots = slots.clone().map(slot).chain(debuggee).collect();
        let assembly = Assembly::begin(config.workers.dispatch, &bulletin);
        let commands = bounded(Self::MESSAGES_MAX);
        // Before there are clients: one that came earlier would wait for a worker.
        bulletin.gate().set_broken(config.broken.clone());
        let changes = Changes::new(commands.0.clone(), Arc::clone(&bulletin));
        Ok(Self {
            config,
            slots,
            assembly,
            look_at: Timestamp::ZERO,
            bulletin,
            reload: options.reload,
            preload: options.preload,
            cpus,
            logs,
            lanes: vec![0; usize::from(numbers)],
            used: 0,
            replacements: Vec::new(),
            stage: Stage::Serving,
            has_begun: false,
            is_offline: false,
            board: Arc::default(),
            inspected: Arc::default(),
            site: None,
            reload_again: false,
            reloaded: None,
            control_pipe: None,
            page_out: PageOut::default(),
            ever_ready: false,
            outcome: Outcome::Stopped,
            origin: Instant::now(),
            random: u64::from(std::process::id()) << 32 | 0x9e37,
            changes,
            commands,
            ended: bounded(Self::MESSAGES_MAX),
            captured: bounded(Self::MESSAGES_MAX),
            runtime_dir,
        })
    }

    /// Where to tell it something.
    #[must_use]
    pub fn commands(&self) -> Sender<Command> {
        self.commands.0.clone()
    }

    /// Where it notes how processes ended.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Where it says how it is with the process that is debugged.
    #[must_use]
    pub fn inspected(&self) -> Arc<InspectedCell> {
        Arc::clone(&self.inspected)
    }

    /// Whom to tell when a reload changes who answers what.
    pub fn tell_site(&mut self, site: Watching) {
        self.site = Some(site);
    }

    /// Starts the workers and keeps them running until told to stop. Sets the bulletin's phase to `Stopping` when the
    /// last worker is gone.
    ///
    /// Call it on a thread that lives as long as the process: workers are killed when it ends.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        self.bulletin.set_stuck_after(self.config.workers.stuck_after);
        self.changes.set(Watch::new(&self.config));
        self.begin_or_tell();
        while !self.is_over() {
            self.wait();
            self.tick();
        }
        self.let_shards_answer();
        self.bulletin.set_phase(Phase::Stopping);
        let Self { slots, logs, runtime_dir, outcome, .. } = self;
        drop(slots);
        logs.finish(Self::LAST_LINES);
        drop(runtime_dir);
        outcome
    }

    /// Wants as many workers as are configured.
    fn start_workers(&mut self) {
        if !self.has_begun {
            return;
        }
        let count = self.config.workers.count.min(self.lanes.len());
        self.settle(count);
        for i in 0..count {
            self.with(self.serving(i), |slot, tools| slot.want(Want::Run, tools));
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::ZERO + self.origin.elapsed()
    }

    /// A number that workers which failed together do not share (xorshift64*; nothing secret hangs on it).
    fn random(&mut self) -> u32 {
        self.random ^= self.origin.elapsed().as_nanos() as u64;
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    fn with(&mut self, i: usize, f: impl FnOnce(&mut Slot, &Tools<'_>)) {
        let tools = Tools {
            now: self.now(),
            random: self.random(),
            bulletin: &self.bulletin,
            logs: &self.logs,
            board: &self.board,
            ended: &self.ended.0,
            captured: &self.captured.0,
        };
        if let Some(slot) = self.slots.get_mut(i) {
            f(slot, &tools);
        }
    }

    fn index(&self, worker: WorkerId) -> Option<usize> {
        self.slots.iter().position(|slot| slot.id == worker)
    }

    /// Until something happens or is due.
    fn wait(&mut self) {
        let draining = self.slots[..self.used].iter().any(|slot| slot.life.state() == State::Draining)
            || matches!(self.stage, Stage::Stopping(_, Step::Drain));
        let most = if draining { Self::TURN_DRAINING } else { Self::TURN_MAX };
        let debuggee = self.debuggee().map(|i| &self.slots[i]);
        let due = self.slots[..self.used].iter().chain(debuggee).map(Slot::next).min().unwrap_or(Timestamp::NEVER);
        let timeout = due.since(self.now()).min(most);
        select! {
            recv(self.commands.1) -> command => if let Ok(command) = command { self.on_command(command) },
            recv(self.ended.1) -> ended => if let Ok(ended) = ended { self.on_ended(ended) },
            recv(self.captured.1) -> captured => if let Ok(captured) = captured { self.on_captured(captured) },
            default(timeout) => {}
        }
    }

    fn on_command(&mut self, command: Command) {
        let now = self.now();
        match (command, &mut self.stage) {
            (Command::Offline(offline), _) => self.on_offline(offline),
            (Command::Inspect { .. } | Command::EndInspection, Stage::Stopping(..)) => {}
            (Command::Inspect { port, brk }, _) => self.on_inspect(port, brk),
            (Command::EndInspection, _) => self.on_inspected(),
            (Command::Reload, Stage::Stopping(..)) => {
                warn!(target: "forebay", "reload ignored: the server is stopping");
            }
            (Command::Reload, Stage::Serving | Stage::Reloading(_)) => self.on_reload(),
            (Command::Recycle, Stage::Serving)
                if self.reloaded.is_none_or(|at| now.since(at) >= Self::SAME_RECYCLE) =>
            {
                self.on_reload();
            }
            (Command::Recycle, _) => {}
            // One keystroke can reach us twice: from the terminal, and from a parent that passes signals on.
            (Command::Stop, Stage::Stopping(shutdown, _)) if shutdown.age(now) < Self::SAME_STOP => {}
            (Command::Stop, Stage::Stopping(shutdown, _)) => {
                warn!(target: "forebay", "told to stop again: killing");
                shutdown.on_asked_again();
            }
            (Command::Stop, Stage::Serving | Stage::Reloading(_)) => self.stop(),
        }
    }

    fn on_ended(&mut self, ended: Ended) {
        let is_current = |i: &usize| self.slots[*i].life.generation() == ended.generation;
        if let Some(i) = self.index(ended.slot).filter(is_current) {
            self.with(i, Slot::on_ended);
        }
    }

    fn on_captured(&mut self, Captured { slot, generation, stuck }: Captured) {
        if let Some(i) = self.index(slot).filter(|&i| self.slots[i].life.generation() == generation) {
            self.with(i, |slot, tools| slot.on_captured(stuck, tools));
        }
    }

    fn tick(&mut self) {
        while let Some(event) = self.bulletin.take_event() {
            self.on_event(event);
        }
        for i in (0..self.used).chain(self.debuggee()) {
            self.with(i, Slot::tick);
            self.ever_ready |= self.slots[i].life.state() == State::Ready;
        }
        spawn::reap_orphans(|pid| self.slots.iter().any(|slot| slot.has_pid(pid)));
        self.poll_hopeless();
        self.poll_replacements();
        self.poll_assembly();
        self.poll_footprints();
        self.poll_reload();
        self.poll_debuggee();
        self.poll_stop();
        self.poll_page_out();
        self.settle(self.workers_now());
    }

    /// Workers that serve, or are on their way to.
    fn workers_now(&self) -> usize {
        match &self.stage {
            Stage::Reloading(trial) => trial.count(),
            Stage::Serving | Stage::Stopping(..) => self.config.workers.count.min(self.lanes.len()),
        }
    }

    fn on_event(&mut self, event: Event) {
        let (worker, generation) = event.about();
        let Some(i) = self.index(worker).filter(|&i| self.slots[i].life.generation() == generation) else { return };
        let what = match event {
            Event::Refused(..) => return self.with(i, Slot::on_refused),
            Event::Garbled(_, _, why) => format!("sent something that is not a response: {why}"),
            Event::Malformed(_, _, name) => return self.recycle(i, format!("broke the pipe protocol ({name})")),
            Event::Demoted(_, _, why) => {
                return warn!(target: "forebay", "worker {worker} is served over HTTP from here on: {why}");
            }
            Event::Stuck(_, _, silence) if !self.slots[i].is_debugged() => {
                return self.with(i, |slot, tools| slot.on_stuck(silence, tools));
            }
            Event::Stuck(_, _, silence) => {
                format!("has not turned its event loop for {}; it may be debugged, and is left alone", Span(silence))
            }
            Event::Silent(..) => "did not begin to answer in time".to_string(),
        };
        let now = self.now();
        if let Some(unsaid) = self.slots[i].oddities.poll(now) {
            let more = if unsaid > 0 { format!(" ({unsaid} more like this)") } else { String::new() };
            warn!(target: "forebay", "worker {worker} {what}{more}");
        }
    }
}
