//! A contender's processes: what they print goes to a file, their end is ours.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::signals::{self, Order};
use crate::spawn::{Place, Process, Usage};

/// Time between being asked to end and being asked again. 3 s.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// Time between two looks at whether something has happened. 10 ms.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Lines of output that a message shows.
const TAIL_LINES: usize = 12;

/// A started program and all it starts. Ended on drop.
pub(super) struct Tree {
    root: Process,
    log: PathBuf,
    /// Whether the root is a shell, which passes no signal on.
    indirect: bool,
}

impl Tree {
    /// Starts a program; what it prints replaces `log`.
    pub(super) fn start(command: &mut Command, log: &Path, indirect: bool) -> io::Result<Self> {
        let out = File::create(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        Ok(Self { root: Process::start(command, &Place::default())?, log: log.to_owned(), indirect })
    }

    /// Whether the program has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.root.has_ended()
    }

    /// What it and all it started have used.
    pub(super) fn usage(&self) -> Usage {
        self.root.usage()
    }

    /// Where it listens on TCP.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.root.ports()
    }

    /// The last lines that it printed.
    pub(super) fn tail(&self) -> Vec<String> {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(|line| (*line).to_owned()).collect()
    }

    /// Lets CPU use come to rest after a start, for `patience` at most: the last of several processes may still start.
    pub(super) fn settle(&self, patience: Duration) {
        const WINDOW: Duration = Duration::from_millis(150);
        let deadline = Instant::now() + patience;
        let mut before = self.usage().cpu;
        while Instant::now() < deadline {
            sleep(WINDOW);
            let now = self.usage().cpu;
            if now.saturating_sub(before) <= WINDOW / 10 {
                return;
            }
            before = now;
        }
    }

    fn ends_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.has_ended() && Instant::now() < deadline {
            sleep(LOOK_INTERVAL);
        }
        self.has_ended()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Twice: to Forebay the second time means at once.
        for _ in 0..2 {
            if signals::tell(self.root.id(), Order::Stop).is_err() {
                self.root.ask_to_end(self.indirect);
            }
            if self.ends_within(END_TIMEOUT) {
                break;
            }
        }
        self.root.end();
    }
}

/// A port of the loopback that nobody listens on now.
pub(super) fn free_port() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_measured_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("node");
        command.args(["-e", "console.log('begin'); for (let n = 0; n < 3e8; n++); setInterval(() => {}, 1000)"]);
        let tree = Tree::start(&mut command, &folder.path().join("log"), true).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while tree.usage().cpu < Duration::from_millis(20) || tree.tail().is_empty() {
            assert!(!tree.has_ended() && Instant::now() < deadline);
            sleep(LOOK_INTERVAL);
        }
        assert!(tree.usage().resident_bytes > 0);
        assert_eq!(tree.tail(), ["begin"]);
    }
}
