//! What watching asks of the operating system.

use std::fs::Metadata;
use std::path::Path;

/// When it was made, in nanoseconds, where the file system knows.
fn made(meta: &Metadata) -> u64 {
    let age = meta.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    age.map_or(0, |age| age.as_nanos() as u64)
}

/// What tells a file or folder from another one of the same name.
#[cfg(unix)]
pub(super) fn identity(meta: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    // The number of what was deleted may be given to what follows.
    meta.ino().rotate_left(32) ^ made(meta)
}

/// What tells a file or folder from another one of the same name.
#[cfg(not(unix))]
pub(super) fn identity(meta: &Metadata) -> u64 {
    made(meta)
}

/// Whether others can change what lies there without this system noticing: network file systems, and what hosts share
/// with their guests. `statfs(2)` has the numbers.
#[cfg(target_os = "linux")]
pub(super) fn is_remote(path: &Path) -> bool {
    const REMOTE: [u64; 8] = [
        0x6969,      // NFS
        0x517b,      // SMB
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB2
        0x6573_5546, // FUSE: sshfs, gcsfuse, virtiofs
        0x0102_1997, // 9p
        0x00c3_6400, // Ceph
        0x5346_414f, // AFS
    ];
    rustix::fs::statfs(path).is_ok_and(|stat| REMOTE.contains(&(stat.f_type as u64 & 0xffff_ffff)))
}

/// Whether others can change what lies there without this system noticing: shares.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_remote(path: &Path) -> bool {
    let path = path.to_string_lossy();
    path.starts_with(r"\\") && !path.starts_with(r"\\?\") || path.starts_with(r"\\?\UNC\")
}
