//! `logging-errors.txt`: what every process that failed said last, with date, process and exit status.
//!
//! node prints an uncaught exception, an unhandled rejection or V8's fatal error to stderr before the process ends. The
//! last of stderr is kept, and the part that tells of the end is cut out of it: from the line of source code that node
//! shows above an exception, or from V8's report. Where there is neither, as after a signal, the last lines are told.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::folder::Folder;
use crate::config::{AppLogConfig, LineEnds};
use crate::date::rfc3339;

/// Its name. Azure's tools look for this ending.
pub const FILE: &str = "logging-errors.txt";

/// What it is called when a new one is begun.
const FILE_BEFORE: &str = "logging-errors.1.txt";

/// Bytes of stderr that are kept of each process: stacks of some hundred frames.
pub const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Lines that are told where nothing tells of the end.
const LAST_LINES_MAX: usize = 20;

/// Bytes of the file before a new one is begun, whatever the settings say: one record at least.
const FILE_BYTES_MIN: u64 = 64 * 1024;

/// The end of a process that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: SystemTime,
    /// Whose: `worker w0`.
    pub worker: String,
    /// Its process id, if there was a process.
    pub pid: Option<u32>,
    /// How it ended: `crashed, exit code 1, up 3.2 s`.
    pub what: String,
    /// What tells more, in lines.
    pub details: String,
}

impl Failure {
    fn render(&self, ends: LineEnds) -> String {
        let Self { at, worker, pid, what, details } = self;
        let pid = pid.map_or_else(String::new, |pid| format!(" pid {pid}"));
        let text = format!("{} {worker}{pid}: {what}\n{}\n\n", rfc3339(*at), details.trim_matches('\n'));
        match ends {
            LineEnds::Lf => text,
            LineEnds::Crlf => text.replace("\r\n", "\n").replace('\n', "\r\n"),
        }
    }

    /// Adds it to the folder's file, of which there is one more at most.
    pub(super) fn write(&self, config: &AppLogConfig, folder: &mut Folder) -> io::Result<()> {
        std::fs::create_dir_all(folder.path())?;
        let path = folder.path().join(FILE);
        let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        if size > config.file_bytes_max.max(FILE_BYTES_MIN) {
            std::fs::rename(&path, folder.path().join(FILE_BEFORE))?;
        }
        if size == 0 {
            folder.on_changed();
        }
        append(&path, self.render(config.line_ends).as_bytes())
    }
}

fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    std::fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(bytes)
}

/// What a process says while it dies, and from which line on.
const ENDS: [(&str, &str); 3] = [
    ("<--- Last few GCs --->", "V8 ran out of memory"),
    ("FATAL ERROR:", "fatal error in V8"),
    ("# Fatal error in", "fatal error in V8"),
];

/// The part of a process's last stderr that tells of its end, with a name for it if it has one.
#[must_use]
pub fn excerpt(stderr: &str) -> (Option<&'static str>, &str) {
    if let Some((at, name)) = ENDS.iter().find_map(|(mark, name)| Some((stderr.rfind(mark)?, *name))) {
        return (Some(name), &stderr[line_start(stderr, at)..]);
    }
    if let Some((at, name)) = exception(stderr) {
        return (Some(name), &stderr[at..]);
    }
    let newlines = stderr.trim_end().rmatch_indices('\n');
    let from = newlines.map(|(at, _)| at + 1).nth(LAST_LINES_MAX - 1).unwrap_or(0);
    (None, &stderr[from..])
}

/// Where the last exception is that node printed before it gave up: `FILE:LINE`, the line of source, a caret, and some
/// lines later node's version.
fn exception(stderr: &str) -> Option<(usize, &'static str)> {
    let end = stderr.rfind("\nNode.js v")?;
    let mut starts: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    for line in stderr[..end].split_inclusive('\n') {
        starts.push((at, line.trim_end_matches(['\r', '\n'])));
        at += line.len();
    }
    let is_caret = |line: &str| {
        let line = line.trim();
        !line.is_empty() && line.bytes().all(|b| b == b'^')
    };
    let caret = starts.iter().rposition(|(_, line)| is_caret(line))?;
    // A long line of source may be broken up; the place is above it in any case.
    let is_place = |line: &str| line.rsplit_once(':').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
    let place = starts[..caret].iter().rev().take(8).find(|(_, line)| is_place(line))?;
    // A rejection with an error is raised like an exception, and looks like one.
    let rejected = ["ERR_UNHANDLED_REJECTION", "/* fromPromise */"].iter().any(|mark| stderr[place.0..].contains(mark));
    Some((place.0, if rejected { "unhandled rejection" } else { "uncaught exception" }))
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// The last that a process wrote to stderr, up to [`KEPT_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct Kept(String);

impl Kept {
    /// One more line, without its end.
    pub fn push(&mut self, line: &str) {
        let line = &line[..line.floor_char_boundary(KEPT_BYTES_MAX / 4)];
        self.0.push_str(line);
        self.0.push('\n');
        // Seldom, so that a line costs no more than its copy.
        if self.0.len() > 2 * KEPT_BYTES_MAX {
            self.0.drain(..self.start());
        }
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0[self.start()..]
    }

    /// From which line on it is not too much.
    fn start(&self) -> usize {
        let from = self.0.ceil_char_boundary(self.0.len().saturating_sub(KEPT_BYTES_MAX));
        if from == 0 { 0 } else { self.0[from..].find('\n').map_or(self.0.len(), |at| from + at + 1) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const THROWN: &str = "starting\n^ not this\n/app/x.js:2\n  throw new TypeError('no');\n  ^\n\nTypeError: no\n    at \
                          go (/app/x.js:2:9)\n    at Module._compile (node:internal/modules/cjs/loader:1554:14)\n\nNode.js \
                          v20.20.2\n";

    #[test]
    fn an_exception_is_found_among_other_lines() {
        let (name, text) = excerpt(THROWN);
        assert_eq!(name, Some("uncaught exception"));
        assert!(text.starts_with("/app/x.js:2\n") && text.ends_with("Node.js v20.20.2\n"), "{text}");
    }

    #[test]
    fn a_rejection_is_named() {
        let text = "node:internal/process/promises:288\n            triggerUncaughtException(err, true /* fromPromise \
                    */);\n            ^\n\nError: late\n    at /app/x.js:1:1\n\nNode.js v20.20.2\n";
        assert_eq!(excerpt(text), (Some("unhandled rejection"), text));
    }

    #[test]
    fn v8_is_quoted_from_the_start() {
        let text = "noise\n\n<--- Last few GCs --->\n\n[1] Mark-Compact\n\nFATAL ERROR: heap out of memory\n----- Native \
                    stack trace -----\n";
        let (name, found) = excerpt(text);
        assert_eq!(name, Some("V8 ran out of memory"));
        assert!(found.starts_with("<--- Last few"), "{found}");
        assert_eq!(excerpt("a\nx FATAL ERROR: b\nc\n"), (Some("fatal error in V8"), "x FATAL ERROR: b\nc\n"));
    }

    #[test]
    fn without_a_reason_the_last_lines_are_told() {
        let lines: String = (0..50).map(|n| format!("{n}\n")).collect();
        let (name, text) = excerpt(&lines);
        assert_eq!((name, text.lines().count(), text.lines().next()), (None, LAST_LINES_MAX, Some("30")));
        assert_eq!(excerpt(""), (None, ""));
    }

    #[test]
    fn the_last_is_kept_in_whole_lines() {
        let mut kept = Kept::default();
        for n in 0..100_000 {
            kept.push(&format!("line {n} é"));
        }
        assert!(kept.text().len() <= KEPT_BYTES_MAX && kept.text().len() > KEPT_BYTES_MAX - 100);
        assert!(kept.text().starts_with("line ") && kept.text().ends_with("line 99999 é\n"));
    }

    #[test]
    fn the_file_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path());
        let config = AppLogConfig {
            dir: dir.path().into(),
            file_bytes_max: 1,
            total_bytes_max: 1,
            files_max: 1,
            line_ends: LineEnds::Crlf,
        };
        let mut failure = Failure {
            at: UNIX_EPOCH + Duration::from_secs(1),
            worker: "worker w0".into(),
            pid: Some(7),
            what: "crashed, exit code 1".into(),
            details: "one\ntwo\n".into(),
        };
        failure.write(&config, &mut folder).unwrap();
        let path = dir.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "1970-01-01T00:00:01Z worker w0 pid 7: crashed, exit code 1\r\none\r\ntwo\r\n\r\n");
        failure.details = "x".repeat(40_000);
        for _ in 0..20 {
            failure.write(&config, &mut folder).unwrap();
        }
        let sizes: Vec<u64> =
            std::fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().metadata().unwrap().len()).collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|&size| size < 120_000), "{sizes:?}");
    }
}
