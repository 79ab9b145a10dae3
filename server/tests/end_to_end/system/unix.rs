//! Signals and `/proc`.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use forebay_transports::Endpoint;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::Memory;

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

pub(crate) fn kill(number: u32) {
    kill_process(pid(number), Signal::KILL).unwrap();
}

/// Whether a process is there, dead ones that nobody has waited for not counted.
pub(crate) fn is_alive(number: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{number}/stat"));
    let is_zombie = state.is_ok_and(|text| text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')));
    test_kill_process(pid(number)).is_ok() && !is_zombie
}

pub(crate) fn memory(number: u32) -> Memory {
    let text = std::fs::read_to_string(format!("/proc/{number}/status")).unwrap();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    Memory { now_kib: value("VmRSS:"), peak_kib: value("VmHWM:") }
}

/// A connection to a worker.
pub(crate) fn dial(path: &Path) -> UnixStream {
    UnixStream::connect(path).unwrap()
}

/// Makes a link to a file or folder.
pub(crate) fn link(to: impl AsRef<Path>, at: impl AsRef<Path>) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

/// Whether an endpoint is this user's alone.
pub(crate) fn is_sealed(endpoint: &Endpoint) -> bool {
    endpoint.path().metadata().unwrap().mode() & 0o777 == 0o600
}

/// Lets everybody use a folder.
pub(crate) fn open_to_others(folder: &Path) {
    set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
}

/// The vCPUs that a process may run on.
pub(crate) fn cpus_of(number: u32) -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(Some(pid(number))).unwrap();
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
}

/// Whether a process runs under `SCHED_BATCH`, which is 3.
pub(crate) fn is_batch(number: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(38) == Some("3")
}
