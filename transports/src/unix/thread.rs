//! Where and how a shard's thread is scheduled.

use std::io;

use crate::EngineOptions;

/// Applies `options` to the calling thread. What the system refuses is logged and left: a shard that is scheduled
/// worse still serves.
pub(crate) fn prepare(options: &EngineOptions) {
    if let Some(cpu) = options.cpu
        && let Err(error) = pin(cpu)
    {
        tracing::warn!(cpu, %error, "a shard's thread could not be pinned; the scheduler places it");
    }
    if options.batch
        && let Err(error) = batch()
    {
        tracing::warn!(%error, "SCHED_BATCH was refused; shards may preempt other processes more often than needed");
    }
}

#[cfg(target_os = "linux")]
fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= 8 * size_of::<libc::cpu_set_t>() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a `cpu_set_t` is an array of integers: all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `cpu` was checked to be one of the set's bits.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set is valid for the size that is given; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) })
}

#[cfg(target_os = "linux")]
fn batch() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameters outlive the call; 0 is the calling thread.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) })
}

#[cfg(target_os = "linux")]
fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn pin(_cpu: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn batch() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
