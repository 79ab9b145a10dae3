//! Where lines go: a file that may be moved away, or standard output.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use forebay_transports::files::{is_named, log_file};

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
        let file = path.as_ref().map(|path| log_file(path)).transpose()?;
        Ok(Self { path, file, told: None })
    }

    /// Opens the file again. If that fails the old one is used on: better there than nowhere.
    pub(super) fn reopen(&mut self) {
        let Some(path) = &self.path else { return };
        match log_file(path) {
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
    fn was_moved(&self) -> bool {
        let (Some(path), Some(file)) = (&self.path, &self.file) else { return false };
        !is_named(file, path)
    }
}
