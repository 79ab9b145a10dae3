//! The thread that writes all files: takes pieces from the queue, writes them at once, and looks after the folders when
//! it has a moment.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use tracing::warn;

use super::file::Output;
use super::folder::Folder;
use super::{About, Message};
use crate::config::AppLogConfig;

/// How long a page may be out of date while there is no end of pieces. 100 ms.
const STALE_MAX: Duration = Duration::from_millis(100);

/// Between two complaints about the same folder. 10 s.
const QUIET: Duration = Duration::from_secs(10);

struct Place {
    folder: Folder,
    /// As whoever wrote last has it: after a reload, the new ones soon.
    config: Arc<AppLogConfig>,
    /// When a failure was last told, and how many bytes were lost since.
    told: Option<Instant>,
    lost: u64,
}

/// What the thread knows.
pub(super) struct Writer<'a> {
    from: &'a Receiver<Message>,
    places: HashMap<PathBuf, Place>,
    outputs: HashMap<u64, Output>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(from: &'a Receiver<Message>) -> Self {
        Self { from, places: HashMap::new(), outputs: HashMap::new() }
    }

    /// Until nobody can send any more.
    pub(super) fn run(mut self) {
        loop {
            let is_stale = self.places.values().any(|place| place.folder.stale_since().is_some());
            let message = if is_stale {
                self.from.recv_timeout(Duration::ZERO)
            } else {
                self.from.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match message {
                Ok(message) => self.on_message(message),
                Err(RecvTimeoutError::Timeout) => self.write_pages(Duration::ZERO),
                Err(RecvTimeoutError::Disconnected) => return self.write_pages(Duration::ZERO),
            }
            self.write_pages(STALE_MAX);
        }
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Bytes(about, bytes) => self.write(&about, &bytes),
            Message::Dropped(about, count) => {
                let (pid, kind) = (about.pid, about.kind.name());
                warn!(target: "forebay", "app_log: {count} bytes of {kind} of process {pid} were dropped: the disk is too slow");
                self.write(&about, format!("({count} bytes dropped: the disk is too slow)\n").as_bytes());
            }
            Message::End(about) => drop(self.outputs.remove(&about.id)),
            Message::Failure(config, failure) => {
                let place = place(&mut self.places, &config);
                let written = failure.write(&config, &mut place.folder);
                place.tell(written, 0);
            }
        }
    }

    fn write(&mut self, about: &Arc<About>, bytes: &[u8]) {
        let place = place(&mut self.places, &about.config);
        let output = self.outputs.entry(about.id).or_default();
        let written = output.write(bytes, about, &mut place.folder);
        let purged = place.folder.purge(&place.config, |path| is_open(&self.outputs, path));
        place.tell(written.and(purged), bytes.len() as u64);
    }

    /// Writes the pages that have been out of date for so long.
    fn write_pages(&mut self, at_least: Duration) {
        for place in self.places.values_mut() {
            if place.folder.stale_since().is_some_and(|since| since.elapsed() >= at_least) {
                let written = place.folder.write_index();
                place.tell(written, 0);
            }
        }
    }
}

fn place<'p>(places: &'p mut HashMap<PathBuf, Place>, config: &Arc<AppLogConfig>) -> &'p mut Place {
    let make = || Place { folder: Folder::new(&config.dir), config: Arc::clone(config), told: None, lost: 0 };
    let place = places.entry(config.dir.clone()).or_insert_with(make);
    if !Arc::ptr_eq(&place.config, config) {
        place.config = Arc::clone(config);
    }
    place
}

fn is_open(outputs: &HashMap<u64, Output>, path: &Path) -> bool {
    outputs.values().any(|output| output.path() == Some(path))
}

impl Place {
    /// Says what went wrong, now and then.
    fn tell(&mut self, outcome: io::Result<()>, bytes: u64) {
        let Err(error) = outcome else { return };
        self.lost += bytes;
        if self.told.is_some_and(|told| told.elapsed() < QUIET) {
            return;
        }
        self.told = Some(Instant::now());
        let (dir, lost) = (self.folder.path().display(), std::mem::take(&mut self.lost));
        warn!(target: "forebay", "app_log.dir: cannot write to {dir}, {lost} bytes are printed only: {error}");
    }
}
