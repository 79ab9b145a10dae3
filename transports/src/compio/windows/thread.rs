//! Where a shard's thread is scheduled.

use std::io;
use std::ptr::null_mut;

use windows_sys::Win32::System::SystemInformation::GROUP_AFFINITY;
use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadAffinityMask, SetThreadGroupAffinity};

use crate::EngineOptions;
use crate::windows::place_of;

/// Applies `options` to the calling thread. What the system refuses is logged and left: a shard that is scheduled
/// worse still serves. There is no `SCHED_BATCH`.
pub(in crate::compio) fn prepare(options: &EngineOptions) {
    if let Some(cpu) = options.cpu
        && let Err(error) = pin(cpu)
    {
        tracing::warn!(cpu, %error, "a shard's thread could not be pinned; the scheduler places it");
    }
}

/// Within the process's own processor group, or to any other.
fn pin(cpu: usize) -> io::Result<()> {
    // SAFETY: the pseudo handle of the calling thread is always valid and needs no closing.
    let thread = unsafe { GetCurrentThread() };
    let (group, mask) = place_of(cpu)?;
    let done = if group == 0 {
        // SAFETY: the call takes the handle and an integer.
        unsafe { SetThreadAffinityMask(thread, mask) != 0 }
    } else {
        let affinity = GROUP_AFFINITY { Mask: mask, Group: group, Reserved: [0; 3] };
        // SAFETY: the structure is valid for reading; the old one is not asked for.
        unsafe { SetThreadGroupAffinity(thread, &raw const affinity, null_mut()) != 0 }
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}
