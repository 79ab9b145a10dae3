//! `forebay bench`: an application under bare node, node's cluster and Forebay, side by side, under the same load.
//!
//! One contender runs at a time: it is started, warmed up, loaded, read off and ended, then the next one. So none
//! disturbs another by its timers or memory, an application with a port or a lock of its own needs no change, and each
//! round is a start of its own, with its own luck. Each round visits every contender, beginning with another one, so
//! that drift of the machine falls on all alike.
//!
//! What it deliberately does not do: look for the highest load that still has a good latency, or tune anything.

mod contender;
pub mod load;
mod notes;
mod probe;
mod process;
mod refusal;
pub mod reply;
mod sample;
mod table;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use forebay_transports::machine::raise_descriptor_limit;

use crate::config::{ConfigErrors, Origin, Problem, Resolved};
use crate::cpus::vcpus;
use crate::supervisor::runtime_dir::RuntimeDir;
use crate::{signals, spawn};
use contender::{Kind, Running, Stage};
use load::{Load, Outcome, Until};
use refusal::Refusal;
use sample::{Clocks, Row, Sample};
use table::Report;

/// Load before a round is measured, for the JIT compilers. 2 s, or the length of a round if that is less.
const WARM_UP_SECONDS_MAX: u64 = 2;

/// How long the machine is watched before anything starts. 400 ms.
const WATCH_TIME: Duration = Duration::from_millis(400);

/// What to measure with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Path and query of the request.
    pub path: String,
    /// Fields to add to it, each as `Name: value`.
    pub headers: Vec<String>,
    /// Bytes to send; with them it is a POST.
    pub body_bytes: Option<usize>,
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// Seconds of a round.
    pub seconds: u64,
    /// Rounds of each contender.
    pub rounds: usize,
    /// Whether to print JSON instead of a table.
    pub json: bool,
    /// Arguments that `forebay run` needs to find the same application and settings.
    pub run_args: Vec<OsString>,
}

impl Options {
    /// The request, and in words.
    fn request(&self) -> Result<(Vec<u8>, String), ConfigErrors> {
        let method = if self.body_bytes.is_some() { "POST" } else { "GET" };
        let mut head = format!("{method} {} HTTP/1.1\r\nHost: localhost\r\n", self.path);
        if let Some(bytes) = self.body_bytes {
            head.push_str(&format!("Content-Type: application/octet-stream\r\nContent-Length: {bytes}\r\n"));
        }
        for header in &self.headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        if let Err(error) = reply::facts(&request) {
            let what = format!("not a valid request ({error})");
            let flag = if self.headers.is_empty() { "--path" } else { "--path, --header" };
            return Err(Problem::new(Origin::Flag(flag), "", what)
                .hint("a path begins with / and holds no spaces; a header is 'Name: value'")
                .into());
        }
        request.resize(request.len() + self.body_bytes.unwrap_or(0), b'x');
        let size = self.body_bytes.map_or(String::new(), |bytes| format!(" of {bytes} bytes"));
        Ok((request, format!("{method} {}{size}", self.path)))
    }
}

/// Measures, and prints what came out. What is wrong goes to standard error.
///
/// # Errors
/// The request is none that can be sent.
pub fn run(options: &Options, resolved: Resolved) -> Result<ExitCode, ConfigErrors> {
    let (request, asked) = options.request()?;
    let report = match measure(options, resolved, request, asked) {
        Ok(report) => report,
        Err(refusal) => {
            eprintln!("{refusal}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let text = if options.json { format!("{:#}\n", report.json()) } else { format!("\n{}", report.text()) };
    // A reader that has seen enough is no failure.
    let _closed = io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn measure(options: &Options, resolved: Resolved, request: Vec<u8>, asked: String) -> Result<Report, Refusal> {
    let system = |error: io::Error| Refusal::new(format!("cannot set up ({error})"), "");
    let stop = Arc::new(AtomicBool::new(false));
    signals::set(&stop).map_err(system)?;
    raise_descriptor_limit();
    let folder = tempfile::Builder::new().prefix("forebay-bench-").tempdir().map_err(system)?;
    let (major, minor, patch) = resolved.node.version;
    let stage = Stage {
        forebay: std::env::current_exe().map_err(system)?,
        node: resolved.node.path,
        config: resolved.config,
        run_args: options.run_args.clone(),
        folder: folder.path().to_owned(),
        request,
        asked,
    };
    let _demo = demo(&stage)?;
    let mut bench = Bench { options, stage: &stage, stop: &stop, rows: Kind::ALL.map(Row::new).into() };
    let busy = notes::busy(others_share());
    if let Some(note) = &busy {
        eprintln!("note: {note}");
    }
    for round in 0..options.rounds {
        bench.round(round)?;
    }
    let rows = bench.rows;
    Ok(Report {
        title: stage.config.launch.title.clone(),
        asked: stage.asked.clone(),
        connections: options.connections,
        seconds: options.seconds,
        rounds: options.rounds,
        node: format!("{major}.{minor}.{patch}"),
        cpus: vcpus(),
        processes: stage.config.workers.count,
        notes: busy.into_iter().chain(notes::about(&rows)).collect(),
        rows,
    })
}

/// The built-in demo, written where its command looks for it, if that is the application.
fn demo(stage: &Stage) -> Result<Option<RuntimeDir>, Refusal> {
    let folder = &stage.config.workers.runtime_dir;
    if stage.config.launch.cwd != *folder {
        return Ok(None);
    }
    let made = RuntimeDir::prepare(folder).map_err(|error| Refusal::new(error.what, &error.hint))?;
    crate::app::assets::install(folder)
        .map_err(|error| Refusal::new(format!("cannot write to {} ({error})", folder.display()), ""))?;
    Ok(Some(made))
}

fn others_share() -> f64 {
    let before = spawn::machine();
    sleep(WATCH_TIME);
    let after = spawn::machine();
    let (busy, idle) = (after.busy.saturating_sub(before.busy), after.idle.saturating_sub(before.idle));
    busy.as_secs_f64() / (busy + idle).as_secs_f64().max(1e-3)
}

/// A bench under way.
struct Bench<'a> {
    options: &'a Options,
    stage: &'a Stage,
    stop: &'a AtomicBool,
    rows: Vec<Row>,
}

impl Bench<'_> {
    fn round(&mut self, round: usize) -> Result<(), Refusal> {
        let count = self.rows.len();
        for index in (0..count).map(|i| (i + round) % count) {
            let kind = self.rows[index].kind;
            if self.rows[index].skipped.is_some() {
                continue;
            }
            match self.stage.start(kind, self.stop) {
                Ok(running) => self.load(index, &running)?,
                // Not every application can be run in every way; without these two there is nothing to compare.
                Err(refusal) if round == 0 && matches!(kind, Kind::Cluster | Kind::Pipe) && !refusal.is_interrupt => {
                    eprintln!("{:12} not measured\n{refusal}", kind.name());
                    self.rows[index].skipped = Some(refusal.what);
                    continue;
                }
                Err(refusal) => return Err(refusal),
            }
            if let Some(sample) = self.rows[index].samples.last() {
                eprintln!(
                    "round {} of {}: {:12} {:9.0} requests/s {:9.1} us/request",
                    round + 1,
                    self.options.rounds,
                    kind.name(),
                    sample.rps,
                    sample.cpu_us
                );
            }
        }
        Ok(())
    }

    fn load(&mut self, index: usize, running: &Running) -> Result<(), Refusal> {
        let name = self.rows[index].kind.name();
        let broken = |error: io::Error| {
            let hint = "fewer connections (--conns), or a higher limit of descriptors (`ulimit -n`)";
            Refusal::new(format!("{name}: the load broke off ({error})"), hint).with_log(running.tree.tail())
        };
        let again = probe::probe(running.address, &self.stage.request, self.stop).map_err(broken)?;
        let mut load = Load::connect(running.address, &self.stage.request, self.options.connections).map_err(broken)?;
        let warm_up = Duration::from_secs(self.options.seconds.min(WARM_UP_SECONDS_MAX));
        load.run(Until::Elapsed(warm_up), self.stop).map_err(broken)?;
        let before = Clocks::read(&running.tree);
        let outcome = load.run(Until::Elapsed(Duration::from_secs(self.options.seconds)), self.stop).map_err(broken)?;
        let after = Clocks::read(&running.tree);
        if self.stop.load(Ordering::Relaxed) {
            return Err(Refusal::interrupted());
        }
        if running.tree.has_ended() {
            return Err(Refusal::new(format!("{name}: ended under load"), "").with_log(running.tree.tail()));
        }
        self.rows[index].take(running, again, Sample::new(&before, &after, &outcome), outcome);
        Ok(())
    }
}

impl Row {
    fn take(&mut self, running: &Running, again: reply::Reply, sample: Sample, outcome: Outcome) {
        if self.replies.is_empty() {
            self.replies = vec![running.reply, again];
        }
        self.heeds_port &= running.heeds_port;
        self.samples.push(sample);
        for (why, count) in outcome.failures {
            *self.failures.entry(why).or_default() += count;
        }
    }
}
