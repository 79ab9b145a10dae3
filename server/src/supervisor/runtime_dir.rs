//! The folder of the workers' endpoints: ours alone while we run, gone afterwards.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use forebay_transports::Endpoint;

use rustix::process::geteuid;

use crate::app::assets;

/// Something that keeps us from starting, with a way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error: {what}\nhint: {hint}")]
pub struct StartError {
    /// What is wrong, and what is allowed.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// The folder. Removed on drop if we made it, with the endpoints and scripts that are left in it.
#[derive(Debug)]
pub struct RuntimeDir {
    path: PathBuf,
    made: bool,
}

impl RuntimeDir {
    /// Makes the folder with mode 0700, or takes one that is there, is ours and is closed to others.
    ///
    /// # Errors
    ///
    /// When it cannot be made, is a link or no folder, belongs to somebody else, or is open to others: who can put a
    /// socket there gets our clients' requests.
    pub fn prepare(path: &Path) -> Result<Self, StartError> {
        let made = private_folder(path, "workers.runtime_dir")?;
        Ok(Self { path: path.to_path_buf(), made })
    }

    /// Refuses an endpoint that the system could not take.
    ///
    /// # Errors
    ///
    /// When its path is longer than [`Endpoint::PATH_BYTES_MAX`].
    pub fn check(endpoint: &Endpoint) -> Result<(), StartError> {
        let bytes = endpoint.path().as_os_str().as_bytes().len();
        if bytes <= Endpoint::PATH_BYTES_MAX {
            return Ok(());
        }
        let max = Endpoint::PATH_BYTES_MAX;
        Err(StartError {
            what: format!("workers.runtime_dir: endpoint {endpoint} has {bytes} bytes, {max} are allowed"),
            hint: "name a folder with a shorter path, such as /run/forebay".into(),
        })
    }
}

/// Makes a folder with mode 0700, or takes one that is there, is ours and is closed to others; whether it was made.
/// `what` names it in messages.
///
/// # Errors
///
/// As [`RuntimeDir::prepare`].
pub fn private_folder(path: &Path, what: &str) -> Result<bool, StartError> {
    let made = match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => {
            return Err(StartError {
                what: format!("{what}: cannot make {} ({error})", path.display()),
                hint: "its parent must exist and be writable for this user".into(),
            });
        }
    };
    let refuse = |why: String, hint: &str| {
        let what = format!("{what}: {} {why}", path.display());
        Err(StartError { what, hint: hint.into() })
    };
    match fs::symlink_metadata(path) {
        Err(error) => refuse(format!("cannot be looked at ({error})"), "name another folder"),
        Ok(meta) if !meta.is_dir() => refuse("is not a folder".into(), "name a folder, not a file or a link"),
        Ok(meta) if meta.uid() != geteuid().as_raw() => {
            let why = format!("belongs to user {}, not to {}", meta.uid(), geteuid().as_raw());
            refuse(why, "name another folder, or remove this one")
        }
        Ok(meta) if meta.mode() & 0o077 != 0 => {
            let why = format!("is open to other users (mode {:04o}), 0700 is allowed", meta.mode() & 0o7777);
            refuse(why, "`chmod 0700` it, or name another folder")
        }
        Ok(_) => Ok(made),
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        assets::remove(&self.path);
        if !self.made {
            return;
        }
        // Endpoints that nobody removed: a second one of an application that listens on both addresses of localhost.
        let sockets = fs::read_dir(&self.path).into_iter().flatten().flatten();
        for entry in sockets.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket())) {
            let _gone = fs::remove_file(entry.path());
        }
        // Fails while something of somebody else's is in it, as it should.
        let _kept = fs::remove_dir(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_new_folder_is_ours_alone_and_removed() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run");
        let dir = RuntimeDir::prepare(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assets::install(&path).unwrap();
        drop(std::os::unix::net::UnixListener::bind(path.join("w0.1.sock-2")).unwrap());
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_somebody_elses_keeps_the_folder() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run");
        let dir = RuntimeDir::prepare(&path).unwrap();
        fs::write(path.join("notes"), "").unwrap();
        drop(dir);
        assert!(path.join("notes").exists());
    }

    #[test]
    fn a_folder_that_was_there_stays() {
        let temp = tempfile::tempdir().unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o700)).unwrap();
        drop(RuntimeDir::prepare(temp.path()).unwrap());
        assert!(temp.path().exists());
    }

    #[test]
    fn unsafe_folders_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (open, file, link) = (temp.path().join("open"), temp.path().join("file"), temp.path().join("link"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o750)).unwrap();
        fs::write(&file, "").unwrap();
        symlink(temp.path(), &link).unwrap();
        let missing = temp.path().join("no/such/parent");
        let table = [
            (open, "is open to other users (mode 0750), 0700 is allowed"),
            (file, "is not a folder"),
            (link, "is not a folder"),
            (missing, "cannot make"),
        ];
        for (path, expected) in table {
            let error = RuntimeDir::prepare(&path).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn long_endpoints_are_refused() {
        assert!(RuntimeDir::check(&Endpoint::new("x".repeat(107))).is_ok());
        let error = RuntimeDir::check(&Endpoint::new("x".repeat(108))).unwrap_err();
        assert!(error.what.ends_with("has 108 bytes, 107 are allowed"), "{error}");
    }
}
