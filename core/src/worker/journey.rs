//! The timed steps of one process's start, kept to say what happened when it fails.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::time::Duration;

use super::hint::hint;
use crate::time::Timestamp;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal; the numbers differ between systems, so the name comes along.
    Signal {
        /// As in `kill -l`.
        number: i32,
        /// `SIGSEGV`, or `signal` when it has none.
        name: &'static str,
    },
    /// Somebody else took its status.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal { number, name } => write!(f, "{name} ({number})"),
            Self::Unknown => f.write_str("unknown exit status"),
        }
    }
}

/// Why no process could be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpawnFault {
    /// There is no such program.
    ProgramMissing,
    /// The program may not be run.
    ProgramDenied,
    /// The working directory does not exist or may not be entered.
    FolderMissing,
    /// What the operating system said.
    Other(String),
}

impl SpawnFault {
    /// Whether it is evidently the configuration's fault, so that trying again would not help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::ProgramMissing | Self::ProgramDenied | Self::FolderMissing => true,
            Self::Other(_) => false,
        }
    }
}

/// Why a start failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There never was a process.
    Spawn(SpawnFault),
    /// It ended before it listened.
    Exited(Exit),
    /// It ran this long and did not listen.
    NeverListened(Duration),
}

/// What happened to one process from the wish for it to its end, and the last it said.
#[derive(Clone, Debug)]
pub struct Journey {
    /// The command line, for the reader.
    pub command: String,
    /// The working directory, for the reader.
    pub folder: String,
    began: Timestamp,
    spawned: Option<(Timestamp, u32)>,
    listening: Option<Timestamp>,
    fault: Option<(Timestamp, Fault)>,
    exit: Option<Exit>,
    stuck: Option<(Timestamp, Stuck)>,
    /// Its last lines on stderr.
    pub stderr: Vec<String>,
}

/// What is known about an event loop that does not turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stuck {
    /// For how long it has not, when that was noticed.
    pub silence: Duration,
    /// Where its JavaScript was, the innermost first: `parse (/srv/app/parser.js:12:7)`.
    pub stack: Vec<String>,
    /// Why there is no stack.
    pub why_not: String,
}

impl Journey {
    /// A start that begins now.
    #[must_use]
    pub fn new(now: Timestamp, command: String, folder: String) -> Self {
        Self {
            command,
            folder,
            began: now,
            spawned: None,
            listening: None,
            fault: None,
            exit: None,
            stuck: None,
            stderr: Vec::new(),
        }
    }

    /// The process exists.
    pub fn on_spawned(&mut self, now: Timestamp, pid: u32) {
        self.spawned = Some((now, pid));
    }

    /// It listens.
    pub fn on_listening(&mut self, now: Timestamp) {
        self.listening.get_or_insert(now);
    }

    /// The start failed; only the first reason counts.
    pub fn on_fault(&mut self, now: Timestamp, fault: Fault) {
        self.fault.get_or_insert((now, fault));
    }

    /// It ended; a fault only if it had never listened.
    pub fn on_ended(&mut self, now: Timestamp, exit: Exit) {
        self.exit = Some(exit);
        if self.listening.is_none() {
            self.on_fault(now, Fault::Exited(exit));
        }
    }

    /// Its event loop does not turn.
    pub fn on_stuck(&mut self, now: Timestamp, stuck: Stuck) {
        self.stuck = Some((now, stuck));
    }

    /// What is known about its event loop, if that did not turn any more.
    #[must_use]
    pub fn stuck(&self) -> Option<&Stuck> {
        self.stuck.as_ref().map(|(_, stuck)| stuck)
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Whether it ever listened.
    #[must_use]
    pub fn has_listened(&self) -> bool {
        self.listening.is_some()
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref().map(|(_, fault)| fault)
    }

    /// From the wish to listening, if it got there.
    #[must_use]
    pub fn start_time(&self) -> Option<Duration> {
        self.listening.map(|at| at.since(self.began))
    }

    /// The time since the process exists.
    #[must_use]
    pub fn uptime(&self, now: Timestamp) -> Duration {
        now.since(self.spawned.map_or(self.began, |(at, _)| at))
    }

    /// Its process id, if there was one.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.spawned.map(|(_, pid)| pid)
    }

    /// What probably went wrong, and what to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        hint(self)
    }

    /// What went wrong, in a few words.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.fault() {
            None => "it did not fail".to_string(),
            Some(Fault::Spawn(SpawnFault::ProgramMissing)) => "the program does not exist".to_string(),
            Some(Fault::Spawn(SpawnFault::ProgramDenied)) => "the program may not be run".to_string(),
            Some(Fault::Spawn(SpawnFault::FolderMissing)) => {
                alloc::format!("the working directory does not exist or may not be entered ({})", self.folder)
            }
            Some(Fault::Spawn(SpawnFault::Other(why))) => alloc::format!("the process could not be made: {why}"),
            Some(Fault::Exited(exit)) => alloc::format!("ended before it listened: {exit}"),
            Some(Fault::NeverListened(_)) if self.has_listened() => {
                "stopped listening, and did not begin again in time".to_string()
            }
            Some(Fault::NeverListened(after)) => {
                alloc::format!("ran for {} without listening on $PORT", Span(*after))
            }
        }
    }

    /// The whole story for the log, without a line break at its end:
    ///
    /// ```text
    /// ended before it listened: exit code 1
    ///     0 ms  node server.js, in /srv/app
    ///     2 ms  pid 4711 started
    ///    61 ms  exit code 1
    ///   last lines of its stderr:
    ///   | Error: Cannot find module 'express'
    /// hint: …
    /// ```
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = self.summary();
        let mut step = |at: Timestamp, what: fmt::Arguments<'_>| {
            let _ = write!(out, "\n{:>8}  {what}", Span(at.since(self.began)).to_string());
        };
        step(self.began, format_args!("{}, in {}", self.command, self.folder));
        if let Some((at, pid)) = self.spawned {
            step(at, format_args!("pid {pid} started"));
        }
        if let Some(at) = self.listening {
            step(at, format_args!("listening"));
        }
        if let Some((at, stuck)) = &self.stuck {
            step(*at, format_args!("hung for {}", Span(stuck.silence)));
        }
        match &self.fault {
            Some((at, Fault::Exited(exit))) => step(*at, format_args!("{exit}")),
            Some((at, Fault::NeverListened(_))) => step(*at, format_args!("killed, not listening")),
            Some((at, Fault::Spawn(_))) => step(*at, format_args!("not started")),
            None => {}
        }
        if let Some(stuck) = self.stuck() {
            out.push_str(&stuck.render());
        }
        if !self.stderr.is_empty() {
            out.push_str("\n  last lines of its stderr:");
            for line in &self.stderr {
                let _ = write!(out, "\n  | {line}");
            }
        }
        if let Some(hint) = hint(self) {
            let _ = write!(out, "\nhint: {hint}");
        }
        out
    }
}

impl Stuck {
    /// The stack on lines of its own, each after a line break, or why there is none.
    #[must_use]
    pub fn render(&self) -> String {
        if self.stack.is_empty() {
            return alloc::format!("\n  no JavaScript stack: {}", self.why_not);
        }
        let mut out = String::from("\n  its JavaScript stack:");
        for frame in &self.stack {
            let _ = write!(out, "\n  | at {frame}");
        }
        out
    }
}

/// A time as a reader wants it: `84 ms`, `12.3 s`, `5 min 3 s`, `2 h 5 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, s) = (self.0.as_millis(), self.0.as_secs());
        let text = match s {
            0 => alloc::format!("{ms} ms"),
            1..60 if ms % 1000 < 50 => alloc::format!("{s} s"),
            1..60 => alloc::format!("{s}.{} s", ms % 1000 / 100),
            60..3600 if s % 60 == 0 => alloc::format!("{} min", s / 60),
            60..3600 => alloc::format!("{} min {} s", s / 60, s % 60),
            _ => alloc::format!("{} h {} min", s / 3600, s % 3600 / 60),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn journey() -> Journey {
        let mut journey = Journey::new(at(1000), "node server.js".into(), "/srv/app".into());
        journey.on_spawned(at(1002), 4711);
        journey
    }

    #[test]
    fn an_early_exit_is_told_with_its_last_words() {
        let mut journey = journey();
        journey.stderr = vec!["node:internal/modules".into(), "Error: Cannot find module 'express'".into()];
        journey.on_fault(at(1061), Fault::Exited(Exit::Code(1)));
        insta::assert_snapshot!(journey.render(), @r"
        ended before it listened: exit code 1
            0 ms  node server.js, in /srv/app
            2 ms  pid 4711 started
           61 ms  exit code 1
          last lines of its stderr:
          | node:internal/modules
          | Error: Cannot find module 'express'
        hint: a module is missing: was `npm ci` run in /srv/app?
        ");
    }

    #[test]
    fn the_first_fault_counts() {
        let mut journey = journey();
        journey.on_fault(at(61_000), Fault::NeverListened(Duration::from_secs(60)));
        journey.on_fault(at(61_010), Fault::Exited(Exit::Signal { number: 9, name: "SIGKILL" }));
        insta::assert_snapshot!(journey.render(), @r"
        ran for 1 min without listening on $PORT
            0 ms  node server.js, in /srv/app
            2 ms  pid 4711 started
           1 min  killed, not listening
        hint: it ran without listening on $PORT: does it call listen(process.env.PORT)?
        ");
    }

    #[test]
    fn a_hang_is_told_with_its_stack() {
        let mut journey = journey();
        journey.on_listening(at(1080));
        let stack = ["spin (/srv/app/server.js:3:9)", "Server.<anonymous> (/srv/app/server.js:9:5)"];
        let stack = stack.map(ToString::to_string).to_vec();
        let stuck = Stuck { silence: Duration::from_secs(30), stack, why_not: String::new() };
        journey.on_stuck(at(41_180), stuck);
        insta::assert_snapshot!(journey.render(), @r"
        it did not fail
            0 ms  node server.js, in /srv/app
            2 ms  pid 4711 started
           80 ms  listening
          40.1 s  hung for 30 s
          its JavaScript stack:
          | at spin (/srv/app/server.js:3:9)
          | at Server.<anonymous> (/srv/app/server.js:9:5)
        ");
        let why_not = "it does not open its inspector".to_string();
        assert_eq!(
            Stuck { why_not, ..Stuck::default() }.render(),
            "\n  no JavaScript stack: it does not open its inspector"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let mut journey = Journey::new(at(0), "nodo server.js".into(), "/srv/app".into());
        journey.on_fault(at(1), Fault::Spawn(SpawnFault::ProgramMissing));
        insta::assert_snapshot!(journey.render(), @r"
        the program does not exist
            0 ms  nodo server.js, in /srv/app
            1 ms  not started
        hint: is it installed, and on the PATH of the user who runs this server?
        ");
    }

    #[test]
    fn spans_read_well() {
        let text = |ms| Span(Duration::from_millis(ms)).to_string();
        let table = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (12_345, "12.3 s"),
            (60_000, "1 min"),
            (303_000, "5 min 3 s"),
            (7_500_000, "2 h 5 min"),
        ];
        for (ms, expected) in table {
            assert_eq!(text(ms), expected);
        }
    }
}
