//! Signals and `/proc`.

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
