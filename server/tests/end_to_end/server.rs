//! The real binary with real node workers: what it prints, its processes, its end. Killed with the test it runs for.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use forebay::signals;
use forebay::signals::Order;

use super::client::Client;
use super::system::{self, Memory};
use super::wait::{until, until_some};

#[derive(Default)]
struct Lines {
    text: String,
    readers: usize,
}

/// Everything the server and its workers printed, both streams together.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Lines>>);

impl Log {
    fn follow(&self, stream: impl Read + Send + 'static) {
        self.0.lock().unwrap().readers += 1;
        let log = self.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                log.0.lock().unwrap().text.push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
            log.0.lock().unwrap().readers -= 1;
        });
    }
}

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    log: Log,
    pub(crate) address: SocketAddr,
    pub(crate) dir: tempfile::TempDir,
}

impl Server {
    pub(crate) fn of(mut child: Child, dir: tempfile::TempDir) -> Self {
        let log = Log::default();
        log.follow(child.stdout.take().unwrap());
        log.follow(child.stderr.take().unwrap());
        Self { child, log, address: ([127, 0, 0, 1], 0).into(), dir }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn log(&self) -> String {
        self.log.0.lock().unwrap().text.clone()
    }

    /// Everything that was printed, once the last of its processes has ended.
    pub(crate) fn whole_log(&self) -> String {
        until("its output has ended", || self.log.0.lock().unwrap().readers == 0);
        self.log()
    }

    /// How often something was printed.
    pub(crate) fn log_count(&self, what: &str) -> usize {
        self.log.0.lock().unwrap().text.matches(what).count()
    }

    /// Waits until something was printed.
    pub(crate) fn log_has(&self, what: &str) {
        self.log_line(what);
    }

    /// Waits until something was printed; the last line with it.
    pub(crate) fn log_line(&self, what: &str) -> String {
        let find = || self.log.0.lock().unwrap().text.lines().rfind(|line| line.contains(what)).map(str::to_owned);
        let ended = || self.log.0.lock().unwrap().readers == 0;
        until_some(&format!("the log has {what:?}"), || {
            let over = ended();
            let found = find();
            assert!(found.is_some() || !over, "the server ended without {what:?}:\n{}", self.log());
            found
        })
    }

    /// The process ids of all workers that ever became ready, in that order.
    pub(crate) fn ready_pids(&self) -> Vec<u32> {
        let log = self.log();
        let pids = log.lines().filter(|line| line.contains(" ready: pid ")).filter_map(|line| {
            let digits = line.split_once(" ready: pid ")?.1;
            digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        });
        pids.collect()
    }

    /// Tells it what an operator tells.
    pub(crate) fn tell(&self, order: Order) {
        signals::tell(self.child.id(), order).unwrap();
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&self) {
        system::kill(self.child.id());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        until_some("the server has ended", || self.child.try_wait().unwrap())
    }

    /// Stops it and expects that nobody is left, nothing is left behind, and no request is lost count of.
    pub(crate) fn stop(mut self) {
        self.tell(Order::Stop);
        let status = self.wait();
        let log = self.whole_log();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("no more time: "), "{log}");
        let files = std::fs::read_dir(self.dir.path()).unwrap().flatten();
        let rest: Vec<_> = files.map(|entry| entry.file_name()).filter(|name| name != "forebay.toml").collect();
        assert!(rest.is_empty(), "left behind: {rest:?}");
    }

    /// Tells it to stop, and again until it has understood that there is no time to finish anything.
    pub(crate) fn stop_at_once(mut self) {
        self.tell(Order::Stop);
        self.log_has("stopping: ");
        until("it is in a hurry", || {
            self.tell(Order::Stop);
            std::thread::park_timeout(Duration::from_millis(100));
            self.log_count("told to stop again") > 0
        });
        assert_eq!(self.wait().code(), Some(0), "{}", self.log());
    }

    /// Of the server itself.
    pub(crate) fn memory(&self) -> Memory {
        system::memory(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Workers die with it.
        let _gone = self.child.kill();
        let _status = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server said:\n{}---", self.log());
        }
    }
}
