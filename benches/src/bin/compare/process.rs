//! Process trees: started together, measured together, ended together.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process, kill_process_group};
use rustix::thread::Pid;

/// Time between being asked to end and being made to. 15 s.
const END_TIMEOUT: Duration = Duration::from_secs(15);

/// A started program and all it starts.
pub(crate) struct Tree(Child);

/// What trees have used up, or hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU time, user and system: from the scheduler's nanoseconds where the kernel keeps them, else from ticks.
    pub(crate) cpu: Duration,
    /// The same from clock ticks (10 ms as a rule), those of processes that have ended included.
    pub(crate) ticks: Duration,
    /// The part of `cpu` that is node's.
    pub(crate) node: Duration,
    /// Resident memory in bytes; what processes share counts once each.
    pub(crate) resident_bytes: u64,
}

impl Tree {
    /// Starts a program in a process group of its own; what it says goes to the end of `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        command.spawn().map(Self)
    }

    /// Whether it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// The process that was started.
    pub(crate) fn root(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let root = Pid::from_child(&self.0);
        // An error here and below means that it has ended already.
        let _gone = kill_process(root, Signal::TERM);
        let deadline = Instant::now() + END_TIMEOUT;
        while self.is_running() && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        let _gone = kill_process_group(root, Signal::KILL);
        let _gone = self.0.wait();
    }
}

/// One line of `/proc/PID/stat`, from its fourth field on: the second, the name, may hold anything.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = line.rsplit_once(')')?;
    Some(fields.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0)).collect())
}

/// Positions in what [`stat`] returns (proc_pid_stat(5), less four).
const PARENT: usize = 0;
const USER_TICKS: usize = 10;
const SYSTEM_TICKS: usize = 11;
const CHILDREN_USER_TICKS: usize = 12;
const CHILDREN_SYSTEM_TICKS: usize = 13;

/// Ticks a second in /proc: `USER_HZ`, which is part of the interface and 100 wherever node runs.
const TICKS_PER_SECOND: u64 = 100;

/// What the trees below `roots` have used up to now.
pub(crate) fn usage(roots: &[u32]) -> Usage {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let all: HashMap<u32, Vec<u64>> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let is_ours = |&(&pid, _): &(&u32, _)| {
        let mut at = pid;
        while at > 1 && !roots.contains(&at) {
            at = all.get(&at).map_or(0, |fields| u32::try_from(fields[PARENT]).unwrap_or(0));
        }
        at > 1
    };
    let mut sum = Usage::default();
    let (mut ticks, mut nanos, mut node) = (0, 0, 0);
    for (&pid, fields) in all.iter().filter(is_ours) {
        let at = |index: usize| fields.get(index).copied().unwrap_or(0);
        ticks += at(USER_TICKS) + at(SYSTEM_TICKS) + at(CHILDREN_USER_TICKS) + at(CHILDREN_SYSTEM_TICKS);
        let ran = scheduled_nanos(pid);
        nanos += ran;
        node += if is_node(pid) { ran } else { 0 };
        sum.resident_bytes += resident_bytes(pid);
    }
    sum.ticks = Duration::from_nanos(ticks * (1_000_000_000 / TICKS_PER_SECOND));
    sum.node = Duration::from_nanos(node);
    sum.cpu = if nanos > 0 { Duration::from_nanos(nanos) } else { sum.ticks };
    sum
}

fn is_node(pid: u32) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    program.file_name().is_some_and(|name| name == "node")
}

fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Time on a CPU of a process's threads that run now.
fn scheduled_nanos(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanos.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_measured_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "n=0; while [ $n -lt 100000 ]; do n=$((n+1)); done; sleep 60 & wait"]);
        let mut tree = Tree::start(&mut command, &folder.path().join("log")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while usage(&[tree.root()]).cpu < Duration::from_millis(5) {
            assert!(tree.is_running() && Instant::now() < deadline);
            sleep(Duration::from_millis(5));
        }
        assert!(usage(&[tree.root()]).resident_bytes > 0);
        let root = tree.root();
        drop(tree);
        assert!(stat(root).is_none());
    }
}
