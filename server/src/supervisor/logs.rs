//! What workers write to stdout and stderr: split into lines, marked with the worker, printed, and the last of it kept.
//!
//! A thread per pipe reads, a thread per output prints, a bounded queue lies between them. When our own output is slow
//! (a terminal somebody scrolls in, a log pipe that is full) a reader waits a moment once, then drops and counts, so
//! that a worker's `console.log` never hangs for long. Memory per output is bounded by [`QUEUE_LINES_MAX`] times
//! [`LINE_BYTES_MAX`]. Where workers have files of their own (see [`crate::app_log`]), what was read goes there
//! first, unmarked.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use forebay_core::id::WorkerId;

use crate::app_log::errors::{self, Failure};
use crate::app_log::{self, AppLog, Kind};
use crate::config::AppLogConfig;

/// Bytes of a line; a longer one is split.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// Lines that wait to be printed, per output.
pub const QUEUE_LINES_MAX: usize = 1024;
/// Lines of stderr that are kept of each process; empty ones and frames inside node itself do not count.
pub const TAIL_LINES_MAX: usize = 20;
/// Bytes of a kept line; the rest is cut off.
const TAIL_LINE_BYTES_MAX: usize = 1024;
/// What a reader waits for room before it begins to drop.
const PATIENCE: Duration = Duration::from_millis(100);

/// What the count of dropped lines gets at the end of a stream to find room in the queue.
const LAST_WORD: Duration = Duration::from_millis(500);
/// Bytes that are printed in one write.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Where workers' lines go.
pub struct Output {
    /// What they write to stdout.
    pub stdout: Box<dyn Write + Send>,
    /// What they write to stderr.
    pub stderr: Box<dyn Write + Send>,
}

impl Output {
    /// Our own stdout and stderr.
    #[must_use]
    pub fn standard() -> Self {
        Self { stdout: Box::new(std::io::stdout()), stderr: Box::new(std::io::stderr()) }
    }
}

/// Whose output is read.
pub struct Source {
    /// The slot.
    pub worker: WorkerId,
    /// The process.
    pub pid: u32,
    /// The files it goes to, if any.
    pub files: Option<Arc<AppLogConfig>>,
}

/// The two printers, and the writer of files once there is need of one.
pub struct Logs {
    files: OnceCell<AppLog>,
    stdout: Sender<Vec<u8>>,
    stderr: Sender<Vec<u8>>,
    ended: Receiver<()>,
}

impl Logs {
    /// Starts the printers.
    ///
    /// # Errors
    ///
    /// When a thread cannot be made.
    pub fn new(output: Output) -> std::io::Result<Self> {
        // Nothing is ever sent on `ended`: it closes when both printers are done.
        let (end, ended) = bounded(0);
        let stdout = printer("stdout", output.stdout, end.clone())?;
        let stderr = printer("stderr", output.stderr, end)?;
        Ok(Self { files: OnceCell::new(), stdout, stderr, ended })
    }

    /// Reads both pipes of a worker until they are closed.
    ///
    /// # Errors
    ///
    /// When a thread cannot be made.
    pub fn follow(
        &self,
        source: &Source,
        stdout: Option<impl Read + Send + 'static>,
        stderr: Option<impl Read + Send + 'static>,
    ) -> std::io::Result<Tail> {
        let worker = source.worker;
        let last = source.files.is_some().then(errors::Kept::default);
        let lines = Arc::new(Mutex::new(Kept { last, ..Kept::default() }));
        let (end, closed) = bounded::<()>(0);
        if let Some(pipe) = stdout {
            let (prefix, file) = (format!("[{worker}] "), self.file(source, Kind::Stdout)?);
            let reader = Reader { prefix, to: self.stdout.clone(), dropped: 0, kept: None, file };
            reader.start(format!("{worker} out"), pipe, end.clone())?;
        }
        if let Some(pipe) = stderr {
            let kept = Some(lines.clone());
            let (prefix, file) = (format!("[{worker}!] "), self.file(source, Kind::Stderr)?);
            let reader = Reader { prefix, to: self.stderr.clone(), dropped: 0, kept, file };
            reader.start(format!("{worker} err"), pipe, end)?;
        }
        Ok(Tail { lines, closed })
    }

    /// Where a stream's bytes go besides being printed.
    fn file(&self, source: &Source, kind: Kind) -> std::io::Result<Option<app_log::Stream>> {
        let Some(config) = &source.files else { return Ok(None) };
        Ok(Some(self.files()?.stream(config, source.pid, kind)))
    }

    fn files(&self) -> std::io::Result<&AppLog> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let files = AppLog::start()?;
        Ok(self.files.get_or_init(|| files))
    }

    /// Writes down that a process failed.
    pub fn record(&self, config: &Arc<AppLogConfig>, failure: Failure) {
        match self.files() {
            Ok(files) => files.record(config, failure),
            Err(error) => tracing::warn!(target: "forebay", "app_log: no thread to write with: {error}"),
        }
    }

    /// Waits until all lines are printed and written, at most this long for either.
    pub fn finish(self, at_most: Duration) {
        let Self { files, stdout, stderr, ended } = self;
        drop((stdout, stderr));
        let _closed_or_late = ended.recv_timeout(at_most);
        if let Some(files) = files.into_inner() {
            files.finish(at_most);
        }
    }
}

fn printer(name: &str, mut out: Box<dyn Write + Send>, end: Sender<()>) -> std::io::Result<Sender<Vec<u8>>> {
    let (to, lines) = bounded::<Vec<u8>>(QUEUE_LINES_MAX);
    let print = move || {
        let _end = end;
        while let Ok(mut batch) = lines.recv() {
            while batch.len() < WRITE_BYTES_MAX {
                match lines.try_recv() {
                    Ok(line) => batch.extend_from_slice(&line),
                    Err(_) => break,
                }
            }
            // An output that is closed is no reason to stop reading: workers would block.
            let _closed = out.write_all(&batch).and_then(|()| out.flush());
        }
    };
    thread::Builder::new().name(name.into()).stack_size(256 * 1024).spawn(print)?;
    Ok(to)
}

/// What node says when its inspector opens, before the address.
const INSPECTOR_LINE: &str = "Debugger listening on ";

/// Tells where a process's inspector listens.
#[derive(Clone)]
pub struct InspectorUrl(Arc<Mutex<Kept>>);

impl InspectorUrl {
    /// The address, once node has said it: `ws://127.0.0.1:PORT/UUID`.
    #[must_use]
    pub fn look(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).inspector.clone()
    }
}

/// The last that one process wrote to stderr.
pub struct Tail {
    lines: Arc<Mutex<Kept>>,
    closed: Receiver<()>,
}

impl Tail {
    /// Tells where the process's inspector listens.
    #[must_use]
    pub fn inspector(&self) -> InspectorUrl {
        InspectorUrl(self.lines.clone())
    }

    /// The lines. Waits at most `patience` for what is still in the pipes; a descendant that left the process group may
    /// hold them open.
    #[must_use]
    pub fn lines(&self, patience: Duration) -> Vec<String> {
        let _closed_or_late = self.closed.recv_timeout(patience);
        let kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        kept.fatal.iter().chain(&kept.lines).cloned().collect()
    }

    /// More than the lines, and nothing left out, if that was kept. Does not wait.
    #[must_use]
    pub fn last(&self) -> Option<String> {
        let kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last.as_ref().map(|last| last.text().to_owned())
    }
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<String>,
    /// V8 prints a long native stack after the one line that matters; it is kept even when it would scroll out.
    fatal: Option<String>,
    /// Where its inspector listens, once it does.
    inspector: Option<String>,
    /// More of it, for those who write files.
    last: Option<errors::Kept>,
}

impl Kept {
    fn push(&mut self, line: &str) {
        if let Some(last) = &mut self.last {
            last.push(line);
        }
        if let Some(url) = line.strip_prefix(INSPECTOR_LINE) {
            self.inspector = Some(url.trim().to_string());
        }
        // Frames inside node itself and empty lines would push out the one line that says what is wrong.
        let is_frame = line.trim_start().starts_with("at ") && line.contains("node:internal/");
        if is_frame || line.trim().is_empty() {
            return;
        }
        if self.lines.len() == TAIL_LINES_MAX {
            self.fatal = self.lines.pop_front().filter(|line| line.contains("FATAL ERROR")).or(self.fatal.take());
        }
        let cut = line.floor_char_boundary(TAIL_LINE_BYTES_MAX);
        self.lines.push_back(line[..cut].to_string());
    }
}

struct Reader {
    prefix: String,
    to: Sender<Vec<u8>>,
    dropped: u64,
    kept: Option<Arc<Mutex<Kept>>>,
    file: Option<app_log::Stream>,
}

impl Reader {
    fn start(mut self, name: String, mut pipe: impl Read + Send + 'static, end: Sender<()>) -> std::io::Result<()> {
        let read = move || {
            let _end = end;
            let mut buffer = vec![0; 32 * 1024];
            let mut lines = Lines::default();
            loop {
                match pipe.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => {
                        if let Some(file) = &mut self.file {
                            file.write(&buffer[..n]);
                        }
                        lines.push(&buffer[..n], |line| self.line(line));
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            lines.finish(|line| self.line(line));
            // There is no next line to say it with, and the queue may just be emptying.
            self.tell_dropped(LAST_WORD);
        };
        thread::Builder::new().name(name).stack_size(128 * 1024).spawn(read).map(drop)
    }

    fn line(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if let Some(kept) = &self.kept {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(&text);
        }
        if self.dropped > 0 && !self.tell_dropped(Duration::ZERO) {
            self.dropped += 1;
            return;
        }
        let line = format!("{}{text}\n", self.prefix).into_bytes();
        if self.to.send_timeout(line, PATIENCE).is_err() {
            self.dropped += 1;
        }
    }

    /// Says how many lines were dropped, if there is room to say it, or comes to be in time.
    fn tell_dropped(&mut self, patience: Duration) -> bool {
        if self.dropped == 0 {
            return true;
        }
        let note = format!("{}({} lines dropped: the output is too slow)\n", self.prefix, self.dropped);
        if self.to.send_timeout(note.into_bytes(), patience).is_ok() {
            self.dropped = 0;
        }
        self.dropped == 0
    }
}

/// Bytes as they come, cut into lines without their ends.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = LINE_BYTES_MAX - self.partial.len();
            let end = bytes.iter().take(room).position(|&b| b == b'\n');
            let taken = end.unwrap_or(room.min(bytes.len()));
            self.partial.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if end.is_some() {
                bytes = &bytes[1..];
                line(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial));
                self.partial.clear();
            } else if self.partial.len() == LINE_BYTES_MAX {
                // Its end may be the very next byte; then there is no empty line to print.
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
                line(&self.partial);
                self.partial.clear();
            }
        }
    }

    fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            line(&self.partial);
            self.partial.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for part in parts {
            lines.push(part, |line| out.push(line.to_vec()));
        }
        lines.finish(|line| out.push(line.to_vec()));
        out
    }

    #[test]
    fn any_split_gives_the_same_lines() {
        let text = b"one\r\ntwo\n\nfour";
        for at in 0..text.len() {
            assert_eq!(split(&[&text[..at], &text[at..]]), [&b"one"[..], b"two", b"", b"four"], "at {at}");
        }
    }

    #[test]
    fn long_lines_are_split() {
        let long = vec![b'x'; LINE_BYTES_MAX * 2 + 5];
        let lengths: Vec<usize> = split(&[&long, b"\nend\n"]).iter().map(Vec::len).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, LINE_BYTES_MAX, 5, 3]);
        let exact = [&long[..LINE_BYTES_MAX], b"\nend\n"].concat();
        assert_eq!(split(&[&exact]).len(), 2);
    }

    #[test]
    fn the_fatal_line_outlives_its_stack() {
        let mut kept = Kept::default();
        kept.push("FATAL ERROR: heap out of memory");
        for i in 0..40 {
            kept.push(&format!("{i}: 0xb7a940 node::Abort()"));
        }
        assert_eq!(kept.fatal.as_deref(), Some("FATAL ERROR: heap out of memory"));
        assert_eq!(kept.lines.len(), TAIL_LINES_MAX);
    }

    #[test]
    fn frames_of_node_itself_are_not_kept() {
        let mut kept = Kept::default();
        for line in
            ["", "Error: no", "    at Module.load (node:internal/modules/cjs/loader:1266:32)", "    at /app/x.js:1"]
        {
            kept.push(line);
        }
        assert_eq!(kept.lines, ["Error: no", "    at /app/x.js:1"]);
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_marked_and_bad_bytes_survive() {
        let (out, err) = (Shared::default(), Shared::default());
        let output = Output { stdout: Box::new(out.clone()), stderr: Box::new(err.clone()) };
        let logs = Logs::new(output).unwrap();
        let tail = logs
            .follow(&Source { worker: WorkerId(3), pid: 1, files: None }, Some(&b"a\nb"[..]), Some(&b"\xff!\n"[..]))
            .unwrap();
        assert_eq!(tail.lines(Duration::from_secs(5)), ["\u{fffd}!"]);
        logs.finish(Duration::from_secs(5));
        assert_eq!(*out.0.lock().unwrap(), b"[w3] a\n[w3] b\n");
        assert_eq!(*err.0.lock().unwrap(), "[w3!] \u{fffd}!\n".as_bytes());
    }
}
