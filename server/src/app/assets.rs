//! The JavaScript inside the binary, and how it gets into a worker.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The preload's file name in the runtime folder.
pub const PRELOAD_FILE: &str = "preload.cjs";

/// The demo's file name in the runtime folder.
pub const DEMO_FILE: &str = "demo.cjs";

const PRELOAD: &str = include_str!("../../node/preload.cjs");
const DEMO: &str = include_str!("../../node/demo.cjs");

/// Makes the runtime folder (mode 0700) and writes the preload and the demo into it (0600). Returns the preload's
/// path. Again is harmless: files are replaced whole, so that a worker that starts meanwhile reads the old or the new.
///
/// # Errors
/// The folder cannot be made or written, or belongs to somebody else: nobody else may place an endpoint there.
pub fn install(runtime_dir: &Path) -> io::Result<PathBuf> {
    make_private(runtime_dir)?;
    write(runtime_dir, DEMO_FILE, DEMO)?;
    write(runtime_dir, PRELOAD_FILE, PRELOAD)
}

/// Removes what [`install`] wrote, so that the folder can go once the endpoints are gone.
pub fn remove(runtime_dir: &Path) {
    for name in [PRELOAD_FILE, DEMO_FILE] {
        // Nothing depends on it: the folder is private, and temporary.
        let _left = fs::remove_file(runtime_dir.join(name));
    }
}

fn write(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&fresh)?.write_all(text.as_bytes())?;
    fs::rename(&fresh, &path)?;
    Ok(path)
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // Not followed: a link in a temporary folder may be anybody's.
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "belongs to somebody else"));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    // The temporary folder is the user's own there, and endpoints are pipes, which are not in it.
    fs::create_dir_all(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_folder_is_private_and_complete() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for _again in 0..2 {
            let preload = install(&folder).unwrap();
            assert_eq!(fs::read_to_string(&preload).unwrap(), PRELOAD);
            assert_eq!((mode(&folder), mode(&preload), mode(&folder.join(DEMO_FILE))), (0o700, 0o600, 0o600));
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        }
        remove(&folder);
        fs::remove_dir(&folder).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        std::os::unix::fs::symlink(parent.path(), &folder).unwrap();
        assert_eq!(install(&folder).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
