//! What a bench asks of the operating system: processes that end with it, and what a process tree has used.
//!
//! Everything of `forebay bench` that another system does differently is here. What it tells comes from `/proc`; where
//! there is none, sums are zero and lists empty.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process, kill_process_group, set_parent_process_death_signal,
    setrlimit,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Ticks a second in `/proc`: `USER_HZ`, which is part of the interface and 100 wherever node runs.
const TICKS_PER_SECOND: u64 = 100;

/// The state of a socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// Sets `flag` when somebody wants us to stop; the second time the process ends at once, and its children with it.
///
/// # Errors
/// The handlers cannot be registered.
pub(super) fn stop_on_signals(flag: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(flag))?;
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// Lets this process open as many connections as it may.
pub(super) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused, connecting says so.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Starts a process in a group of its own. The kernel kills it when the calling thread ends.
///
/// # Errors
/// It cannot be started.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    let prepare = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: `prepare` makes one system call and nothing else: no allocation, no lock, no panic.
    unsafe { command.pre_exec(prepare) };
    command.process_group(0).spawn()
}

/// Asks a process to end; with its group where it would not pass that on.
pub(super) fn ask_to_end(child: &Child, group: bool) {
    let pid = Pid::from_child(child);
    // An error means that it has ended.
    let _gone = if group { kill_process_group(pid, Signal::TERM) } else { kill_process(pid, Signal::TERM) };
}

/// Kills whatever is left of the group of a process whose status was not taken yet.
pub(super) fn kill_group(child: &Child) {
    let _gone = kill_process_group(Pid::from_child(child), Signal::KILL);
}

/// Whether a process has ended. Its status stays, so that its group cannot be a stranger's.
pub(super) fn has_ended(child: &Child) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::Pid(Pid::from_child(child)), options), Ok(None))
}

/// What a process tree has used, or holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// CPU time, user and system, of processes that have ended included.
    pub(super) cpu: Duration,
    /// Resident memory in bytes; what processes share counts once each.
    pub(super) resident_bytes: u64,
}

/// What the tree below `root` has used up to now.
pub(super) fn usage(root: u32) -> Usage {
    let all = processes();
    let mut sum = Usage::default();
    let mut ticks = 0;
    for pid in tree(root, &all) {
        ticks += all.get(&pid).map_or(0, Stat::ticks);
        sum.resident_bytes += resident_bytes(pid);
    }
    sum.cpu = from_ticks(ticks);
    sum
}

/// CPU time that this process has used itself.
pub(super) fn own_cpu() -> Duration {
    stat("self").map_or(Duration::ZERO, |stat| from_ticks(stat.user + stat.system))
}

/// CPU time that the whole machine has been busy and idle since it started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Machine {
    /// Working for anybody; for other guests of the host, too.
    pub(super) busy: Duration,
    /// Waiting.
    pub(super) idle: Duration,
}

/// What the machine has done up to now.
pub(super) fn machine() -> Machine {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guests are part of user.
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).map(|t| t.parse().unwrap_or(0)).collect();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Machine { busy: from_ticks(ticks.iter().sum::<u64>() - idle), idle: from_ticks(idle) }
}

/// TCP ports that processes of the tree below `root` listen on, ascending.
pub(super) fn listening_ports(root: u32) -> Vec<u16> {
    let sockets: HashSet<String> = tree(root, &processes()).into_iter().flat_map(socket_inodes).collect();
    let mut ports: Vec<u16> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|table| fs::read_to_string(table).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
            (*state == LISTENS && sockets.contains(*inode)).then_some(port)
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn socket_inodes(pid: u32) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inode = |link: fs::DirEntry| {
        let target = fs::read_link(link.path()).ok()?;
        Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    links.filter_map(inode).collect()
}

const fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND))
}

/// A few fields of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    user: u64,
    system: u64,
    /// Both kinds, of children whose status was taken.
    children: u64,
}

impl Stat {
    const fn ticks(&self) -> u64 {
        self.user + self.system + self.children
    }
}

fn stat(pid: &str) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // "PID (NAME) STATE PARENT …": the name may hold anything. Numbers as in proc_pid_stat(5), less three.
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        user: number(11)?,
        system: number(12)?,
        children: number(13)? + number(14)?,
    })
}

fn processes() -> HashMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat(&pid.to_string())?))).collect()
}

fn tree(root: u32, all: &HashMap<u32, Stat>) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(&pid, _)| pid));
        at += 1;
    }
    found
}

fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
