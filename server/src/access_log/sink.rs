//! Where lines go: a file that may be moved away, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often a failure that goes on is told, and opening is tried again.
const PATIENCE: Duration = Duration::from_secs(10);

/// The log's file or standard output. Failing to write is told and survived: requests matter more than their log.
#[derive(Debug)]
pub(super) struct Sink {
    path: Option<PathBuf>,
    file: Option<File>,
    told: Option<Instant>,
}

impl Sink {
    /// The file at `path`, made if it is not there, or standard output.
    pub(super) fn open(path: Option<PathBuf>) -> io::Result<Self> {
        let file = path.as_ref().map(open).transpose()?;
        Ok(Self { path, file, told: None })
    }

    /// Opens the file again. If that fails the old one is used on: better there than nowhere.
    pub(super) fn reopen(&mut self) {
        let Some(path) = &self.path else { return };
        match open(path) {
            Ok(file) => self.file = Some(file),
            Err(error) => self.tell("cannot be opened again", &error),
        }
    }

    /// Writes whole lines.
    pub(super) fn write(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        if self.was_moved() {
            self.reopen();
        }
        let outcome = match (&self.path, &mut self.file) {
            (None, _) => {
                let mut out = io::stdout().lock();
                out.write_all(lines).and_then(|()| out.flush())
            }
            (Some(_), Some(file)) => file.write_all(lines),
            (Some(_), None) => Ok(()),
        };
        if let Err(error) = outcome {
            self.tell("cannot be written, lines are lost", &error);
        }
    }

    fn tell(&mut self, what: &str, error: &io::Error) {
        if self.told.is_some_and(|told| told.elapsed() < PATIENCE) {
            return;
        }
        self.told = Some(Instant::now());
        let name = self.path.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        tracing::error!("access log: {name} {what}: {error}");
    }

    /// Whether the path names another file than the one that is open, or none: log rotation.
    #[cfg(unix)]
    fn was_moved(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let (Some(path), Some(file)) = (&self.path, &self.file) else { return false };
        let Ok(ours) = file.metadata() else { return false };
        match std::fs::metadata(path) {
            Ok(named) => (named.dev(), named.ino()) != (ours.dev(), ours.ino()),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// An open file cannot be moved there.
    #[cfg(not(unix))]
    fn was_moved(&self) -> bool {
        false
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    // Addresses and targets of people: for the group at most.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}
