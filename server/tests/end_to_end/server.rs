//! The real binary with real node workers: started for one test, killed with it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::client::Client;
use super::wait::{until, until_some};

/// What drives the server's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// monoio, with io_uring where the kernel has it.
    Monoio,
    /// monoio on epoll.
    Epoll,
    /// compio.
    Compio,
}

impl Engine {
    /// The one that `FOREBAY_TEST_ENGINE` names: monoio, epoll or compio; monoio if it names none.
    pub(crate) fn chosen() -> Self {
        match std::env::var("FOREBAY_TEST_ENGINE").as_deref() {
            Err(_) | Ok("" | "monoio") => Self::Monoio,
            Ok("epoll") => Self::Epoll,
            Ok("compio") => Self::Compio,
            Ok(other) => panic!("FOREBAY_TEST_ENGINE is {other}, allowed: monoio, epoll, compio"),
        }
    }
}

/// The folder of the applications.
pub(crate) fn apps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps")
}

/// A server to be started. One worker and one shard unless told otherwise, so that a test knows who answers.
pub(crate) struct Setup {
    /// None: whatever is in the current folder, without a configuration file.
    app: Option<PathBuf>,
    folder: Option<PathBuf>,
    engine: Engine,
    workers: usize,
    settings: Vec<(&'static str, String)>,
    env: Vec<(&'static str, String)>,
    listen: String,
    /// Whether to return only when the workers are ready.
    awaits_ready: bool,
}

impl Setup {
    /// For an application in `tests/apps`, or at an absolute path.
    pub(crate) fn new(app: impl AsRef<Path>) -> Self {
        Self {
            app: Some(apps().join(app)),
            folder: None,
            engine: Engine::chosen(),
            workers: 1,
            // A drain that lasts until its end means that something was lost count of; that must show in time.
            settings: vec![("shards.count", "1".into()), ("workers.drain_timeout", "\"20s\"".into())],
            env: Vec::new(),
            listen: "127.0.0.1:0".into(),
            awaits_ready: true,
        }
    }

    /// For what a folder has when nothing is named.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { app: None, folder: Some(folder.to_owned()), ..Self::new("") }
    }

    pub(crate) fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    pub(crate) fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self.set("shards.count", count)
    }

    /// One setting as in forebay.toml: `("limits.queue_max", 1)`, `("limits.head_timeout", "\"1s\"")`.
    pub(crate) fn set(mut self, key: &'static str, value: impl ToString) -> Self {
        self.settings.retain(|(name, _)| *name != key);
        self.settings.push((key, value.to_string()));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl ToString) -> Self {
        self.env.push((name, value.to_string()));
        self
    }

    pub(crate) fn listen(mut self, address: impl ToString) -> Self {
        self.listen = address.to_string();
        self
    }

    /// Returns from [`start`](Setup::start) as soon as clients can connect, before any worker is ready.
    pub(crate) fn early(mut self) -> Self {
        self.awaits_ready = false;
        self
    }

    fn toml(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.settings {
            writeln!(text, "{key} = {value}").unwrap();
        }
        text
    }

    fn command(&self, dir: &Path) -> Command {
        let file = dir.join("forebay.toml");
        std::fs::write(&file, self.toml()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["PORT", "NODE_OPTIONS", "NODE_ENV"].contains(&&*name) || name.starts_with("FOREBAY_") {
                command.env_remove(name);
            }
        }
        let (engine, epoll) = match self.engine {
            Engine::Monoio => ("monoio", "0"),
            Engine::Epoll => ("monoio", "1"),
            Engine::Compio => ("compio", "0"),
        };
        command.arg("run").args(["--listen", &self.listen, "--engine", engine]);
        command.args(["--workers", &self.workers.to_string()]);
        if let Some(app) = &self.app {
            command.arg(app).arg("--config").arg(file);
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        // The runtime folder goes there, so that a test sees whether it is removed.
        command.env("TMPDIR", dir).env_remove("XDG_RUNTIME_DIR").env("FOREBAY_FORCE_EPOLL", epoll);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it and waits until it can be used.
    pub(crate) fn start(self) -> Server {
        let mut server = self.spawn();
        let banner = server.log_line(" worker(s) over ");
        let address = banner.split_once(" on http://").and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
        server.address = address.expect("the banner names the address");
        if self.awaits_ready {
            server.log_has(" ready: ");
            until("all workers are ready", || server.ready_pids().len() >= self.workers);
        }
        server
    }

    /// Starts it and expects it to end by itself.
    pub(crate) fn fail(self) -> (ExitStatus, String) {
        let mut server = self.spawn();
        let status = server.wait();
        // Its output ends when the last of its processes has.
        until("its output has ended", || server.log.0.lock().unwrap().readers == 0);
        (status, server.log())
    }

    fn spawn(&self) -> Server {
        let dir = tempfile::Builder::new().prefix("fb").tempdir_in("/tmp").unwrap();
        let mut child = self.command(dir.path()).spawn().unwrap();
        let log = Log::default();
        log.follow(child.stdout.take().unwrap());
        log.follow(child.stderr.take().unwrap());
        Server { child, log, address: ([127, 0, 0, 1], 0).into(), dir }
    }
}

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
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn log(&self) -> String {
        self.log.0.lock().unwrap().text.clone()
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
    pub(crate) fn ready_pids(&self) -> Vec<Pid> {
        let log = self.log();
        let pids = log.lines().filter(|line| line.contains(" ready: pid ")).filter_map(|line| {
            let digits = line.split_once(" ready: pid ")?.1;
            digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        });
        pids.filter_map(Pid::from_raw).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        until_some("the server has ended", || self.child.try_wait().unwrap())
    }

    /// Stops it and expects that nobody is left, nothing is left behind, and no request is lost count of.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        until("its output has ended", || self.log.0.lock().unwrap().readers == 0);
        assert_eq!(status.code(), Some(0), "{}", self.log());
        assert_eq!(self.log_count("no more time: "), 0, "{}", self.log());
        let files = std::fs::read_dir(self.dir.path()).unwrap().flatten();
        let rest: Vec<_> = files.map(|entry| entry.file_name()).filter(|name| name != "forebay.toml").collect();
        assert!(rest.is_empty(), "left behind: {rest:?}");
    }

    /// Tells it to stop, and again until it has understood that there is no time to finish anything.
    pub(crate) fn stop_at_once(mut self) {
        self.signal(Signal::TERM);
        self.log_has("stopping: ");
        until("it is in a hurry", || {
            self.signal(Signal::TERM);
            std::thread::park_timeout(Duration::from_millis(100));
            self.log_count("told to stop again") > 0
        });
        assert_eq!(self.wait().code(), Some(0), "{}", self.log());
    }

    /// `VmHWM` or `VmRSS` of the server itself, in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
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

/// Whether a process is there, dead ones that nobody has waited for not counted.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let is_zombie = state.is_ok_and(|text| text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')));
    test_kill_process(pid).is_ok() && !is_zombie
}
