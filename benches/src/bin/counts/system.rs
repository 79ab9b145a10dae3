//! What the kernel knows of one thread: its time, its context switches, and through another program its system calls.

use std::fs;
use std::io;
use std::ops::Sub;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use rustix::thread::Pid;

/// Up to a moment, from /proc.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Switches because the thread waited.
    pub(crate) waited: u64,
    /// Switches because something else was to run.
    pub(crate) preempted: u64,
    /// Nanoseconds on a CPU; 0 where the kernel does not count them.
    pub(crate) cpu_ns: u64,
}

impl Usage {
    /// Of a thread of this process.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn of(thread: Pid) -> io::Result<Self> {
        let folder = format!("/proc/self/task/{}", thread.as_raw_nonzero());
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        let times = fs::read_to_string(format!("{folder}/schedstat")).unwrap_or_default();
        Ok(Self {
            waited: field("voluntary_ctxt_switches:").unwrap_or(0),
            preempted: field("nonvoluntary_ctxt_switches:").unwrap_or(0),
            cpu_ns: times.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0),
        })
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            waited: self.waited - earlier.waited,
            preempted: self.preempted - earlier.preempted,
            cpu_ns: self.cpu_ns - earlier.cpu_ns,
        }
    }
}

/// How system calls can be counted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// `perf stat` on the tracepoint that every system call passes: costs next to nothing.
    Perf,
    /// `strace -c`: stops the thread at each system call, so that more is done with each.
    Strace,
}

impl Counter {
    /// The best there is.
    pub(crate) fn find() -> Option<Self> {
        let works = |command: &mut Command| {
            let ran = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            ran.is_ok_and(|status| status.success())
        };
        if works(Command::new("perf").args(["stat", "-e", "raw_syscalls:sys_enter", "true"])) {
            Some(Self::Perf)
        } else if works(Command::new("strace").args(["-c", "-o", "/dev/null", "true"])) {
            Some(Self::Strace)
        } else {
            None
        }
    }

    /// Its name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Strace => "strace",
        }
    }

    /// The system calls of `thread` while `work` runs.
    ///
    /// # Errors
    /// Those of `work`, or what kept the counter from counting.
    pub(crate) fn count(self, thread: Pid, folder: &Path, work: impl FnOnce() -> io::Result<()>) -> io::Result<u64> {
        let output = folder.join(self.name());
        let thread = thread.as_raw_nonzero().to_string();
        let mut command = Command::new(self.name());
        match self {
            Self::Perf => command.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-t", &thread, "-o"]),
            Self::Strace => command.args(["-c", "-U", "calls,name", "-p", &thread, "-o"]),
        };
        command.arg(&output).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut counter = command.spawn()?;
        // Neither says when it has attached. What runs before that is not counted, so waiting is enough.
        sleep(Duration::from_millis(500));
        let worked = work();
        let ended = interrupt(&mut counter);
        worked?;
        ended?;
        let text = fs::read_to_string(&output)?;
        self.read(&text).ok_or_else(|| io::Error::other(format!("{} said: {text}", self.name())))
    }

    /// The count in a counter's report.
    fn read(self, text: &str) -> Option<u64> {
        let line = match self {
            Self::Perf => text.lines().find(|line| line.contains("raw_syscalls:sys_enter"))?,
            Self::Strace => text.lines().find(|line| line.trim_end().ends_with(" total"))?,
        };
        line.split([',', ' ']).find(|word| !word.is_empty())?.parse().ok()
    }
}

/// Ends a counter as Ctrl-C would: it then writes its report.
fn interrupt(counter: &mut Child) -> io::Result<()> {
    kill_process(Pid::from_child(counter), Signal::INT)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while counter.try_wait()?.is_none() {
        if Instant::now() > deadline {
            counter.kill()?;
            counter.wait()?;
            return Err(io::Error::other("the counter of system calls did not end"));
        }
        sleep(Duration::from_millis(5));
    }
    Ok(())
}
