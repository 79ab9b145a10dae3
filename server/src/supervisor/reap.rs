//! Learns that a worker ended, and cleans up behind it.
//!
//! A small thread per process waits for its end *without* taking its status: until the supervisor itself takes it,
//! the process id and the process group stay ours, so that a signal can never hit a stranger who got the number.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::thread;

use crossbeam::channel::Sender;
use forebay_core::worker::Exit;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group, waitid, waitpid,
};

/// The process id as the system wants it.
pub fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// The process group that a process belongs to; none if it is gone, or its group is of another namespace.
pub fn group_of(pid: Pid) -> Option<Pid> {
    // SAFETY: takes and gives a number.
    Pid::from_raw(unsafe { libc::getpgid(pid.as_raw_nonzero().get()) }.max(0))
}

/// Sends `message` once the process has ended. The status is left for [`collect`].
///
/// # Errors
///
/// When no thread can be made.
pub fn watch<T: Send + 'static>(pid: Pid, to: Sender<T>, message: T) -> std::io::Result<()> {
    let wait = move || {
        // Interrupted waits are repeated; any other error means that the status is gone already.
        while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
        let _supervisor_gone = to.send(message);
    };
    thread::Builder::new().name("reap".into()).stack_size(64 * 1024).spawn(wait).map(drop)
}

/// Kills what is left of an ended process's group, then takes its status; none while it still runs.
pub fn collect(child: &mut Child) -> Option<Exit> {
    if let Some(pid) = pid_of(child) {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG) {
            Ok(None) => return None,
            Ok(Some(_)) => {
                let _nobody_left = kill_process_group(pid, Signal::KILL);
            }
            Err(_) => {}
        }
    }
    match child.try_wait() {
        Ok(Some(status)) => Some(exit(status)),
        Ok(None) => None,
        Err(_) => Some(Exit::Unknown),
    }
}

/// Whether somebody but the leader still lives in its group. Reads all of `/proc`; the leader's status must not be taken
/// yet, so that the group cannot be another's.
pub fn has_company(leader: Pid) -> bool {
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

/// Asks the process to end; the whole group where the leader is a shell that would not pass it on.
pub fn terminate(pid: Pid, group: bool) {
    let _gone = if group { kill_process_group(pid, Signal::TERM) } else { kill_process(pid, Signal::TERM) };
}

/// Kills the process and its group.
pub fn kill(pid: Pid) {
    let _gone = kill_process_group(pid, Signal::KILL);
    // The group exists from just before exec on; a process killed sooner than that is caught by this.
    let _gone = kill_process(pid, Signal::KILL);
}

/// As process 1 of a container we inherit every orphan in it; takes the status of those that ended. Stops at the
/// first of our own children, whose status belongs to [`collect`]; the next call goes on behind it.
pub fn orphans(is_ours: impl Fn(u32) -> bool) {
    if !getpid().is_init() {
        return;
    }
    while let Some(pid) = ended_child() {
        if is_ours(pid.as_raw_nonzero().get().unsigned_abs()) {
            return;
        }
        let _taken = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// Some child that ended and whose status was not taken.
fn ended_child() -> Option<Pid> {
    // SAFETY: a siginfo_t is plain integers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
    // SAFETY: the pointer is to a siginfo_t.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) };
    if result != 0 {
        return None;
    }
    // SAFETY: waitid fills in the fields of SIGCHLD, or leaves zero when nobody ended.
    let pid = unsafe { info.si_pid() };
    Pid::from_raw(pid)
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(number)) => Exit::Signal { number, name: signal_name(number) },
        (None, None) => Exit::Unknown,
    }
}

fn signal_name(number: i32) -> &'static str {
    const NAMES: [(i32, &str); 16] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    NAMES.iter().find(|(n, _)| *n == number).map_or("signal", |(_, name)| name)
}
