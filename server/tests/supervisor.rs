//! The supervisor with real node processes; the test plays the shards by entering and leaving the bulletin.
#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command as Process, Stdio};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use forebay::bulletin::{Bulletin, Door, Event, Phase};
use forebay::config::{
    Config, Dispatch, EngineChoice, ErrorsConfig, ForwardingConfig, Launch, LogConfig, LogFormat, ResponseConfig,
    ShardsConfig, SiteConfig, Statuses, TransportChoice, WatchConfig, WorkersConfig,
};
use forebay::signals::{self, Order};
use forebay::supervisor::logs::Output;
use forebay::supervisor::{Command, Options, Outcome, Supervisor};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::limits::Limits;
use forebay_transports::Endpoint;
use system::{cpus_of, dial, is_alive, is_batch, is_sealed, kill, open_to_others};

#[path = "end_to_end/system/mod.rs"]
mod system;

/// Nothing here takes longer on a machine that works at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers with what it knows about itself, and does as it is told by the path of the request.
const SERVER: &str = r#"
const http = require('http');
const VERSION = 1;
const server = http.createServer((req, res) => {
  if (req.url === '/exit') { console.error('going down'); process.exit(3); }
  if (req.url === '/deaf') { server.close(); server.closeAllConnections(); setInterval(() => {}, 1000); return; }
  const env = {};
  for (const key of ['NODE_ENV', 'FOREBAY_WORKER', 'PORT']) env[key] = process.env[key];
  res.end(JSON.stringify({ pid: process.pid, version: VERSION, preloaded: global.preloaded, ...env }));
});
console.log('hello');
server.listen(process.env.PORT);
"#;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits for a level.
fn until(what: &str, mut level: impl FnMut() -> bool) {
    let began = Instant::now();
    while !level() {
        assert!(began.elapsed() < PATIENCE, "waited too long until {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

fn config(dir: &Path) -> Config {
    let s = Duration::from_secs;
    Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        engine: EngineChoice::Compio,
        transport: TransportChoice::Http,
        affinity: forebay::config::Affinity::Off,
        launch: Launch {
            program: "node".into(),
            args: vec!["server.js".into()],
            cwd: dir.to_path_buf(),
            env: Vec::new(),
            indirect: false,
            title: "server.js".into(),
        },
        workers: WorkersConfig {
            count: 1,
            pin: true,
            batch: true,
            preload: false,
            runtime_dir: dir.join("run"),
            start_timeout: s(20),
            drain_timeout: s(20),
            tunnel_drain_timeout: s(20),
            stop_timeout: s(20),
            dispatch: Dispatch::Local,
            control_pipe: false,
            page_out_after: None,
            stuck_after: None,
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_millis(100),
        },
        shards: ShardsConfig { count: 1, pin: false, batch: false },
        limits: Limits::default(),
        forwarding: ForwardingConfig {
            x_forwarded: true,
            forwarded: true,
            request_id: true,
            trusted: Vec::new(),
            server_variables: Vec::new(),
        },
        metrics: None,
        access_log: None,
        app_log: None,
        response: ResponseConfig { gather_bytes_max: 0, debug_header: false },
        errors: ErrorsConfig { statuses: Statuses::Gateway, dev_pages: false },
        watch: WatchConfig { files: Vec::new(), poll_interval: Duration::from_secs(5) },
        site: SiteConfig { rules: None, offline_page: "app_offline.htm".into() },
        debugger: None,
        sources: Vec::new(),
        broken: None,
        log: LogConfig { levels: "info".into(), format: LogFormat::Text },
    }
}

fn bulletin(config: &Config) -> Arc<Bulletin> {
    let slots = u16::try_from(2 * config.workers.count.max(4)).unwrap();
    let dir = config.workers.runtime_dir.clone();
    let endpoints = move |w: WorkerId, g: Generation| Endpoint::within(&dir, &format!("{w}.{}", g.0));
    Arc::new(Bulletin::new(std::iter::once(0..slots).collect(), config.shards.count, Box::new(endpoints)))
}

/// A supervisor at work.
struct Rig {
    dir: tempfile::TempDir,
    folder: PathBuf,
    bulletin: Arc<Bulletin>,
    commands: Sender<Command>,
    thread: Option<JoinHandle<Outcome>>,
    log: Shared,
    stdout: Shared,
    stderr: Shared,
    reloads: Arc<AtomicUsize>,
}

impl Rig {
    fn start(script: &str, change: impl Fn(&mut Config) + Send + 'static) -> Self {
        Self::start_in("app", script, change)
    }

    fn start_in(name: &str, script: &str, change: impl Fn(&mut Config) + Send + 'static) -> Self {
        let (stdout, stderr) = (Shared::default(), Shared::default());
        let output = Output { stdout: Box::new(stdout.clone()), stderr: Box::new(stderr.clone()) };
        Self::start_with(name, script, change, output, stdout, stderr)
    }

    fn start_with(
        name: &str,
        script: &str,
        change: impl Fn(&mut Config) + Send + 'static,
        output: Output,
        stdout: Shared,
        stderr: Shared,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("server.js"), script).unwrap();
        std::fs::write(folder.join("preload.cjs"), "global.preloaded = true;").unwrap();
        let mut first = config(&folder);
        change(&mut first);
        let bulletin = bulletin(&first);
        let reloads = Arc::new(AtomicUsize::new(0));
        let (base, counted) = (folder.clone(), reloads.clone());
        let reload = move || {
            counted.fetch_add(1, SeqCst);
            let mut next = config(&base);
            change(&mut next);
            if let Ok(count) = std::fs::read_to_string(base.join("workers")) {
                next.workers.count = count.parse().unwrap();
            }
            if base.join("bad").exists() { Err("bad is not a known key".into()) } else { Ok(next) }
        };
        let options = Options { reload: Box::new(reload), preload: Some(folder.join("preload.cjs")), output };
        let supervisor = Supervisor::new(first, bulletin.clone(), options).unwrap();
        let (commands, log) = (supervisor.commands(), Shared::default());
        let sink = log.clone();
        let run = move || {
            let make = move || sink.clone();
            let subscriber = tracing_subscriber::fmt().with_writer(make).with_ansi(false).without_time().finish();
            tracing::subscriber::with_default(subscriber, || supervisor.run())
        };
        let thread = Some(thread::spawn(run));
        Self { dir, folder, bulletin, commands, thread, log, stdout, stderr, reloads }
    }

    fn write(&self, script: &str) {
        std::fs::write(self.folder.join("server.js"), script).unwrap();
    }

    fn tell(&self, command: Command) {
        self.commands.send(command).unwrap();
    }

    fn until_open(&self, worker: u16) -> Generation {
        until(&format!("w{worker} is open"), || self.door(worker) == Door::Open);
        self.bulletin.notice(WorkerId(worker)).generation
    }

    fn until_logged(&self, text: &str) {
        until(text, || self.log.text().contains(text));
    }

    fn door(&self, worker: u16) -> Door {
        self.bulletin.notice(WorkerId(worker)).door
    }

    fn endpoint(&self, worker: u16) -> Endpoint {
        let worker = WorkerId(worker);
        self.bulletin.endpoint(worker, self.bulletin.notice(worker).generation)
    }

    fn ask(&self, worker: u16, path: &str) -> String {
        let mut stream = dial(self.endpoint(worker).path());
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _reset = stream.read_to_string(&mut answer);
        answer
    }

    fn pid(&self, worker: u16) -> u32 {
        let answer = self.ask(worker, "/");
        let digits = answer.split("\"pid\":").nth(1).unwrap();
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }

    fn join(&mut self) -> Outcome {
        let thread = self.thread.take().unwrap();
        until("the supervisor ends", || thread.is_finished());
        thread.join().unwrap()
    }

    fn stop(&mut self) -> Outcome {
        self.tell(Command::Stop);
        self.join()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ended = self.commands.send(Command::Stop).and_then(|()| self.commands.send(Command::Stop));
            let _outcome = thread.join();
        }
        if thread::panicking() {
            eprintln!("--- log\n{}--- stderr\n{}", self.log.text(), self.stderr.text());
        }
    }
}

#[test]
fn workers_start_become_ready_and_stop() {
    let mut rig = Rig::start(SERVER, |config| config.workers.count = 2);
    rig.until_open(0);
    rig.until_open(2);
    for (worker, number) in [(0, 0), (2, 1)] {
        let answer = rig.ask(worker, "/");
        assert!(answer.contains("\"NODE_ENV\":\"production\""), "{answer}");
        assert!(answer.contains(&format!("\"FOREBAY_WORKER\":\"{number}\"")), "{answer}");
        assert!(is_sealed(&rig.endpoint(worker)));
        rig.until_logged(&format!("worker w{worker} ready: pid "));
    }
    assert_eq!((rig.door(1), rig.door(3)), (Door::Shut, Door::Shut));
    let pid = rig.pid(0);
    assert_eq!(cpus_of(pid), [forebay_transports::machine::usable_cpus()[0]]);
    assert!(is_batch(pid));
    assert_eq!(rig.stop(), Outcome::Stopped);
    assert_eq!(rig.bulletin.phase(), Phase::Stopping);
    assert!(!is_alive(pid));
    assert!(!rig.folder.join("run").exists(), "the runtime folder is left");
    assert!(rig.stdout.text().contains("[w2] hello\n"), "{}", rig.stdout.text());
    let log = rig.log.text();
    assert!(log.contains("stopping: 0 requests in flight, 0 waiting, 0 clients connected"), "{log}");
    assert!(log.contains("worker w0 stopped: pid "), "{log}");
    assert!(log.contains("INFO forebay: "), "{log}");
}

#[test]
fn a_crash_shuts_the_door_and_is_followed_by_a_restart() {
    let rig = Rig::start(SERVER, |_| {});
    assert_eq!(rig.until_open(0), Generation(1));
    assert!(rig.bulletin.enter(WorkerId(0), 9).is_some());
    rig.ask(0, "/exit");
    until("the next one is ready", || {
        let notice = rig.bulletin.notice(WorkerId(0));
        (notice.generation, notice.door) == (Generation(2), Door::Open)
    });
    let log = rig.log.text();
    assert!(log.contains("WARN forebay: worker w0 crashed: pid "), "{log}");
    assert!(log.contains(", exit code 3, up "), "{log}");
    assert!(log.contains(" 1 in flight, next start in "), "{log}");
    until("stderr is printed", || rig.stderr.text().contains("[w0!] going down\n"));
    rig.bulletin.leave(WorkerId(0));
}

#[test]
fn a_worker_that_always_fails_is_told_with_its_last_words_and_backed_off() {
    let mut rig = Rig::start("console.error('no database'); require('express');", |_| {});
    rig.until_logged("failure 3 in a row, next start in ");
    let log = rig.log.text();
    assert!(log.contains("ERROR forebay: worker w0 failed to start, next start in "), "{log}");
    assert!(log.contains("ended before it listened: exit code 1"), "{log}");
    assert!(log.contains("  | no database"), "{log}");
    assert!(log.contains("hint: a module is missing: was `npm ci` run in "), "{log}");
    assert_eq!(rig.door(0), Door::Shut);
    assert_eq!(rig.stop(), Outcome::Stopped);
}

#[test]
fn a_worker_that_never_listens_is_killed_and_told() {
    let rig = Rig::start("", |config| {
        config.launch.args =
            ["-e", "console.error('waiting for godot'); setInterval(() => {}, 1000)"].map(Into::into).into();
        config.workers.start_timeout = Duration::from_secs(3);
    });
    rig.until_logged("hint: it ran without listening on $PORT: does it call listen(process.env.PORT)?");
    rig.until_logged(" s without listening on $PORT");
    rig.until_logged("  | waiting for godot");
    rig.until_logged("worker w0 stopped: pid ");
    rig.until_logged("SIGKILL (9)");
}

#[test]
fn a_worker_that_ignores_sigterm_is_killed() {
    let script = format!("process.on('SIGTERM', () => console.log('no'));{SERVER}");
    let mut rig = Rig::start(&script, |config| config.workers.stop_timeout = Duration::from_millis(1500));
    rig.until_open(0);
    let pid = rig.pid(0);
    assert_eq!(rig.stop(), Outcome::Stopped);
    assert!(!is_alive(pid));
    assert!(rig.log.text().contains("worker w0 killed: pid "), "{}", rig.log.text());
    assert!(rig.stdout.text().contains("[w0] no\n"));
}

#[test]
fn stopping_twice_kills_at_once() {
    let script = format!("process.on('SIGTERM', () => {{}});{SERVER}");
    let mut rig = Rig::start(&script, |_| {});
    rig.until_open(0);
    assert!(rig.bulletin.enter(WorkerId(0), 9).is_some());
    rig.tell(Command::Stop);
    until("the server drains", || rig.bulletin.phase() == Phase::Draining);
    assert_eq!(rig.door(0), Door::Open, "requests that wait still need a worker");
    // What comes right behind the first order is the same keystroke; what comes later means it.
    until("asking again has killed the worker", || {
        let _ended = rig.commands.try_send(Command::Stop);
        rig.thread.as_ref().is_some_and(JoinHandle::is_finished)
    });
    assert_eq!(rig.join(), Outcome::Stopped);
    assert!(rig.log.text().contains("told to stop again: killing"));
}

#[test]
fn stopping_waits_for_requests_and_clients() {
    let mut rig = Rig::start(SERVER, |_| {});
    rig.until_open(0);
    assert!(rig.bulletin.enter(WorkerId(0), 9).is_some());
    rig.bulletin.stats(0).connections.store(1, Relaxed);
    rig.tell(Command::Stop);
    until("the server drains", || rig.bulletin.phase() == Phase::Draining);
    let pid = rig.pid(0);
    rig.bulletin.leave(WorkerId(0));
    assert!(is_alive(pid) && rig.bulletin.phase() == Phase::Draining, "a client is still there");
    rig.bulletin.stats(0).connections.store(0, Relaxed);
    assert_eq!(rig.join(), Outcome::Stopped);
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let mut rig = Rig::start(SERVER, |config| config.workers.drain_timeout = Duration::from_millis(100));
    rig.until_open(0);
    assert!(rig.bulletin.enter(WorkerId(0), 9).is_some());
    assert_eq!(rig.stop(), Outcome::Stopped);
    let log = rig.log.text();
    assert!(log.contains("no more time: 1 requests in flight, 0 waiting and 0 clients are cut"), "{log}");
}

#[test]
fn a_reload_keeps_the_old_workers_when_a_new_one_fails() {
    let rig = Rig::start(SERVER, |config| config.workers.count = 2);
    rig.until_open(0);
    rig.until_open(2);
    let pids = [rig.pid(0), rig.pid(2)];
    rig.write("console.error('half a deploy'); require('./missing');");
    rig.tell(Command::Reload);
    rig.until_logged("reload failed, workers stay as they are: worker w");
    assert!(rig.log.text().contains("  | half a deploy"), "{}", rig.log.text());
    assert_eq!([rig.pid(0), rig.pid(2)], pids, "the old ones serve");
    assert_eq!([rig.door(0), rig.door(2)], [Door::Open; 2]);
    assert_eq!([rig.door(1), rig.door(3)], [Door::Shut; 2]);
    // And the next deploy, a good one, goes through.
    rig.write(&SERVER.replace("VERSION = 1", "VERSION = 2"));
    rig.tell(Command::Reload);
    rig.until_open(1);
    rig.until_open(3);
    assert!(rig.ask(1, "/").contains("\"version\":2"));
    assert!(rig.ask(3, "/").contains("\"FOREBAY_WORKER\":\"1\""));
    until("the old ones are gone", || pids.iter().all(|&pid| !is_alive(pid)));
    rig.until_logged("reload done: 2 new workers serve, after ");
}

#[test]
fn a_reload_drains_the_old_before_it_stops_them() {
    let rig = Rig::start(SERVER, |_| {});
    rig.until_open(0);
    let (w, pid) = (WorkerId(0), rig.pid(0));
    assert!(rig.bulletin.enter(w, 9).is_some() && rig.bulletin.enter(w, 9).is_some());
    rig.bulletin.into_tunnel(w);
    rig.tell(Command::Reload);
    rig.until_open(1);
    until("the old one drains", || rig.door(0) == Door::Draining);
    assert_eq!(rig.bulletin.enter(w, 9), None);
    rig.until_logged("worker w0 draining: pid ");
    assert!(rig.log.text().contains(", 1 in flight, 1 upgraded"), "{}", rig.log.text());
    rig.bulletin.leave(w);
    assert!(is_alive(pid), "a WebSocket is still there");
    rig.bulletin.leave_tunnel(w);
    until("the old one is gone", || !is_alive(pid));
    until("its door is shut", || rig.door(0) == Door::Shut);
    // Back again into the first slot.
    rig.tell(Command::Reload);
    assert_eq!(rig.until_open(0), Generation(2));
    until("the other one is gone", || rig.door(1) == Door::Shut);
}

#[test]
fn a_reload_can_start_more_workers_than_before_and_fewer() {
    let rig = Rig::start(SERVER, |_| {});
    rig.until_open(0);
    assert_eq!(rig.bulletin.route(0), 0..2, "shards look at no more slots than are in use");
    std::fs::write(rig.folder.join("workers"), "4").unwrap();
    rig.tell(Command::Reload);
    rig.until_logged("reload done: 4 new workers serve");
    for slot in [1, 3, 5, 7] {
        rig.until_open(slot);
    }
    until("the old one is gone", || rig.door(0) == Door::Shut);
    assert_eq!(rig.bulletin.route(0), 0..8);
    std::fs::write(rig.folder.join("workers"), "1").unwrap();
    rig.tell(Command::Reload);
    rig.until_open(0);
    until("the others are gone", || rig.bulletin.route(0) == (0..2));
    // Slot 1 is in use as long as its process drains.
    until("their doors are shut", || [1, 3, 5, 7].map(|slot| rig.door(slot)) == [Door::Shut; 4]);
    // The table has room for so many and no more.
    std::fs::write(rig.folder.join("workers"), "5").unwrap();
    rig.tell(Command::Reload);
    rig.until_logged("reload: workers.count has changed, which needs a restart");
    until("as many as there is room for", || rig.log.text().matches("4 new workers serve").count() == 2);
}

#[test]
fn a_crash_of_an_old_worker_during_a_reload_is_followed_by_a_restart() {
    let rig = Rig::start(SERVER, |_| {});
    rig.until_open(0);
    rig.write("require('fs').writeFileSync('trial', ''); setInterval(() => {}, 1000);");
    rig.tell(Command::Reload);
    until("the new one runs", || rig.folder.join("trial").exists());
    rig.write(SERVER);
    rig.ask(0, "/exit");
    until("the old one is back", || {
        let notice = rig.bulletin.notice(WorkerId(0));
        (notice.generation, notice.door) == (Generation(2), Door::Open)
    });
    assert_eq!(rig.door(1), Door::Shut);
    assert!(!rig.log.text().contains("reload failed"), "{}", rig.log.text());
}

#[test]
fn an_unusable_configuration_changes_nothing() {
    let rig = Rig::start(SERVER, |_| {});
    rig.until_open(0);
    std::fs::write(rig.folder.join("bad"), "").unwrap();
    rig.tell(Command::Reload);
    rig.until_logged("reload failed, workers stay as they are: bad is not a known key");
    assert_eq!((rig.door(0), rig.door(1)), (Door::Open, Door::Shut));
}

#[test]
fn reloads_asked_for_meanwhile_become_one_more() {
    let rig = Rig::start(SERVER, |_| {});
    rig.until_open(0);
    for _ in 0..4 {
        rig.tell(Command::Reload);
    }
    until("the second reload is over", || rig.log.text().matches("reload done: ").count() == 2);
    until("all is at rest", || (rig.door(0), rig.door(1)) == (Door::Open, Door::Shut));
    assert_eq!(rig.reloads.load(SeqCst), 2);
}

#[test]
fn a_missing_program_ends_the_server() {
    let mut rig = Rig::start(SERVER, |config| config.launch.program = "node-that-is-not-there".into());
    assert_eq!(rig.join(), Outcome::Failed);
    assert_eq!(Outcome::Failed.exit_code(), 1);
    let log = rig.log.text();
    assert!(log.contains("the program does not exist"), "{log}");
    assert!(log.contains("hint: is it installed, and on the PATH"), "{log}");
}

#[test]
fn a_missing_script_does_not_end_the_server() {
    let rig = Rig::start(SERVER, |config| config.launch.args = vec!["later.js".into()]);
    rig.until_logged("hint: a file is missing: is the script's path right, seen from ");
    std::fs::write(rig.folder.join("later.js"), SERVER).unwrap();
    rig.until_open(0);
}

#[test]
fn running_out_of_heap_is_understood() {
    let rig = Rig::start("const all = []; for (;;) all.push(new Array(1000).fill({}));", |config| {
        config.launch.args = vec!["--max-old-space-size=16".into(), "server.js".into()];
    });
    rig.until_logged("hint: node ran out of heap: raise --max-old-space-size");
    let log = rig.log.text();
    assert!(log.contains("SIGABRT (6)") && log.contains("FATAL ERROR: "), "{log}");
}

/// An output that takes nothing until it is let go: a terminal in which somebody selects text.
#[derive(Clone, Default)]
struct Stuck(Arc<(Mutex<bool>, Condvar)>, Shared);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let (freed, changed) = &*self.0;
        let guard = changed.wait_while(freed.lock().unwrap(), |freed| !*freed).unwrap();
        drop(guard);
        self.1.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_terminal_does_not_block_a_worker() {
    let stuck = Stuck::default();
    let output = Output { stdout: Box::new(stuck.clone()), stderr: Box::new(std::io::sink()) };
    // Writes to pipes are synchronous in node on Linux: without somebody who reads, it would never get to listen.
    let script = format!("for (let i = 0; i < 100000; i++) console.log('line ' + i);{SERVER}");
    let mut rig = Rig::start_with("app", &script, |_| {}, output, stuck.1.clone(), Shared::default());
    rig.until_open(0);
    *stuck.0.0.lock().unwrap() = true;
    stuck.0.1.notify_all();
    assert_eq!(rig.stop(), Outcome::Stopped);
    let text = rig.stdout.text();
    assert!(text.starts_with("[w0] line 0\n[w0] line 1\n"));
    let lines = text.lines().count();
    assert!(text.contains(" lines dropped: the output is too slow)\n"), "{lines} lines, no loss told");
}

#[test]
fn paths_may_have_spaces_and_quotes() {
    let mut rig = Rig::start_in(if cfg!(windows) { "my app Ä" } else { "my \"app\" \\ Ä" }, SERVER, |config| {
        config.workers.preload = true;
        config.launch.env = vec![("NODE_OPTIONS".into(), "--trace-warnings".into())];
    });
    rig.until_open(0);
    let answer = rig.ask(0, "/");
    assert!(answer.contains("\"preloaded\":true"), "{answer}");
    assert_eq!(rig.stop(), Outcome::Stopped);
}

#[test]
fn who_does_not_listen_any_more_is_not_ready() {
    let rig = Rig::start(SERVER, |config| config.workers.start_timeout = Duration::from_secs(3));
    let first = rig.until_open(0);
    rig.ask(0, "/deaf");
    rig.bulletin.report(Event::Refused(WorkerId(0), first));
    until("its door is shut", || rig.door(0) == Door::Shut);
    rig.until_logged("worker w0 not ready: pid ");
    until("it is replaced", || rig.bulletin.notice(WorkerId(0)).generation > first);
    rig.until_open(0);
}

#[test]
fn a_refusal_that_is_over_changes_nothing() {
    let rig = Rig::start(SERVER, |_| {});
    rig.until_open(0);
    rig.bulletin.report(Event::Refused(WorkerId(0), Generation(1)));
    rig.bulletin.report(Event::Refused(WorkerId(0), Generation(7)));
    rig.bulletin.report(Event::Garbled(WorkerId(0), Generation(1), "no status line"));
    rig.bulletin.report(Event::Garbled(WorkerId(0), Generation(1), "no status line"));
    rig.until_logged("worker w0 sent something that is not a response: no status line");
    assert_eq!(rig.door(0), Door::Open);
    assert_eq!(rig.log.text().matches("not a response").count(), 1, "rate-limited");
}

#[test]
fn what_a_worker_leaves_behind_is_killed() {
    let script = "
        const child = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
        require('fs').writeFileSync('child', String(child.pid));
        process.exit(1);";
    let slow = |config: &mut Config| {
        config.workers.backoff_min = Duration::from_secs(20);
        config.workers.backoff_max = Duration::from_secs(20);
    };
    let rig = Rig::start(script, slow);
    rig.until_logged("ended before it listened: exit code 1");
    let child: u32 = std::fs::read_to_string(rig.folder.join("child")).unwrap().parse().unwrap();
    until("the grandchild is gone", || !is_alive(child));
}

#[test]
fn an_application_behind_a_shell_ends_in_peace() {
    let script = format!(
        "process.on('SIGTERM', () => setTimeout(() => {{
            require('fs').writeFileSync('clean', process.env.FOREBAY_INHERIT);
            process.exit(0);
        }}, 300));{SERVER}"
    );
    let mut rig = Rig::start(&script, |config| {
        config.launch.program = "sh".into();
        config.launch.args = vec!["-c".into(), "node server.js; true".into()];
        config.launch.indirect = true;
    });
    rig.until_open(0);
    let pid = rig.pid(0);
    assert_eq!(rig.stop(), Outcome::Stopped);
    assert_eq!(std::fs::read_to_string(rig.folder.join("clean")).unwrap(), "1");
    assert!(!is_alive(pid));
}

#[test]
fn an_application_behind_a_shell_is_killed_when_it_does_not_end() {
    let script = format!("process.on('SIGTERM', () => {{}});{SERVER}");
    let mut rig = Rig::start(&script, |config| {
        config.launch.program = "sh".into();
        config.launch.args = vec!["-c".into(), "node server.js; true".into()];
        config.launch.indirect = true;
        config.workers.stop_timeout = Duration::from_millis(300);
    });
    rig.until_open(0);
    let pid = rig.pid(0);
    assert_eq!(rig.stop(), Outcome::Stopped);
    until("the application is gone", || !is_alive(pid));
    assert!(rig.log.text().contains("worker w0 killed: pid "), "{}", rig.log.text());
}

/// Not a test: what the next one runs as process 1 of a namespace.
#[test]
fn helper_runs_as_process_1() {
    if std::env::var_os("FOREBAY_TEST_INIT").is_none() {
        return;
    }
    assert_eq!(std::process::id(), 1);
    let script = format!(
        "const orphan = require('child_process').spawnSync('sh', ['-c', 'setsid sleep 0.3 > /dev/null 2>&1 & echo $!']);
        require('fs').writeFileSync('orphan', String(orphan.stdout).trim());{SERVER}"
    );
    let mut rig = Rig::start(&script, |_| {});
    rig.until_open(0);
    let orphan = std::fs::read_to_string(rig.folder.join("orphan")).unwrap();
    until("the orphan is reaped", || !Path::new("/proc").join(&orphan).exists());
    rig.ask(0, "/exit");
    until("the worker is back", || rig.bulletin.notice(WorkerId(0)).generation == Generation(2));
    rig.until_open(0);
    assert!(rig.log.text().contains("exit code 3"), "{}", rig.log.text());
    assert_eq!(rig.stop(), Outcome::Stopped);
    println!("orphan {orphan} reaped");
}

#[test]
fn process_1_reaps_orphans() {
    let run = Process::new("unshare")
        .args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "helper_runs_as_process_1", "--nocapture"])
        .env("FOREBAY_TEST_INIT", "1")
        .output();
    let Ok(run) = run else { return eprintln!("skipped: there is no unshare") };
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if said.contains("unshare: ") {
        return eprintln!("skipped: namespaces are not allowed here: {said}");
    }
    assert!(run.status.success() && said.contains(" reaped"), "{said}");
}

/// Not a test: what the next two run as a process of its own.
#[test]
fn helper_runs_a_supervisor_in_its_own_process() {
    if std::env::var_os("FOREBAY_TEST_HELPER").is_none() {
        return;
    }
    let mut rig = Rig::start(SERVER, |config| config.workers.count = 2);
    signals::install(rig.commands.clone()).unwrap();
    rig.until_open(0);
    rig.until_open(2);
    println!("dir {}", rig.dir.path().display());
    println!("pids {} {}", rig.pid(0), rig.pid(2));
    rig.until_open(1);
    println!("reloaded");
    let outcome = rig.thread.take().unwrap().join().unwrap();
    println!("outcome {outcome:?}");
}

/// A supervisor in a process of its own.
struct Helper {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Helper {
    fn start() -> Self {
        let mut process = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "helper_runs_a_supervisor_in_its_own_process", "--nocapture"])
            .env("FOREBAY_TEST_HELPER", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What follows `word` on the next line that has it.
    fn said(&mut self, word: &str) -> String {
        let line = self.lines.by_ref().map(Result::unwrap).find(|line| line.contains(word));
        line.unwrap().split_once(word).unwrap().1.trim().to_string()
    }

    fn tell(&self, order: Order) {
        signals::tell(self.process.id(), order).unwrap();
    }

    fn pids(&mut self) -> Vec<u32> {
        let pids = self.said("pids ");
        pids.split(' ').map(|pid| pid.parse().unwrap()).collect()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

#[test]
fn workers_die_with_their_supervisor() {
    let mut helper = Helper::start();
    let dir = helper.said("dir ");
    let pids = helper.pids();
    assert!(pids.len() == 2 && pids.iter().all(|&pid| is_alive(pid)));
    kill(helper.process.id());
    until("the workers are gone", || pids.iter().all(|&pid| !is_alive(pid)));
    let _left = std::fs::remove_dir_all(dir);
}

#[test]
fn signals_reload_and_stop() {
    let mut helper = Helper::start();
    let dir = helper.said("dir ");
    let pids = helper.pids();
    helper.tell(Order::Reload);
    helper.said("reloaded");
    until("the old workers are gone", || pids.iter().all(|&pid| !is_alive(pid)));
    helper.tell(Order::Stop);
    assert_eq!(helper.said("outcome "), "Stopped");
    assert!(helper.process.wait().unwrap().success());
    assert!(!Path::new(&dir).exists());
}

#[test]
fn an_unsafe_runtime_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("run")).unwrap();
    open_to_others(&dir.path().join("run"));
    let config = config(dir.path());
    let options = Options { reload: Box::new(|| Err(String::new())), preload: None, output: Output::standard() };
    let error = Supervisor::new(config.clone(), bulletin(&config), options).err().unwrap();
    assert!(error.to_string().starts_with("error: workers.runtime_dir: "), "{error}");
    assert!(error.to_string().contains("\nhint: "), "{error}");
}

/// A worker that has served for more than a second.
fn in_peace(change: impl Fn(&mut Config) + Send + 'static) -> Rig {
    let rig = Rig::start(SERVER, change);
    rig.until_open(0);
    let ready = Instant::now();
    until("it has served for a while", || ready.elapsed() > Duration::from_millis(1100));
    rig
}

#[test]
fn a_worker_that_breaks_its_protocol_changes_places_with_one_that_is_ready() {
    let mut rig = in_peace(|_| {});
    let old = rig.pid(0);
    assert!(rig.bulletin.enter(WorkerId(0), 9).is_some());
    for _ in 0..3 {
        rig.bulletin.report(Event::Malformed(WorkerId(0), Generation(1), "bad_length"));
    }
    rig.until_open(1);
    until("the old one drains", || rig.door(0) == Door::Draining);
    rig.until_logged("worker w0 broke the pipe protocol (bad_length); worker w1 is started in its place");
    rig.until_logged("worker w1 serves in place of w0");
    assert!(is_alive(old), "it has a request in flight");
    rig.bulletin.leave(WorkerId(0));
    until("the old one has gone", || !is_alive(old));
    assert_eq!(rig.bulletin.restarts(WorkerId(0)), 1);
    // A reload goes back to the other slot, which is free.
    rig.until_logged("worker w0 stopped: ");
    rig.tell(Command::Reload);
    rig.until_logged("reload done: 1 new workers serve");
    assert_eq!((rig.until_open(0), rig.stop()), (Generation(2), Outcome::Stopped));
}

#[test]
fn who_cannot_be_replaced_stays_and_serves_over_http() {
    let mut rig = in_peace(|config| config.transport = TransportChoice::Auto);
    let old = rig.pid(0);
    rig.write("process.exit(4)");
    rig.bulletin.report(Event::Malformed(WorkerId(0), Generation(1), "bad_length"));
    rig.until_logged("worker w1 cannot take the place of w0, which stays and is served over HTTP: ended before it");
    assert_eq!((rig.door(0), rig.pid(0)), (Door::Open, old));
    assert_eq!(rig.stop(), Outcome::Stopped);
}

#[test]
fn who_takes_nothing_but_frames_is_started_again_where_it_is() {
    let mut rig = in_peace(|config| config.transport = TransportChoice::Pipe);
    let old = rig.pid(0);
    rig.write("process.exit(4)");
    rig.bulletin.report(Event::Malformed(WorkerId(0), Generation(1), "bad_length"));
    rig.until_logged("worker w0 is started again: pid ");
    until("the old one has gone", || !is_alive(old));
    rig.write(SERVER);
    until("the next one is ready", || rig.door(0) == Door::Open);
    assert_eq!(rig.stop(), Outcome::Stopped);
}

#[test]
fn a_worker_that_is_debugged_may_stand_still() {
    let mut rig = Rig::start(SERVER, |config| config.launch.args.insert(0, "--inspect=0".into()));
    rig.until_open(0);
    rig.bulletin.report(Event::Stuck(WorkerId(0), Generation(1), Duration::from_secs(40)));
    rig.until_logged("has not turned its event loop for 40 s; it may be debugged, and is left alone");
    assert_eq!((rig.door(0), rig.stop()), (Door::Open, Outcome::Stopped));
}

#[test]
fn a_worker_that_hangs_is_killed_even_if_it_cannot_be_looked_into() {
    // It never was in frames, so nobody but this test can say that it hangs; and its loop turns, so nothing pauses.
    let rig = Rig::start(SERVER, |_| {});
    rig.until_open(0);
    let old = rig.pid(0);
    rig.bulletin.report(Event::Stuck(WorkerId(0), Generation(1), Duration::from_secs(40)));
    rig.until_logged("worker w0 hangs: pid ");
    rig.until_logged(" has not turned its event loop for 40 s, ");
    until("the next one is ready", || rig.bulletin.notice(WorkerId(0)).generation == Generation(2));
    assert!(!is_alive(old));
    rig.until_open(0);
}
