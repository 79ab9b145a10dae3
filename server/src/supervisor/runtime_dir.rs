//! The folder of the workers' endpoints: ours alone while we run, gone afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use forebay_transports::{Endpoint, files};

use crate::app::assets;

/// How long a process that was killed while it read one of our scripts may hold it, where systems keep what is held. 2 s.
const HELD_MAX: Duration = Duration::from_secs(2);

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
    /// Makes the folder, for this user alone, or takes one that is there, is ours and is closed to others.
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
        let bytes = endpoint.path().as_os_str().len();
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

/// Makes a folder that only this user can reach, or takes one that is there and is so; whether it was made. `what` names
/// it in messages.
///
/// # Errors
///
/// As [`RuntimeDir::prepare`].
pub fn private_folder(path: &Path, what: &str) -> Result<bool, StartError> {
    files::private_folder(path)
        .map_err(|exposed| StartError { what: format!("{what}: {}", exposed.what), hint: exposed.hint.into() })
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        let deadline = Instant::now() + HELD_MAX;
        while !assets::remove(&self.path) && Instant::now() < deadline {
            thread::sleep(HELD_MAX / 50);
        }
        if !self.made {
            return;
        }
        // Endpoints that nobody removed: a second one of an application that listens on both addresses of localhost.
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_file() && !kind.is_dir())) {
            let _gone = fs::remove_file(entry.path());
        }
        // Fails while something of somebody else's is in it, as it should.
        let _kept = fs::remove_dir(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_removed_with_what_is_ours() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run");
        let dir = RuntimeDir::prepare(&path).unwrap();
        assets::install(&path).unwrap();
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
        let path = temp.path().join("run");
        files::private_folder(&path).unwrap();
        drop(RuntimeDir::prepare(&path).unwrap());
        assert!(path.exists());
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, "").unwrap();
        let error = RuntimeDir::prepare(&path).unwrap_err().to_string();
        assert!(
            error.starts_with("error: workers.runtime_dir: ") && error.contains(" is not a folder\nhint: "),
            "{error}"
        );
    }

    #[test]
    fn long_endpoints_are_refused() {
        let most = Endpoint::PATH_BYTES_MAX;
        assert!(RuntimeDir::check(&Endpoint::new("x".repeat(most))).is_ok());
        let error = RuntimeDir::check(&Endpoint::new("x".repeat(most + 1))).unwrap_err();
        assert!(error.what.ends_with(&format!("has {} bytes, {most} are allowed", most + 1)), "{error}");
    }
}
