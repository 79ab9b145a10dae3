//! What the system tells of processes and of the machine.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::null;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, FILETIME, HANDLE, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID, TCP_TABLE_OWNER_PID_LISTENER,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6};
use windows_sys::Win32::System::Memory::{FILE_MAP_READ, MapViewOfFile, OpenFileMappingW, UnmapViewOfFile};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    CreateRemoteThread, GetProcessTimes, GetSystemTimes, LPTHREAD_START_ROUTINE, OpenProcess, PROCESS_ACCESS_RIGHTS,
    PROCESS_CREATE_THREAD, PROCESS_QUERY_INFORMATION, PROCESS_VM_OPERATION, PROCESS_VM_READ, PROCESS_VM_WRITE,
};

use super::job::Job;
use super::us;
use crate::spawn::{Machine, Memory, Usage};

/// Of the system's clocks, a second.
const TICKS_PER_SECOND: u64 = 10_000_000;

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_nanos(ticks % TICKS_PER_SECOND * 100) + Duration::from_secs(ticks / TICKS_PER_SECOND)
}

fn time(time: FILETIME) -> Duration {
    from_ticks(u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime))
}

pub(super) fn open(pid: u32, rights: PROCESS_ACCESS_RIGHTS) -> io::Result<OwnedHandle> {
    // SAFETY: the call takes integers.
    let handle = unsafe { OpenProcess(rights, 0, pid) };
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and nobody else owns what it opened.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// What all who are or were in a job have used. Where the system keeps no such accounts (Wine), all who are.
pub(super) fn usage(job: &Job) -> Usage {
    let accounts = job.accounts();
    let ticks = |ticks: i64| from_ticks(u64::try_from(ticks).unwrap_or(0));
    let open = |pid| open(pid, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ).ok();
    let members: Vec<OwnedHandle> = job.members().into_iter().filter_map(open).collect();
    let now: Duration = members.iter().map(|process| cpu(process.as_raw_handle())).sum();
    Usage {
        cpu: now.max(ticks(accounts.TotalUserTime) + ticks(accounts.TotalKernelTime)),
        resident_bytes: members.iter().map(|process| memory_of(process.as_raw_handle()).resident_bytes).sum(),
    }
}

/// The memory of a process; nothing of one that is not there.
pub(crate) fn memory(pid: u32) -> Memory {
    let process = open(pid, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ);
    process.map(|process| memory_of(process.as_raw_handle())).unwrap_or_default()
}

pub(super) fn memory_of(process: HANDLE) -> Memory {
    let mut counters = MaybeUninit::<PROCESS_MEMORY_COUNTERS>::zeroed();
    // SAFETY: the structure is valid for writing as many bytes as are told.
    unsafe { K32GetProcessMemoryInfo(process, counters.as_mut_ptr(), size_of_val(&counters) as u32) };
    // SAFETY: it is integers: zeroes are valid, and so is what the call wrote.
    let counters = unsafe { counters.assume_init() };
    Memory { resident_bytes: counters.WorkingSetSize as u64, private_bytes: counters.PagefileUsage as u64 }
}

/// CPU time that this process has used itself.
pub(crate) fn own_cpu() -> Duration {
    cpu(us())
}

fn cpu(process: HANDLE) -> Duration {
    let (mut made, mut ended, mut kernel, mut user) = <(FILETIME, FILETIME, FILETIME, FILETIME)>::default();
    // SAFETY: the handle is open, and all four are valid for writing.
    unsafe { GetProcessTimes(process, &raw mut made, &raw mut ended, &raw mut kernel, &raw mut user) };
    time(kernel) + time(user)
}

/// What the machine has done up to now.
pub(crate) fn machine() -> Machine {
    let (mut idle, mut kernel, mut user) = <(FILETIME, FILETIME, FILETIME)>::default();
    // SAFETY: all three are valid for writing.
    unsafe { GetSystemTimes(&raw mut idle, &raw mut kernel, &raw mut user) };
    // The kernel's time has the idle one in it.
    Machine { busy: (time(kernel) + time(user)).saturating_sub(time(idle)), idle: time(idle) }
}

/// TCP ports that any of these processes listens on, ascending.
pub(super) fn listening_ports(pids: &[u32]) -> Vec<u16> {
    let v4 = rows::<MIB_TCPROW_OWNER_PID>(AF_INET).into_iter().map(|row| (row.dwOwningPid, row.dwLocalPort));
    let v6 = rows::<MIB_TCP6ROW_OWNER_PID>(AF_INET6).into_iter().map(|row| (row.dwOwningPid, row.dwLocalPort));
    let ours = v4.chain(v6).filter(|(pid, _)| pids.contains(pid));
    // The lower half is the port as it is on the wire.
    let mut ports: Vec<u16> = ours.map(|(_, port)| u16::from_be(port as u16)).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The rows of the table of those who listen: a count, then as many of them.
fn rows<T: Copy>(family: u16) -> Vec<T> {
    let mut bytes = 1 << 14;
    loop {
        // Of 64-bit integers, for the rows' alignment.
        let mut table = vec![0_u64; bytes as usize / 8];
        let (at, family) = (table.as_mut_ptr(), u32::from(family));
        // SAFETY: the table is valid for writing as many bytes as are told.
        let result =
            unsafe { GetExtendedTcpTable(at.cast(), &raw mut bytes, 0, family, TCP_TABLE_OWNER_PID_LISTENER, 0) };
        match result {
            NO_ERROR => {
                let first = align_of::<T>().max(size_of::<u32>());
                // SAFETY: the table begins with the count.
                let count = unsafe { *at.cast::<u32>() } as usize;
                let room = (size_of_val(&*table) - first) / size_of::<T>();
                let from = at.wrapping_byte_add(first).cast::<T>();
                // SAFETY: so many rows follow within the table, aligned as they have to be; they are integers.
                let row = |i: usize| unsafe { *from.wrapping_add(i) };
                return (0..count.min(room)).map(row).collect();
            }
            // It has said how much, and there may be more by now.
            ERROR_INSUFFICIENT_BUFFER => bytes += 1 << 12,
            _ => return Vec::new(),
        }
    }
}

/// What `process._debugProcess` does: node puts the address of the function that opens its inspector into memory that is
/// called after the process, to be called there on a thread of its own.
pub(super) fn open_inspector(pid: u32) -> io::Result<()> {
    let name: Vec<u16> = format!("node-debug-handler-{pid}\0").encode_utf16().collect();
    // SAFETY: the name ends with a NUL.
    let mapping = unsafe { OpenFileMappingW(FILE_MAP_READ, 0, name.as_ptr()) };
    if mapping.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and nobody else owns what it opened.
    let mapping = unsafe { OwnedHandle::from_raw_handle(mapping) };
    // SAFETY: the handle is open for reading.
    let view = unsafe { MapViewOfFile(mapping.as_raw_handle(), FILE_MAP_READ, 0, 0, size_of::<usize>()) };
    if view.Value.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the view is of as many bytes at least: one address in that process, or none.
    let handler = unsafe { *view.Value.cast::<LPTHREAD_START_ROUTINE>() };
    // SAFETY: the view is no longer used.
    unsafe { UnmapViewOfFile(view) };
    let rights =
        PROCESS_CREATE_THREAD | PROCESS_QUERY_INFORMATION | PROCESS_VM_OPERATION | PROCESS_VM_READ | PROCESS_VM_WRITE;
    let process = open(pid, rights)?;
    // SAFETY: the handle has the rights; what is called is what that process offers for it, without an argument.
    let thread =
        unsafe { CreateRemoteThread(process.as_raw_handle(), null(), 0, handler, null(), 0, std::ptr::null_mut()) };
    if thread.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and nobody else owns what it made.
    drop(unsafe { OwnedHandle::from_raw_handle(thread) });
    Ok(())
}
