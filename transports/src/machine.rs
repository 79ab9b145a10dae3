//! The machine as this process sees it.

use crate::system;

/// The vCPUs that this process may run on, ascending; never empty. On Windows those of processor group *g* begin at 64 *g*.
#[must_use]
pub fn usable_cpus() -> Vec<usize> {
    let cpus = system::usable_cpus();
    if cpus.is_empty() { vec![0] } else { cpus }
}

/// Lets this process open as many files and connections as it may. Where that is refused the old limit holds, and
/// accepting says so when it is reached.
pub fn raise_descriptor_limit() {
    system::raise_descriptor_limit();
}

/// Says whether the kernel may back memory with huge pages (`PR_SET_THP_DISABLE`, prctl(2)). Children inherit it.
/// Makes system calls only, so that it may be called between fork and exec; does nothing but on Linux.
///
/// A front holds many small things that come and go: with huge pages each run of them is rounded up to 2 MiB, which
/// measured 3.8 KiB of resident memory an idle client instead of 1.5. Where the call is refused nothing changes.
pub fn allow_huge_pages(allowed: bool) {
    system::allow_huge_pages(allowed);
}

/// How a person finds out who listens on a port.
#[must_use]
pub fn who_listens(port: u16) -> String {
    system::who_listens(port)
}

/// Why a port may not be listened on, and what to do about it.
pub const PORT_DENIED: &str = system::PORT_DENIED;

/// What shows the addresses of this machine.
pub const SHOW_ADDRESSES: &str = system::SHOW_ADDRESSES;

/// The machine's name; on Windows `localhost` where the environment does not have it, as it has there.
#[must_use]
pub fn host_name() -> String {
    system::host_name()
}
