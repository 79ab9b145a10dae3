//! Endpoints, files and folders: sockets in a folder, and modes.

use std::ffi::CString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions, remove_file, set_permissions};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::socket::connect;
use crate::Endpoint;
use crate::files::{Exposed, made};

/// `sun_path` less its NUL.
pub(crate) const ENDPOINT_BYTES_MAX: usize = 107;

pub(crate) const CASE_MATTERS: bool = true;

pub(crate) const HAS_DEVICE_NAMES: bool = false;

pub(crate) const ENDPOINT_IS_FILE: bool = true;

pub(crate) const ENDPOINT_FORM: &str = "a path, such as /run/app/NAME.sock";

pub(crate) fn is_endpoint(_path: &Path) -> bool {
    true
}

pub(crate) fn endpoint_within(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

pub(crate) fn listens(endpoint: &Endpoint) -> bool {
    match connect(endpoint) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

pub(crate) fn seal(endpoint: &Endpoint) {
    let _vanished = set_permissions(endpoint.path(), Permissions::from_mode(0o600));
}

pub(crate) fn remove_endpoint(endpoint: &Endpoint) {
    let _gone = remove_file(endpoint.path());
}

pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

pub(crate) fn make_folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(crate) fn check_folder(path: &Path, meta: &Metadata) -> Result<(), Exposed> {
    if meta.uid() != uid() {
        let why = format!("belongs to user {}, not to {}", meta.uid(), uid());
        return Err(Exposed::new(path, &why, "name another folder, or remove this one"));
    }
    if meta.mode() & 0o077 != 0 {
        let why = format!("is open to other users (mode {:04o}), 0700 is allowed", meta.mode() & 0o7777);
        return Err(Exposed::new(path, &why, "`chmod 0700` it, or name another folder"));
    }
    Ok(())
}

pub(crate) fn make_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

pub(crate) fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

pub(crate) fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    let (open, named) = (file.metadata()?, path.metadata()?);
    Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
}

pub(crate) fn is_there(file: &File) -> bool {
    file.metadata().is_ok_and(|meta| meta.nlink() > 0)
}

pub(crate) fn identity(_path: &Path, meta: &Metadata) -> u64 {
    // The number of what was deleted may be given to what follows.
    meta.ino().rotate_left(32) ^ made(meta)
}

/// `statfs(2)` has the numbers.
#[cfg(target_os = "linux")]
pub(crate) fn is_remote(path: &Path) -> bool {
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
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut about = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the path ends with a NUL, and the structure is valid for writing.
    let result = unsafe { libc::statfs(path.as_ptr(), about.as_mut_ptr()) };
    // SAFETY: it is integers: zeroes are valid, and so is what the call wrote.
    let about = unsafe { about.assume_init() };
    result == 0 && REMOTE.contains(&(about.f_type as u64 & 0xffff_ffff))
}

/// The other systems' calls for this are as many as they are: there one says so in the settings.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_remote(_path: &Path) -> bool {
    false
}

pub(crate) fn user() -> String {
    uid().to_string()
}

fn uid() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use crate::{Endpoint, files};

    use super::*;

    #[test]
    fn only_a_listener_listens() {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::new(dir.path().join("w"));
        assert!(!endpoint.listens(), "no such file");
        let listener = UnixListener::bind(endpoint.path()).unwrap();
        assert!(endpoint.listens());
        endpoint.seal();
        assert_eq!(endpoint.path().metadata().unwrap().mode() & 0o777, 0o600);
        drop(listener);
        assert!(!endpoint.listens(), "a file that nobody listens on");
        assert!(!Endpoint::new("x".repeat(200)).listens(), "a path that is too long");
        endpoint.remove();
        assert!(!endpoint.path().exists());
    }

    #[test]
    fn a_full_backlog_is_listened_to() {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::new(dir.path().join("w"));
        let _listener = UnixListener::bind(endpoint.path()).unwrap();
        let mut waiting = Vec::new();
        loop {
            match connect(&endpoint) {
                Ok(socket) => waiting.push(socket),
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            if waiting.len() > 900 {
                return; // This machine's backlog is longer than our descriptors.
            }
        }
        assert!(endpoint.listens());
    }

    #[test]
    fn a_new_folder_is_ours_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run");
        assert_eq!(files::private_folder(&path), Ok(true));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(files::private_folder(&path), Ok(false));
    }

    #[test]
    fn unsafe_folders_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (open, file, link) = (temp.path().join("open"), temp.path().join("file"), temp.path().join("link"));
        std::fs::create_dir(&open).unwrap();
        set_permissions(&open, Permissions::from_mode(0o750)).unwrap();
        std::fs::write(&file, "").unwrap();
        symlink(temp.path(), &link).unwrap();
        let missing = temp.path().join("no/such/parent");
        let table = [
            (open, "is open to other users (mode 0750), 0700 is allowed"),
            (file, "is not a folder"),
            (link, "is not a folder"),
            (missing, "cannot make"),
        ];
        for (path, expected) in table {
            let exposed = files::private_folder(&path).unwrap_err();
            assert!(exposed.what.contains(expected), "{exposed:?}");
        }
    }
}
