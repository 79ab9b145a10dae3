//! The machine: processors in groups of up to 64, and what has no counterpart here.

use std::io;

use windows_sys::Win32::System::Threading::{
    ALL_PROCESSOR_GROUPS, GetActiveProcessorCount, GetActiveProcessorGroupCount, GetCurrentProcess,
    GetProcessAffinityMask,
};

/// vCPUs of a processor group at most: the bits of a mask.
const GROUP_LEN: usize = 64;

pub(crate) fn usable_cpus() -> Vec<usize> {
    // SAFETY: the call takes nothing.
    let groups = unsafe { GetActiveProcessorGroupCount() };
    if groups > 1 {
        // A mask says nothing of the other groups, all of which a process may use.
        let in_group = |group: u16| {
            // SAFETY: the call takes an integer.
            let count = unsafe { GetActiveProcessorCount(group) } as usize;
            (0..count.min(GROUP_LEN)).map(move |at| usize::from(group) * GROUP_LEN + at)
        };
        return (0..groups).flat_map(in_group).collect();
    }
    let (mut ours, mut all) = (0_usize, 0_usize);
    // SAFETY: the pseudo handle is always valid.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: both masks are valid for writing.
    let known = unsafe { GetProcessAffinityMask(process, &raw mut ours, &raw mut all) } != 0;
    if known && ours != 0 {
        return (0..GROUP_LEN).filter(|&at| ours >> at & 1 == 1).collect();
    }
    // SAFETY: the call takes an integer.
    let count = unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) };
    (0..count as usize).collect()
}

/// The processor group of a vCPU, and its bit there.
///
/// # Errors
/// `InvalidInput` where there can be no such vCPU.
pub fn place_of(cpu: usize) -> io::Result<(u16, usize)> {
    let group = u16::try_from(cpu / GROUP_LEN).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok((group, 1 << (cpu % GROUP_LEN)))
}

/// There is no such limit: handles are bounded by memory.
pub(crate) fn raise_descriptor_limit() {}

/// Large pages have to be asked for here.
pub(crate) fn allow_huge_pages(_allowed: bool) {}

pub(crate) fn who_listens(port: u16) -> String {
    format!("netstat -ano | findstr :{port}")
}

pub(crate) fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "localhost".into())
}

pub(crate) const PORT_DENIED: &str =
    "another process has it to itself, or it is reserved: `netsh interface ipv4 show excludedportrange protocol=tcp`";

pub(crate) const SHOW_ADDRESSES: &str = "ipconfig";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_cpu() {
        assert!(!usable_cpus().is_empty());
        assert_eq!(place_of(70).unwrap(), (1, 1 << 6));
        assert!(place_of(usize::MAX).is_err());
    }
}
