//! What `/proc` tells of processes and of the machine. Where there is none, sums are zero and lists empty.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid};

use crate::spawn::{Machine, Memory, Usage};

/// Ticks a second in `/proc`: `USER_HZ`, which is part of the interface and 100 wherever node runs.
const TICKS_PER_SECOND: u64 = 100;

/// The state of a socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// The process group that a process belongs to; none if it is gone, or its group is of another namespace.
pub(super) fn group_of(pid: Pid) -> Option<Pid> {
    // SAFETY: takes and gives a number.
    Pid::from_raw(unsafe { libc::getpgid(pid.as_raw_nonzero().get()) }.max(0))
}

/// Whether a process handles a signal.
pub(crate) fn catches(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (signal.as_raw() - 1) != 0
}

/// The ids of this user's processes of a program, ascending.
pub(crate) fn processes_named(name: &str) -> Vec<u32> {
    let ours = geteuid().as_raw();
    let is_meant = |&pid: &u32| {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let owner = fs::metadata(format!("/proc/{pid}")).map(|meta| meta.uid());
        comm.trim_end() == name && owner.is_ok_and(|owner| owner == ours)
    };
    let mut found: Vec<u32> = numbers().filter(is_meant).collect();
    found.sort_unstable();
    found
}

/// Whether somebody but the leader still lives in its group. Reads all of `/proc`; the leader's status must not be taken
/// yet, so that the group cannot be another's.
pub(super) fn has_company(leader: Pid) -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else { return false };
    let is_number = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let Some(pid) = name.to_str().filter(|name| is_number(name)) else { return false };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // "PID (NAME) STATE PARENT GROUP …": the name may hold anything.
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let (state, group) = (fields.next(), fields.nth(1));
        let leader = leader.as_raw_nonzero().to_string();
        group == Some(&leader) && pid != leader && !matches!(state, Some("Z" | "X"))
    })
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
pub(crate) fn own_cpu() -> Duration {
    stat("self").map_or(Duration::ZERO, |stat| from_ticks(stat.user + stat.system))
}

/// What the machine has done up to now.
pub(crate) fn machine() -> Machine {
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

/// The numbers of all processes that we can see.
fn numbers() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn processes() -> HashMap<u32, Stat> {
    numbers().filter_map(|pid| Some((pid, stat(&pid.to_string())?))).collect()
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
    memory(pid).resident_bytes
}

/// The memory of a process; nothing of one that is not there.
pub(crate) fn memory(pid: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    Memory { resident_bytes: kib("VmRSS") * 1024, private_bytes: (kib("RssAnon") + kib("VmSwap")) * 1024 }
}
