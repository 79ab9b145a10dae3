//! Files with what workers write, in iisnode's layout: one for each process and stream, and a page to browse them.
//!
//! Whoever reads a worker's pipe hands the bytes over as they came; one thread for all writes them at once. Between them
//! lies a bounded queue: when the disk is slow a reader waits a moment, then drops and counts, so that a worker's
//! `console.log` never hangs for long. The captured bytes are the process's own, so V8's last words and what addons and
//! child processes print are among them.
//!
//! - `COMPUTER-PID-stdout-MS.txt`, made at the first write of a stream; the next one is begun at the first line after a
//!   file has become longer than `file_bytes_max`. The process is the one that was started: with `npm start`, npm.
//! - `index.html`, written anew when files appear or vanish.
//! - `logging-errors.txt` with what every process that failed said last (see [`errors`]).
//!
//! Invariants: only files with a name as above are ever deleted, none that is being written by this process; the quotas
//! hold over all processes that write to the folder, as soon as a file is begun.
//!
//! What it deliberately does not do: add anything to what workers write, except for a line where something was dropped.

pub mod errors;
mod file;
mod folder;
mod index;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::config::AppLogConfig;
use errors::Failure;
use writer::Writer;

/// Pieces that wait to be written; each is what one read of a pipe gave, 32 KiB at most.
const QUEUE_PIECES_MAX: usize = 512;

/// What a reader waits for room before it begins to drop. 100 ms, as for what is printed.
const PATIENCE: Duration = Duration::from_millis(100);

/// What the end of a stream gets to find room in the queue.
const LAST_WORD: Duration = Duration::from_millis(500);

/// One of the two that a process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What it prints.
    Stdout,
    /// What it complains about.
    Stderr,
}

impl Kind {
    /// As in a file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A stream of a process.
struct About {
    /// No two streams share it.
    id: u64,
    pid: u32,
    kind: Kind,
    config: Arc<AppLogConfig>,
}

enum Message {
    Bytes(Arc<About>, Vec<u8>),
    /// So many bytes were dropped before what follows.
    Dropped(Arc<About>, u64),
    End(Arc<About>),
    Failure(Arc<AppLogConfig>, Box<Failure>),
}

/// The writer of all files.
pub struct AppLog {
    to: Sender<Message>,
    streams: AtomicU64,
    ended: Receiver<()>,
}

impl AppLog {
    /// Starts it. Nothing is made before there is something to write.
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub fn start() -> io::Result<Self> {
        let (to, from) = bounded(QUEUE_PIECES_MAX);
        // Nothing is ever sent on `ended`: it closes when all is written.
        let (end, ended) = bounded::<()>(0);
        let write = move || {
            let _end = end;
            Writer::new(&from).run();
        };
        thread::Builder::new().name("app log".into()).stack_size(256 * 1024).spawn(write)?;
        Ok(Self { to, streams: AtomicU64::new(0), ended })
    }

    /// Takes what a process writes.
    #[must_use]
    pub fn stream(&self, config: &Arc<AppLogConfig>, pid: u32, kind: Kind) -> Stream {
        let id = self.streams.fetch_add(1, Relaxed);
        Stream { about: Arc::new(About { id, pid, kind, config: Arc::clone(config) }), to: self.to.clone(), dropped: 0 }
    }

    /// Writes down that a process failed.
    pub fn record(&self, config: &Arc<AppLogConfig>, failure: Failure) {
        let message = Message::Failure(Arc::clone(config), Box::new(failure));
        if self.to.send_timeout(message, PATIENCE).is_err() {
            tracing::warn!(target: "forebay", "logging-errors.txt lacks a failure: the disk is too slow");
        }
    }

    /// Waits until everything is written, at most this long.
    pub fn finish(self, at_most: Duration) {
        let Self { to, ended, .. } = self;
        drop(to);
        let _closed_or_late = ended.recv_timeout(at_most);
    }
}

/// Where what one process writes to one of its streams goes.
pub struct Stream {
    about: Arc<About>,
    to: Sender<Message>,
    dropped: u64,
}

impl Stream {
    /// Hands bytes over, as they came.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.dropped > 0 && !self.tell_dropped(Duration::ZERO) {
            self.dropped += bytes.len() as u64;
            return;
        }
        let message = Message::Bytes(Arc::clone(&self.about), bytes.to_vec());
        if self.to.send_timeout(message, PATIENCE).is_err() {
            self.dropped += bytes.len() as u64;
        }
    }

    /// Says how much was dropped, if there is room to say it, or comes to be in time.
    fn tell_dropped(&mut self, patience: Duration) -> bool {
        let message = Message::Dropped(Arc::clone(&self.about), self.dropped);
        if self.to.send_timeout(message, patience).is_ok() {
            self.dropped = 0;
        }
        self.dropped == 0
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.dropped > 0 {
            self.tell_dropped(LAST_WORD);
        }
        // Else its file stays open until the end, and is not deleted before.
        let _full = self.to.send_timeout(Message::End(Arc::clone(&self.about)), LAST_WORD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LineEnds;

    #[test]
    fn what_finds_no_room_is_dropped_counted_and_told() {
        let (to, from) = bounded(1);
        let config = AppLogConfig {
            dir: "/nowhere".into(),
            file_bytes_max: 1,
            total_bytes_max: 1,
            files_max: 1,
            line_ends: LineEnds::Lf,
        };
        let about = About { id: 0, pid: 1, kind: Kind::Stdout, config: Arc::new(config) };
        let mut stream = Stream { about: Arc::new(about), to, dropped: 0 };
        for bytes in [&b"kept"[..], b"lost", b"too"] {
            stream.write(bytes);
        }
        assert!(matches!(from.try_recv(), Ok(Message::Bytes(_, bytes)) if bytes == b"kept"));
        // There is room for one: it says what is missing, and what follows is missing too.
        stream.write(b"four");
        assert!(matches!(from.try_recv(), Ok(Message::Dropped(_, 7))));
        assert!(from.try_recv().is_err() && stream.dropped == 4);
        stream.tell_dropped(Duration::ZERO);
        drop(stream);
        assert!(matches!(from.try_recv(), Ok(Message::Dropped(_, 4))), "nothing is left untold");
    }
}
