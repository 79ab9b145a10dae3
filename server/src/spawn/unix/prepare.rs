//! What happens in a new process before it becomes another program.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use forebay_transports::machine::allow_huge_pages;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::spawn::Place;

/// Puts a process into a group of its own and to its place, and makes it die with the thread that makes it.
pub(super) fn prepare(command: &mut Command, place: &Place) {
    let cpus = place.cpu.map(|cpu| {
        let mut set = CpuSet::new();
        set.set(cpu);
        set
    });
    let (parent, batch) = (getpid(), place.batch);
    let prepare = move || {
        reset_signals();
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Had we died before the line above, the kernel would not have noticed: then our parent is another by now.
        if getppid() != Some(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        // Where a worker runs is a matter of speed: a container that refuses this still gets its worker.
        if let Some(cpus) = &cpus {
            let _refused = sched_setaffinity(None, cpus);
        }
        if batch {
            batch_scheduling();
        }
        // Ours is off because we hold many small things; a worker's heap is another matter.
        allow_huge_pages(true);
        close_on_exec();
        Ok(())
    };
    // SAFETY: `prepare` makes system calls and nothing else: no allocation, no lock, no panic.
    unsafe { command.process_group(0).pre_exec(prepare) };
}

/// What we ignore or block (SIGPIPE; SIGHUP under nohup) is no business of the worker's.
fn reset_signals() {
    for signal in 1..32 {
        // SAFETY: the default disposition is valid for every signal; for SIGKILL and SIGSTOP the call just fails.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is to a signal set.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was initialised just now, and no old one is asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
}

fn batch_scheduling() {
    // SAFETY: a sched_param is plain integers; SCHED_BATCH wants priority 0.
    let param: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a sched_param, and 0 names the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const param) };
}

/// Everything we open is marked so already; a library that forgot must not leak a client's socket into a worker.
/// Kernels before 5.11 do not know the call, which is why marking is not left to it alone.
fn close_on_exec() {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: only sets a flag on descriptors, three and up.
    unsafe { libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) };
}
