//! Processes of ours: how they are made, ended and looked at.
//!
//! One life on every system, in few words. What a system does for each of them is in its own folder:
//!
//! | | on Unix | on Windows |
//! |---|---|---|
//! | start | fork, prepare, exec; a process group | suspended, put into a job object, resumed |
//! | all it started | the group | the job |
//! | dies with us | `PR_SET_PDEATHSIG` | a job that is killed with its last handle |
//! | ask to end | SIGTERM | a word to the preload, else Ctrl-Break, else it is killed |
//! | kill | SIGKILL to the group | the job is terminated |
//! | has ended | `waitid` without taking the status | its handle is signalled |
//! | look at | `/proc` | the job's accounts, the system's tables |
//! | page out | `process_madvise`, `memory.reclaim` | the working set is emptied |
//!
//! Invariants: a process is asked or killed only while its status is not taken, so that no stranger can be meant who got
//! its number; once it has ended, nothing that it started outlives [`Process::collect`].

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use std::time::Duration;

pub use system::Process;
#[cfg(unix)]
pub(crate) use system::catches;
pub(crate) use system::{
    ENVIRONMENT, EXEC, Resident, command, fault, is_program, machine, memory, own_cpu, processes_named, program_names,
    quoted, reap_orphans, reclaim, shell,
};

/// Where a process is put, and what of us is in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The vCPU it is pinned to; none leaves it to the scheduler. Refused, it is left there.
    pub cpu: Option<usize>,
    /// Whether it runs under `SCHED_BATCH`, where there is such a thing.
    pub batch: bool,
    /// Whether our preload is loaded into it, which then takes orders.
    pub preloaded: bool,
}

/// What a process and all it started have used, or hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time, user and system, of processes that have ended included.
    pub cpu: Duration,
    /// Resident memory in bytes; what processes share counts once each.
    pub resident_bytes: u64,
}

/// The memory of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident, in bytes.
    pub resident_bytes: u64,
    /// Its own, shared with nobody, resident or paged out, in bytes: what Windows calls its use of the page file.
    pub private_bytes: u64,
}

/// CPU time that the whole machine has been busy and idle since it started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    /// Working for anybody; for other guests of the host, too.
    pub busy: Duration,
    /// Waiting.
    pub idle: Duration,
}

#[cfg(test)]
mod tests;
