//! Processes on Unix: groups, signals, and statuses that are left until they are wanted.
//!
//! The kernel kills a child when the *thread* that made it ends (`PR_SET_PDEATHSIG`), so processes are made on threads
//! that live as long as we do.

mod look;
mod pages;
mod prepare;
mod shell;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::thread;

use forebay_core::worker::{Exit, SpawnFault};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group, waitid, waitpid,
};

use super::{Place, Usage};
pub(crate) use look::{catches, machine, memory, own_cpu, processes_named};
pub(crate) use pages::{Resident, reclaim};
pub(crate) use shell::{EXEC, command, is_program, program_names, quoted, shell};

/// What workers get in their environment unless it is set, besides what they get everywhere.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[];

/// A process of ours, the leader of a group. Nothing happens on drop.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Makes a process in a group of its own. The kernel kills it when the calling thread ends.
    ///
    /// # Errors
    /// The system's; [`fault`] says whose fault that is.
    pub fn start(command: &mut Command, place: &Place) -> io::Result<Self> {
        prepare::prepare(command, place);
        command.spawn().map(Self)
    }

    /// Its number, and its group's.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// What it prints, where that was piped; once.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.0.stdout.take(), self.0.stderr.take())
    }

    /// Tells once it has ended, on a thread of its own. The status is left for [`collect`](Self::collect): until that
    /// is taken, process id and group stay ours.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn when_ended(&self, tell: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let pid = self.pid();
        let wait = move || {
            // Interrupted waits are repeated; any other error means that the status is gone already.
            while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
            tell();
        };
        thread::Builder::new().name("reap".into()).stack_size(64 * 1024).spawn(wait).map(drop)
    }

    /// Whether it has ended; its status is left.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.pid()), options), Ok(None))
    }

    /// Whether somebody that it started still lives. Reads all of `/proc`.
    #[must_use]
    pub fn has_company(&self) -> bool {
        look::has_company(self.pid())
    }

    /// Asks it to end; `whole` asks all it started as well, for a leader that is a shell and would not pass it on.
    pub fn ask_to_end(&mut self, whole: bool) {
        let pid = self.pid();
        // An error means that it has ended.
        let _gone = if whole { kill_process_group(pid, Signal::TERM) } else { kill_process(pid, Signal::TERM) };
    }

    /// Kills it and all it started.
    pub fn kill(&mut self) {
        let _gone = kill_process_group(self.pid(), Signal::KILL);
        // The group exists from just before exec on; a process killed sooner than that is caught by this.
        let _gone = kill_process(self.pid(), Signal::KILL);
    }

    /// Kills what is left of its group once it has ended, then takes its status; none while it still runs.
    pub fn collect(&mut self) -> Option<Exit> {
        if !self.has_ended() {
            return None;
        }
        let _nobody_left = kill_process_group(self.pid(), Signal::KILL);
        match self.0.try_wait() {
            Ok(Some(status)) => Some(exit(status)),
            Ok(None) => None,
            Err(_) => Some(Exit::Unknown),
        }
    }

    /// Kills it and all it started, and waits until it is gone.
    pub fn end(&mut self) {
        let _nobody_left = kill_process_group(self.pid(), Signal::KILL);
        let _status = self.0.wait();
    }

    /// What it and all it started have used up to now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        look::usage(self.id())
    }

    /// It and all in its group, whose memory can be asked to go. Its status must not be taken yet.
    #[must_use]
    pub(crate) fn residents(&self) -> Vec<Resident> {
        pages::residents(self.id())
    }

    /// TCP ports that it and all it started listen on, ascending.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        look::listening_ports(self.id())
    }

    /// Asks node to open its inspector (SIGUSR1): in the process that `dialled` in, if that is one of the group, else in
    /// the leader. Which process that was.
    ///
    /// # Errors
    /// Says why not.
    pub fn open_inspector(&self, dialled: Option<u32>) -> Result<u32, String> {
        let dialled = dialled.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let pid = dialled.filter(|&pid| look::group_of(pid) == Some(self.pid())).unwrap_or(self.pid());
        if !catches(pid.as_raw_nonzero().get().unsigned_abs(), Signal::USR1) {
            // As node does with `--disable-sigusr1`.
            return Err("it would die of the signal that opens its inspector".into());
        }
        kill_process(pid, Signal::USR1).map_err(|error| format!("it cannot be signalled: {error}"))?;
        Ok(pid.as_raw_nonzero().get().unsigned_abs())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

/// Whose fault it is that a process could not be made.
pub(crate) fn fault(error: &io::Error, cwd: &Path) -> SpawnFault {
    let folder = || std::fs::metadata(cwd.join(".")).is_ok_and(|meta| meta.is_dir());
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EACCES | libc::ENOTDIR) if !folder() => SpawnFault::FolderMissing,
        Some(libc::ENOENT | libc::ENOTDIR) => SpawnFault::ProgramMissing,
        Some(libc::EACCES | libc::EPERM | libc::ENOEXEC) => SpawnFault::ProgramDenied,
        Some(_) | None => SpawnFault::Other(error.to_string()),
    }
}

/// As process 1 of a container we inherit every orphan in it; takes the status of those that ended. Stops at the
/// first of our own children, whose status belongs to [`Process::collect`]; the next call goes on behind it.
pub(crate) fn reap_orphans(is_ours: impl Fn(u32) -> bool) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_would_die_of_the_signal_does_not_get_it() {
        let mut sleeper = Process::start(Command::new("sleep").arg("100"), &Place::default()).unwrap();
        assert!(sleeper.open_inspector(None).is_err());
        assert!(sleeper.open_inspector(Some(1)).is_err(), "process 1 is of another group");
        assert!(!sleeper.has_ended());
        sleeper.end();
        assert_eq!(sleeper.collect(), Some(Exit::Signal { number: 9, name: "SIGKILL" }));
    }
}
