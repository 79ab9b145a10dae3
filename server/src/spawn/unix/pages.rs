//! How the memory of processes is paged out.

#[cfg(target_os = "linux")]
pub(super) use linux::residents;
#[cfg(target_os = "linux")]
pub(crate) use linux::{Resident, reclaim};
#[cfg(not(target_os = "linux"))]
pub(super) use other::residents;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{Resident, reclaim};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::os::fd::{AsRawFd as _, OwnedFd};
    use std::path::Path;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    /// A process with memory, which cannot be mistaken for another one of the same number.
    #[derive(Debug)]
    pub(crate) struct Resident {
        pid: u32,
        pidfd: OwnedFd,
    }

    /// All who are in the group of this leader.
    pub(crate) fn residents(leader: u32) -> Vec<Resident> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_ours = |pid: &u32| group_of(*pid) == Some(leader);
        let open = |pid: u32| {
            let fd = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()?;
            // Who got the number meanwhile is of another group.
            is_ours(&pid).then_some(Resident { pid, pidfd: fd })
        };
        pids.filter(is_ours).filter_map(open).collect()
    }

    fn group_of(pid: u32) -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // "PID (NAME) STATE PARENT GROUP …": the name may hold anything.
        stat.rsplit(") ").next()?.split(' ').nth(2)?.parse().ok()
    }

    impl Resident {
        /// Bytes of it in RAM.
        pub(crate) fn resident_bytes(&self) -> u64 {
            let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
            line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
        }

        /// Asks for all of its memory to go.
        ///
        /// # Errors
        /// Why the kernel refuses that, whatever the memory.
        pub(crate) fn page_out(&self) -> Result<(), &'static str> {
            // Once it has ended there are none.
            let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap_or_default();
            for range in maps.lines().filter_map(range) {
                match self.advise(range) {
                    Some(libc::EPERM | libc::EACCES) => {
                        return Err("the kernel refuses: it takes CAP_SYS_NICE, and the right to trace the workers \
                                    (their own user, no ptrace policy that forbids it)");
                    }
                    Some(libc::ENOSYS) => return Err("the kernel is too old: it takes Linux 5.10"),
                    // What cannot go, such as the vDSO, stays.
                    Some(_) | None => {}
                }
            }
            Ok(())
        }

        /// The error, if there is one.
        fn advise(&self, (start, end): (usize, usize)) -> Option<i32> {
            let part = libc::iovec { iov_base: start as *mut libc::c_void, iov_len: end - start };
            let (fd, parts) = (self.pidfd.as_raw_fd(), 1_usize);
            // SAFETY: the descriptor is open and the one range is read only; the addresses are another process's, whose
            // memory keeps its content.
            let advised = unsafe {
                libc::syscall(libc::SYS_process_madvise, fd, &raw const part, parts, libc::MADV_PAGEOUT, 0_u32)
            };
            (advised < 0).then(|| std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
        }
    }

    /// `7f00-7fff rw-p …`
    fn range(line: &str) -> Option<(usize, usize)> {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
    }

    /// Asks the control group (version 2) for so many bytes, if these processes and we are alone in it; whether it gave
    /// any.
    pub(crate) fn reclaim(residents: &[Resident], bytes: u64) -> bool {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let Some(path) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else { return false };
        let pids: Vec<u32> = residents.iter().map(|resident| resident.pid).chain([std::process::id()]).collect();
        reclaim_in(&Path::new("/sys/fs/cgroup").join(path), &pids, bytes)
    }

    fn reclaim_in(group: &Path, ours: &[u32], bytes: u64) -> bool {
        let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        let mut members = members.lines().filter_map(|line| line.parse().ok()).peekable();
        if members.peek().is_none() || !members.all(|pid: u32| ours.contains(&pid)) {
            return false;
        }
        let asked = fs::OpenOptions::new().write(true).open(group.join("memory.reclaim")).and_then(|mut file| {
            use std::io::Write as _;
            file.write_all(bytes.to_string().as_bytes())
        });
        // It gave some, but not all.
        asked.or_else(|error| if error.raw_os_error() == Some(libc::EAGAIN) { Ok(()) } else { Err(error) }).is_ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_control_group_is_asked_if_nobody_else_is_in_it() {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("memory.reclaim");
            assert!(!reclaim_in(dir.path(), &[7], 100), "there is no such group");
            fs::write(dir.path().join("cgroup.procs"), "7\n8\n").unwrap();
            assert!(!reclaim_in(dir.path(), &[7, 8], 100), "the kernel has no such file");
            fs::write(&file, "").unwrap();
            assert!(!reclaim_in(dir.path(), &[7], 100), "8 is somebody else");
            assert!(reclaim_in(dir.path(), &[7, 8, 9], 100));
            assert_eq!(fs::read_to_string(file).unwrap(), "100");
        }

        #[test]
        fn maps_are_read() {
            assert_eq!(range("7f00-7fff rw-p 00000000 00:00 0 [heap]"), Some((0x7f00, 0x7fff)));
            assert_eq!(range("nonsense"), None);
            let group = group_of(std::process::id());
            assert_eq!(group, u32::try_from(rustix::process::getpgrp().as_raw_nonzero().get()).ok());
        }
    }
}

/// Not there yet.
#[cfg(not(target_os = "linux"))]
mod other {
    #[derive(Debug)]
    pub(crate) struct Resident;

    pub(crate) fn residents(_: u32) -> Vec<Resident> {
        vec![Resident]
    }

    impl Resident {
        pub(crate) fn resident_bytes(&self) -> u64 {
            0
        }

        pub(crate) fn page_out(&self) -> Result<(), &'static str> {
            Err("not on this system")
        }
    }

    pub(crate) fn reclaim(_: &[Resident], _: u64) -> bool {
        false
    }
}
