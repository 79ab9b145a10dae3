//! Processes by their handles.

use std::fs::{File, OpenOptions};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::process::Command;

use forebay_transports::Endpoint;
use windows_sys::Win32::Foundation::WAIT_TIMEOUT;
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    GetProcessAffinityMask, OpenProcess, PROCESS_ACCESS_RIGHTS, PROCESS_QUERY_INFORMATION, PROCESS_SYNCHRONIZE,
    PROCESS_TERMINATE, PROCESS_VM_READ, TerminateProcess, WaitForSingleObject,
};

use super::Memory;

fn open(number: u32, rights: PROCESS_ACCESS_RIGHTS) -> Option<OwnedHandle> {
    // SAFETY: the call takes integers.
    let handle = unsafe { OpenProcess(rights, 0, number) };
    // SAFETY: the call has succeeded, and nobody else owns what it opened.
    (!handle.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(handle) })
}

pub(crate) fn kill(number: u32) {
    let process = open(number, PROCESS_TERMINATE).unwrap();
    // SAFETY: the handle is open, with the right to do this.
    assert_ne!(unsafe { TerminateProcess(process.as_raw_handle(), 1) }, 0);
}

pub(crate) fn is_alive(number: u32) -> bool {
    // SAFETY: the handle is open, with the right to wait; the call does not wait.
    open(number, PROCESS_SYNCHRONIZE)
        .is_some_and(|process| unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT })
}

pub(crate) fn memory(number: u32) -> Memory {
    let process = open(number, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ).unwrap();
    // SAFETY: the structure is integers: zeroes are valid.
    let mut counters: PROCESS_MEMORY_COUNTERS = unsafe { std::mem::zeroed() };
    let room = size_of_val(&counters) as u32;
    // SAFETY: the handle is open with these rights, the structure is valid for writing as many bytes as are told.
    assert_ne!(unsafe { K32GetProcessMemoryInfo(process.as_raw_handle(), &raw mut counters, room) }, 0);
    let kib = |bytes: usize| bytes as u64 / 1024;
    Memory { now_kib: kib(counters.WorkingSetSize), peak_kib: kib(counters.PeakWorkingSetSize) }
}

/// A connection to a worker.
pub(crate) fn dial(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// Makes a link to a file or folder.
pub(crate) fn link(to: impl AsRef<Path>, at: impl AsRef<Path>) -> std::io::Result<()> {
    let is_folder = at.as_ref().parent().is_some_and(|folder| folder.join(&to).is_dir());
    if is_folder { std::os::windows::fs::symlink_dir(to, at) } else { std::os::windows::fs::symlink_file(to, at) }
}

/// Nobody else is here to try.
pub(crate) fn is_sealed(_endpoint: &Endpoint) -> bool {
    true
}

/// Lets everybody use a folder.
pub(crate) fn open_to_others(folder: &Path) {
    let status = Command::new("icacls").arg(folder).args(["/grant", "*S-1-1-0:(OI)(CI)F"]).status();
    assert!(status.unwrap().success());
}

/// The vCPUs that a process may run on, within its group.
pub(crate) fn cpus_of(number: u32) -> Vec<usize> {
    let process = open(number, PROCESS_QUERY_INFORMATION).unwrap();
    let (mut ours, mut all) = (0_usize, 0_usize);
    // SAFETY: the handle is open with this right, both masks are valid for writing.
    assert_ne!(unsafe { GetProcessAffinityMask(process.as_raw_handle(), &raw mut ours, &raw mut all) }, 0);
    (0..64).filter(|&cpu| ours >> cpu & 1 == 1).collect()
}

/// There is no such thing.
pub(crate) fn is_batch(_number: u32) -> bool {
    true
}
