//! The machine: affinity, limits, how the kernel backs memory.

use std::mem::MaybeUninit;

#[cfg(target_os = "linux")]
pub(crate) fn usable_cpus() -> Vec<usize> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the set is valid for the size that is given; 0 is the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) };
    // SAFETY: a `cpu_set_t` is an array of integers: zeroes are valid, and so is what the call wrote.
    let set = unsafe { set.assume_init() };
    // SAFETY: the number is one of the set's bits.
    let is_set = |&cpu: &usize| unsafe { libc::CPU_ISSET(cpu, &set) };
    if result == 0 { (0..8 * size_of_val(&set)).filter(is_set).collect() } else { Vec::new() }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn usable_cpus() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, usize::from)).collect()
}

pub(crate) fn raise_descriptor_limit() {
    let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
    // SAFETY: the structure is valid for writing.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr()) };
    // SAFETY: it is two integers: zeroes are valid, and so is what the call wrote.
    let mut limit = unsafe { limit.assume_init() };
    if result == 0 && limit.rlim_cur != limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the structure is valid for reading.
        let _refused = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn allow_huge_pages(allowed: bool) {
    let disabled = libc::c_ulong::from(!allowed);
    // SAFETY: the call takes integers only and changes nothing but the setting.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, disabled, 0, 0, 0) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn allow_huge_pages(_allowed: bool) {}

pub(crate) fn who_listens(port: u16) -> String {
    format!("ss -ltnp 'sport = :{port}'")
}

pub(crate) fn host_name() -> String {
    let mut about = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the structure is valid for writing.
    unsafe { libc::uname(about.as_mut_ptr()) };
    // SAFETY: it is bytes: zeroes are valid, and so is what the call wrote.
    let about = unsafe { about.assume_init() };
    let name = about.nodename.iter().map(|&byte| byte.cast_unsigned()).take_while(|&byte| byte != 0);
    String::from_utf8_lossy(&name.collect::<Vec<u8>>()).into_owned()
}

pub(crate) const PORT_DENIED: &str = "ports below 1024 need the capability CAP_NET_BIND_SERVICE, or another port";

pub(crate) const SHOW_ADDRESSES: &str = "ip address";
