//! A server to be started: which application, which engine, which settings.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use forebay_transports::HAS_MONOIO;

use super::server::Server;
use super::system::folder;
use super::wait::until;

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
    /// The one that `FOREBAY_TEST_ENGINE` names: monoio, epoll or compio; the default one if it names none.
    pub(crate) fn chosen() -> Self {
        match std::env::var("FOREBAY_TEST_ENGINE").as_deref() {
            Err(_) | Ok("") if HAS_MONOIO => Self::Monoio,
            Err(_) | Ok("") => Self::Compio,
            Ok("monoio") => Self::Monoio,
            Ok("epoll") => Self::Epoll,
            Ok("compio") => Self::Compio,
            Ok(other) => panic!("FOREBAY_TEST_ENGINE is {other}, allowed: monoio, epoll, compio"),
        }
    }
}

/// How the server feeds its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Frames, as every application here is eligible for them.
    Auto,
    /// HTTP/1.1.
    Http,
}

thread_local! {
    /// Of the servers that are started on this thread, if a test says so.
    static TRANSPORT: Cell<Option<Transport>> = const { Cell::new(None) };
}

impl Transport {
    /// What the test said, or else `FOREBAY_TEST_TRANSPORT`: auto or http; auto if it says nothing.
    pub(crate) fn chosen() -> Self {
        TRANSPORT.get().unwrap_or_else(|| match std::env::var("FOREBAY_TEST_TRANSPORT").as_deref() {
            Err(_) | Ok("" | "auto") => Self::Auto,
            Ok("http") => Self::Http,
            Ok(other) => panic!("FOREBAY_TEST_TRANSPORT is {other}, allowed: auto, http"),
        })
    }

    /// Runs a test with it, unless that is how all run.
    pub(crate) fn run(self, test: impl FnOnce()) {
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                TRANSPORT.set(None);
            }
        }
        if Self::chosen() != self {
            // Tests may share a thread, and this one may fail.
            let _reset = Reset;
            TRANSPORT.set(Some(self));
            test();
        }
    }
}

/// The folder of the applications.
pub(crate) fn apps() -> PathBuf {
    // Built elsewhere than it runs, it may not name a drive.
    std::path::absolute(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("apps")).unwrap()
}

/// A server to be started. One worker and one shard unless told otherwise, so that a test knows who answers.
pub(crate) struct Setup {
    /// None: whatever is in the current folder, without a configuration file.
    app: Option<PathBuf>,
    folder: Option<PathBuf>,
    engine: Engine,
    transport: Transport,
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
            transport: Transport::chosen(),
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

    pub(crate) fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
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
        let transport = match self.transport {
            Transport::Auto => "auto",
            Transport::Http => "http",
        };
        command.args(["--workers", &self.workers.to_string(), "--transport", transport]);
        if let Some(app) = &self.app {
            command.arg(app).arg("--config").arg(file);
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        // The runtime folder goes there, so that a test sees whether it is removed.
        command
            .env("TMPDIR", dir)
            .env("TMP", dir)
            .env("TEMP", dir)
            .env_remove("XDG_RUNTIME_DIR")
            .env("FOREBAY_FORCE_EPOLL", epoll);
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
        (status, server.whole_log())
    }

    fn spawn(&self) -> Server {
        let dir = folder();
        let child = self.command(dir.path()).spawn().unwrap();
        Server::of(child, dir)
    }
}
