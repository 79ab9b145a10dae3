//! How the memory of processes is paged out: their working sets are emptied.

use std::os::windows::io::{AsRawHandle, OwnedHandle};

use windows_sys::Win32::System::ProcessStatus::K32EmptyWorkingSet;
use windows_sys::Win32::System::Threading::{PROCESS_QUERY_INFORMATION, PROCESS_SET_QUOTA, PROCESS_VM_READ};

use super::job::Job;
use super::look::{memory_of, open};

/// A process with memory, which cannot be mistaken for another one of the same number.
#[derive(Debug)]
pub(crate) struct Resident(OwnedHandle);

/// All who are in the job.
pub(super) fn residents(job: &Job) -> Vec<Resident> {
    let open = |pid| open(pid, PROCESS_QUERY_INFORMATION | PROCESS_SET_QUOTA | PROCESS_VM_READ).ok().map(Resident);
    let opened: Vec<Resident> = job.members().into_iter().filter_map(open).collect();
    // The number of one who ended meanwhile may be a stranger's.
    opened.into_iter().filter(|resident| job.has(resident.0.as_raw_handle())).collect()
}

impl Resident {
    /// Bytes of it in RAM.
    pub(crate) fn resident_bytes(&self) -> u64 {
        memory_of(self.0.as_raw_handle()).resident_bytes
    }

    /// Lets all of its memory go.
    ///
    /// # Errors
    /// That the system refuses.
    pub(crate) fn page_out(&self) -> Result<(), &'static str> {
        // SAFETY: the handle is open, with the rights to do this.
        let done = unsafe { K32EmptyWorkingSet(self.0.as_raw_handle()) } != 0;
        if done { Ok(()) } else { Err("the system refuses to empty the working sets of the workers") }
    }
}

/// There is no other way.
pub(crate) fn reclaim(_: &[Resident], _: u64) -> bool {
    false
}
