//! Processes on Windows: each in a job of its own, with all it starts.
//!
//! A process is made suspended, put into its job and to its place, and only then runs: nothing that it starts can escape.
//! All are in one more job, ours, whose only handle is this process's: however we end, the system kills who is in it. (A
//! process that was made and never resumed, because we were killed in between, included.)

mod job;
mod link;
mod look;
mod pages;
mod shell;
mod table;

use std::io::{self, ErrorKind};
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::sync::Once;
use std::thread;

use forebay_core::worker::{Exit, SpawnFault};
use forebay_transports::windows::place_of;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BAD_EXE_FORMAT, ERROR_DIRECTORY, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
    WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, GetCurrentProcess, INFINITE, SetProcessAffinityMask,
    WaitForSingleObject,
};

use super::{Place, Usage};
use job::{Job, KILLED};
use link::Link;
pub(crate) use look::{machine, memory, own_cpu};
pub(crate) use pages::{Resident, reclaim};
pub(crate) use shell::{EXEC, command, is_program, program_names, quoted, shell};
pub(crate) use table::processes_named;

/// What workers get in their environment unless it is set, besides what they get everywhere: connections that may come to
/// a worker's pipe at once. Without it four, and who is fifth is told that the pipe is busy. As iisnode has it.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[("NODE_PENDING_PIPE_INSTANCES", "5000")];

/// A process of ours, with all it starts. They are killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
    job: Job,
    /// How the preload is told to end; none where it is not loaded.
    link: Option<Link>,
}

impl Process {
    /// Makes a process in a job of its own and a console process group of its own.
    ///
    /// # Errors
    /// The system's; [`fault`] says whose fault that is.
    pub fn start(command: &mut Command, place: &Place) -> io::Result<Self> {
        static ALL: Once = Once::new();
        ALL.call_once(|| {
            keep_to_ourselves();
            if let Err(error) = Job::new().and_then(Job::hold_us) {
                tracing::warn!(%error, "workers may outlive a server that is killed: no job object for it");
            }
        });
        let link = place.preloaded.then(Link::open).transpose()?;
        command.env_remove(link::VARIABLE);
        if let Some(link) = &link {
            command.env(link::VARIABLE, link.path());
        }
        let job = Job::new()?;
        let child = command.creation_flags(CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP).spawn()?;
        let mut process = Self { child, job, link };
        if let Err(error) = process.job.take(process.handle()) {
            // Who is in no job is not killed with it.
            let _gone = process.child.kill();
            return Err(error);
        }
        process.pin(place);
        table::resume(process.id())?;
        Ok(process)
    }

    /// Where a worker runs is a matter of speed: refused, it still runs.
    fn pin(&self, place: &Place) {
        match place.cpu.map(place_of) {
            Some(Ok((0, mask))) => {
                // SAFETY: the handle is the process's own, with all rights.
                let _refused = unsafe { SetProcessAffinityMask(self.handle(), mask) };
            }
            Some(Ok((group, mask))) => {
                let _refused = self.job.confine(group, mask);
            }
            Some(Err(_)) | None => {}
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it prints, where that was piped; once.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Tells once it has ended, on a thread of its own. The process id stays its own for as long as this is there.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn when_ended(&self, tell: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let process = self.child.as_handle().try_clone_to_owned()?;
        let wait = move || {
            // SAFETY: the handle is open, with the right to wait.
            unsafe { WaitForSingleObject(process.as_raw_handle(), INFINITE) };
            tell();
        };
        thread::Builder::new().name("reap".into()).stack_size(64 * 1024).spawn(wait).map(drop)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        // SAFETY: the handle is open; the call does not wait.
        unsafe { WaitForSingleObject(self.handle(), 0) == WAIT_OBJECT_0 }
    }

    /// Whether somebody that it started still lives.
    #[must_use]
    pub fn has_company(&self) -> bool {
        self.job.members().iter().any(|&member| member != self.id())
    }

    /// Asks it to end: through the preload, which knows what the application listens to; else by Ctrl-Break, which goes to
    /// all it started as well; and where neither reaches it, there is nothing to wait for: it is killed.
    pub fn ask_to_end(&mut self, _whole: bool) {
        let is_asked = self.link.as_ref().is_some_and(Link::ask) || self.interrupt();
        if !is_asked {
            self.kill();
        }
    }

    /// Works where both share a console.
    fn interrupt(&self) -> bool {
        // SAFETY: the call takes integers; the process made a group of its own number.
        unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.id()) != 0 }
    }

    /// Kills it and all it started.
    pub fn kill(&mut self) {
        self.job.kill();
    }

    /// Kills what is left of its job once it has ended, then takes its status; none while it still runs.
    pub fn collect(&mut self) -> Option<Exit> {
        if !self.has_ended() {
            return None;
        }
        self.job.kill();
        match self.child.try_wait() {
            Ok(Some(status)) => Some(status.code().map_or(Exit::Unknown, exit)),
            Ok(None) => None,
            Err(_) => Some(Exit::Unknown),
        }
    }

    /// Kills it and all it started, and waits until it is gone.
    pub fn end(&mut self) {
        self.kill();
        let _status = self.child.wait();
    }

    /// What it and all it started have used up to now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        look::usage(&self.job)
    }

    /// It and all it started, whose memory can be asked to go.
    #[must_use]
    pub(crate) fn residents(&self) -> Vec<Resident> {
        pages::residents(&self.job)
    }

    /// TCP ports that it and all it started listen on, ascending.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        look::listening_ports(&self.job.members())
    }

    /// Asks node to open its inspector: in the process that `dialled` in, if it belongs to this one, else in the leader.
    /// Which process that was.
    ///
    /// # Errors
    /// Says why not.
    pub fn open_inspector(&self, dialled: Option<u32>) -> Result<u32, String> {
        let members = self.job.members();
        let pid = dialled.filter(|pid| members.contains(pid)).unwrap_or(self.id());
        look::open_inspector(pid).map_err(|error| format!("it does not offer its inspector: {error}"))?;
        Ok(pid)
    }

    fn handle(&self) -> HANDLE {
        self.child.as_raw_handle()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Why a process ended, in the words of other systems where it did not end by itself.
fn exit(code: i32) -> Exit {
    let (number, name) = match code.cast_unsigned() {
        KILLED => (9, "SIGKILL"),
        // As node ends when V8 gives up.
        134 => (6, "SIGABRT"),
        0xc000_0005 => (11, "SIGSEGV"),
        0xc000_001d => (4, "SIGILL"),
        _ => return Exit::Code(code),
    };
    Exit::Signal { number, name }
}

/// What we were given as stdin, stdout and stderr may be such that children inherit it; a worker would hold the other
/// end's reader up. Nothing else of ours is.
fn keep_to_ourselves() {
    for name in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: the call takes an integer.
        let handle = unsafe { GetStdHandle(name) };
        // SAFETY: sets a flag; what is no handle is refused.
        let _none = unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
    }
}

/// This process.
fn us() -> HANDLE {
    // SAFETY: gives a pseudo handle, which is always valid and needs no closing.
    unsafe { GetCurrentProcess() }
}

/// Whose fault it is that a process could not be made.
pub(crate) fn fault(error: &io::Error, cwd: &Path) -> SpawnFault {
    let is = |code: u32| error.raw_os_error() == Some(code as i32);
    if is(ERROR_DIRECTORY) || !cwd.is_dir() {
        SpawnFault::FolderMissing
    } else if error.kind() == ErrorKind::NotFound {
        SpawnFault::ProgramMissing
    } else if is(ERROR_ACCESS_DENIED) || is(ERROR_BAD_EXE_FORMAT) {
        SpawnFault::ProgramDenied
    } else {
        SpawnFault::Other(error.to_string())
    }
}

/// Nobody inherits orphans here.
pub(crate) fn reap_orphans(_is_ours: impl Fn(u32) -> bool) {}
