//! How many vCPUs there are for us: those we may run on, and no more than the container's quota pays for.

use std::fs;
use std::path::{Path, PathBuf};

use forebay_transports::machine::usable_cpus;

/// How many vCPUs' worth of time this process gets: the usable ones, or the cgroup's quota rounded up where that is
/// less; at least 1. The default number of workers and of shards.
#[must_use]
pub fn vcpus() -> usize {
    let memberships = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let usable = usable_cpus().len();
    match quota(&memberships, Path::new("/sys/fs/cgroup")) {
        // A quota is far below 2^53 and positive.
        Some(quota) => usable.min(quota.ceil() as usize).max(1),
        None => usable,
    }
}

/// The tightest CPU quota of the cgroups that `memberships` (the text of `/proc/self/cgroup`) names and of all their
/// parents, in vCPUs; none where there is no limit. `root` is where cgroups are mounted.
///
/// A container without a cgroup namespace of its own reads the host's path here, which does not exist below its
/// mount; walking up to the mount's root finds its limit even so.
#[must_use]
pub fn quota(memberships: &str, root: &Path) -> Option<f64> {
    let mut tightest: Option<f64> = None;
    for line in memberships.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (mount, read): (PathBuf, fn(&Path) -> Option<f64>) = if controllers.is_empty() {
            (root.to_path_buf(), quota_v2)
        } else if controllers.split(',').any(|c| c == "cpu") {
            // Usually `cpu,cpuacct`, with a link `cpu` to it; some systems have only one of the two.
            let mount = [controllers, "cpu"].map(|name| root.join(name)).into_iter().find(|path| path.is_dir());
            let Some(mount) = mount else { continue };
            (mount, quota_v1)
        } else {
            continue;
        };
        let mut group = mount.join(path.trim_start_matches('/'));
        while group.starts_with(&mount) {
            if let Some(quota) = read(&group) {
                tightest = Some(tightest.map_or(quota, |t| t.min(quota)));
            }
            if !group.pop() {
                break;
            }
        }
    }
    tightest
}

/// `cpu.max`: "200000 100000" is two vCPUs, "max 100000" no limit.
fn quota_v2(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let mut words = text.split_whitespace();
    ratio(words.next()?, words.next().unwrap_or("100000"))
}

/// `cpu.cfs_quota_us`, -1 for no limit, over `cpu.cfs_period_us`.
fn quota_v1(group: &Path) -> Option<f64> {
    let read = |name| fs::read_to_string(group.join(name)).ok();
    ratio(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?)
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn there_is_always_a_cpu() {
        assert!(!usable_cpus().is_empty());
        assert!((1..=usable_cpus().len()).contains(&vcpus()));
    }

    #[test]
    fn version_2_takes_the_tightest_of_all_parents() {
        let root = tree(&[
            ("cpu.max", "max 100000\n"),
            ("a.slice/cpu.max", "150000 100000\n"),
            ("a.slice/b.service/cpu.max", "800000 100000\n"),
        ]);
        assert_eq!(quota("0::/a.slice/b.service\n", root.path()), Some(1.5));
        assert_eq!(quota("0::/a.slice\n", root.path()), Some(1.5));
        assert_eq!(quota("0::/\n", root.path()), None);
    }

    #[test]
    fn a_path_of_the_host_falls_back_to_the_mount() {
        let root = tree(&[("cpu.max", "200000 100000\n")]);
        assert_eq!(quota("0::/docker/4f1e\n", root.path()), Some(2.0));
    }

    #[test]
    fn version_1_reads_quota_over_period() {
        let root = tree(&[
            ("cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("cpu,cpuacct/pod/cpu.cfs_quota_us", "50000\n"),
            ("cpu,cpuacct/pod/cpu.cfs_period_us", "100000\n"),
            ("memory/pod/cpu.cfs_quota_us", "1\n"),
        ]);
        assert_eq!(quota("5:memory:/pod\n4:cpu,cpuacct:/pod\n0::/\n", root.path()), Some(0.5));
        assert_eq!(quota("4:cpu,cpuacct:/\n", root.path()), None);
    }

    #[test]
    fn version_1_may_be_mounted_as_cpu() {
        let root = tree(&[("cpu/cpu.cfs_quota_us", "300000\n"), ("cpu/cpu.cfs_period_us", "100000\n")]);
        assert_eq!(quota("4:cpu,cpuacct:/gone\n", root.path()), Some(3.0));
    }

    #[test]
    fn odd_files_are_no_limit() {
        let root = tree(&[("cpu.max", "0 0\n"), ("x/cpu.max", "soon\n"), ("y/cpu.max", "")]);
        for path in ["/", "/x", "/y", "/../../etc"] {
            assert_eq!(quota(&format!("0::{path}\n"), root.path()), None, "{path}");
        }
        assert_eq!(quota("nonsense\n\n1\n", root.path()), None);
    }
}
