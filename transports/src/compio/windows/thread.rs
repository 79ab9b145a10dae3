//! Where a shard's thread is scheduled.

use std::io;

use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadAffinityMask};

use crate::EngineOptions;

/// Applies `options` to the calling thread. What the system refuses is logged and left: a shard that is scheduled
/// worse still serves. There is no `SCHED_BATCH`.
pub(in crate::compio) fn prepare(options: &EngineOptions) {
    if let Some(cpu) = options.cpu
        && let Err(error) = pin(cpu)
    {
        tracing::warn!(cpu, %error, "a shard's thread could not be pinned; the scheduler places it");
    }
}

/// Within the process's first processor group: 64 vCPUs.
fn pin(cpu: usize) -> io::Result<()> {
    let bit = u32::try_from(cpu).ok().and_then(|cpu| 1_usize.checked_shl(cpu)).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: the pseudo handle of the calling thread is always valid and needs no closing.
    let thread = unsafe { GetCurrentThread() };
    // SAFETY: the call takes the handle and an integer.
    match unsafe { SetThreadAffinityMask(thread, bit) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
