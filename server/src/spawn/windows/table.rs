//! The system's tables of processes and threads (Toolhelp).

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CREATE_TOOLHELP_SNAPSHOT_FLAGS, CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW,
    TH32CS_SNAPPROCESS, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{OpenThread, ResumeThread, THREAD_SUSPEND_RESUME};

/// What `ResumeThread` gives for failure.
const FAILED: u32 = u32::MAX;

fn snapshot(of: CREATE_TOOLHELP_SNAPSHOT_FLAGS) -> io::Result<OwnedHandle> {
    // SAFETY: the call takes integers.
    let handle = unsafe { CreateToolhelp32Snapshot(of, 0) };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and nobody else owns what it made.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Lets the only thread of a process run that was made suspended. The system has no other documented way to it from a
/// `std::process::Child`.
///
/// # Errors
/// The system's; `NotFound` where there is no thread.
pub(super) fn resume(pid: u32) -> io::Result<()> {
    let threads = snapshot(TH32CS_SNAPTHREAD)?;
    // SAFETY: the structure is integers: zeroes are valid.
    let mut entry: THREADENTRY32 = unsafe { std::mem::zeroed() };
    entry.dwSize = size_of_val(&entry) as u32;
    // SAFETY: the snapshot is open, the entry says its size and is valid for writing.
    let mut more = unsafe { Thread32First(threads.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            // SAFETY: the call takes integers.
            let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, entry.th32ThreadID) };
            if thread.is_null() {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the call has succeeded, and nobody else owns what it opened.
            let thread = unsafe { OwnedHandle::from_raw_handle(thread) };
            // SAFETY: the handle is open, with the right to do this.
            let was = unsafe { ResumeThread(thread.as_raw_handle()) };
            return if was == FAILED { Err(io::Error::last_os_error()) } else { Ok(()) };
        }
        // SAFETY: as the first.
        more = unsafe { Thread32Next(threads.as_raw_handle(), &raw mut entry) };
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The ids of all processes of a program, which is named without its extension, ascending.
pub(crate) fn processes_named(name: &str) -> Vec<u32> {
    let file = format!("{name}.exe");
    let mut found = Vec::new();
    let Ok(processes) = snapshot(TH32CS_SNAPPROCESS) else { return found };
    // SAFETY: the structure is integers: zeroes are valid.
    let mut entry: PROCESSENTRY32W = unsafe { std::mem::zeroed() };
    entry.dwSize = size_of_val(&entry) as u32;
    // SAFETY: the snapshot is open, the entry says its size and is valid for writing.
    let mut more = unsafe { Process32FirstW(processes.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        let len = entry.szExeFile.iter().position(|&unit| unit == 0).unwrap_or(entry.szExeFile.len());
        if String::from_utf16_lossy(&entry.szExeFile[..len]).eq_ignore_ascii_case(&file) {
            found.push(entry.th32ProcessID);
        }
        // SAFETY: as the first.
        more = unsafe { Process32NextW(processes.as_raw_handle(), &raw mut entry) };
    }
    found.sort_unstable();
    found
}
