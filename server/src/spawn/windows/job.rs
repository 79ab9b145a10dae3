//! Job objects: processes that are accounted for and killed together.

use std::io;
use std::mem::{MaybeUninit, forget};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::null;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JOBOBJECTINFOCLASS,
    JobObjectBasicAccountingInformation, JobObjectBasicProcessIdList, JobObjectExtendedLimitInformation,
    JobObjectGroupInformationEx, QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::SystemInformation::GROUP_AFFINITY;

use super::us;

/// Processes that a list of members names; of more, the rest are not told.
const MEMBERS_MAX: usize = 1022;

/// The exit code of those who are killed with their job: ours alone (an error, made by a program).
pub(super) const KILLED: u32 = 0xe0f0_0009;

/// Processes that end together: with the last handle to it all of them are killed.
#[derive(Debug)]
pub(super) struct Job(OwnedHandle);

impl Job {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: neither attributes nor a name are given.
        let handle = unsafe { CreateJobObjectW(null(), null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has succeeded, and nobody else owns what it made. The handle is not inherited.
        let job = Self(unsafe { OwnedHandle::from_raw_handle(handle) });
        // SAFETY: the structure is integers: all zeroes is no limit.
        let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { std::mem::zeroed() };
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        job.set(JobObjectExtendedLimitInformation, &limits)?;
        Ok(job)
    }

    fn set<T>(&self, what: JOBOBJECTINFOCLASS, value: &T) -> io::Result<()> {
        let bytes = size_of::<T>() as u32;
        // SAFETY: the value is what the class wants, and valid for reading as many bytes as are told.
        check(unsafe { SetInformationJobObject(self.0.as_raw_handle(), what, (&raw const *value).cast(), bytes) })
    }

    /// Takes this process in, and from then on all it makes; the handle lives as long as it does.
    pub(super) fn hold_us(self) -> io::Result<()> {
        self.take(us())?;
        forget(self);
        Ok(())
    }

    /// Takes a process in, and from then on all it makes.
    pub(super) fn take(&self, process: HANDLE) -> io::Result<()> {
        // SAFETY: both handles are open, with all rights.
        check(unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), process) })
    }

    /// Lets its processes run on these vCPUs of a processor group only.
    pub(super) fn confine(&self, group: u16, mask: usize) -> io::Result<()> {
        self.set(JobObjectGroupInformationEx, &GROUP_AFFINITY { Mask: mask, Group: group, Reserved: [0; 3] })
    }

    /// Kills all who are in it. Nobody may be.
    pub(super) fn kill(&self) {
        // SAFETY: the handle is open, with all rights.
        unsafe { TerminateJobObject(self.0.as_raw_handle(), KILLED) };
    }

    /// The ids of those who are in it.
    pub(super) fn members(&self) -> Vec<u32> {
        /// `JOBOBJECT_BASIC_PROCESS_ID_LIST` with room.
        #[repr(C)]
        struct List {
            assigned: u32,
            listed: u32,
            ids: [usize; MEMBERS_MAX],
        }
        let mut list = Box::new(List { assigned: 0, listed: 0, ids: [0; MEMBERS_MAX] });
        let (room, at) = (size_of::<List>() as u32, (&raw mut *list).cast());
        // SAFETY: the list is valid for writing as many bytes as are told. With too little room it is filled all the same.
        unsafe {
            QueryInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectBasicProcessIdList,
                at,
                room,
                std::ptr::null_mut(),
            )
        };
        let ids = list.ids.iter().take(list.listed as usize);
        ids.filter_map(|&id| u32::try_from(id).ok()).collect()
    }

    /// Whether a process is in it.
    pub(super) fn has(&self, process: HANDLE) -> bool {
        let mut is_in = 0;
        // SAFETY: both handles are open, with the right to look; the answer is valid for writing.
        let known = unsafe { IsProcessInJob(process, self.0.as_raw_handle(), &raw mut is_in) };
        known != 0 && is_in != 0
    }

    /// What its processes have used, those who have ended included.
    pub(super) fn accounts(&self) -> JOBOBJECT_BASIC_ACCOUNTING_INFORMATION {
        let mut accounts = MaybeUninit::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>::zeroed();
        let (room, at) = (size_of_val(&accounts) as u32, accounts.as_mut_ptr().cast());
        let what = JobObjectBasicAccountingInformation;
        // SAFETY: the structure is valid for writing as many bytes as are told.
        unsafe { QueryInformationJobObject(self.0.as_raw_handle(), what, at, room, std::ptr::null_mut()) };
        // SAFETY: it is integers: zeroes are valid, and so is what the call wrote.
        unsafe { accounts.assume_init() }
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
