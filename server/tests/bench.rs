//! `forebay bench` as a user has it, with real node, and its load generator beside a server that counts, too.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forebay::bench::load::{Load, Outcome, Until};
use forebay::signals;
use forebay::signals::Order;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn bench(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    for (name, _) in std::env::vars_os() {
        if name == "PORT" || name == "NODE_OPTIONS" || name.to_string_lossy().starts_with("FOREBAY_") {
            command.env_remove(name);
        }
    }
    command.arg("bench").args(args).current_dir(folder).stdin(Stdio::null());
    command
}

/// Exit code, standard output, standard error.
fn outcome(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn folder_with(script: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.js"), script).unwrap();
    folder
}

/// An application that does `answer` for each request.
fn app(answer: &str) -> tempfile::TempDir {
    folder_with(&format!(
        "require('http').createServer((req, res) => {{ {answer} }}).listen(process.env.PORT, '127.0.0.1');"
    ))
}

const SHORT: [&str; 6] = ["--seconds", "1", "--rounds", "1", "--conns", "4"];

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &SHORT].concat()
}

#[test]
fn everybody_is_measured_and_the_json_says_so() {
    let folder = app("req.resume(); req.on('end', () => res.end('hello ' + req.method))");
    let (code, out, err) = outcome(bench(folder.path(), &with(&["app.js", "--body", "1000", "--json", "-w", "2"])));
    assert_eq!(code, Some(0), "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["application"], &report["request"]), (&"app.js".into(), &"POST / of 1000 bytes".into()));
    assert_eq!((&report["connections"], &report["processes"]), (&4.into(), &2.into()));
    let contenders = report["contenders"].as_array().unwrap();
    let names: Vec<&str> = contenders.iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["node", "cluster", "forebay_http", "forebay_pipe"]);
    for contender in contenders.iter().filter(|contender| contender["skipped"].is_null()) {
        for figure in ["requests_per_second", "cpu_us_per_request", "p50_ms", "p99_ms", "rss_mib"] {
            assert!(contender[figure].as_f64().unwrap() > 0.0, "{figure}: {contender}");
        }
        assert_eq!(contender["failed"], 0, "{contender}");
        assert!(contender["cpu_us_per_request_ratio"]["cluster"].as_f64().unwrap() > 0.0);
    }
    let measured = contenders.iter().filter(|contender| contender["skipped"].is_null()).count();
    assert!(measured >= 3, "{out}");
}

#[test]
fn an_application_with_a_port_of_its_own_is_measured_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = format!(
        "let n = 0; require('http').createServer((q, s) => s.end('x'.repeat(process.env.FOREBAY_WORKER ? 7 : 5)))\
         .listen({port}, '127.0.0.1');"
    );
    let folder = folder_with(&script);
    let (code, out, err) = outcome(bench(folder.path(), &with(&["app.js"])));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("\nnote: the application ignores PORT: "), "{out}");
    assert!(out.contains("forebay http answers with 7 bytes, bare node with 5"), "{out}");
    for name in ["\nbare node ", "\nnode cluster ", "\nforebay http ", "\nforebay pipe "] {
        assert!(out.contains(name), "{name} is missing:\n{out}");
    }
    assert!(out.contains("\nforebay ") && err.contains("round 1 of 1: node cluster"), "{out}{err}");

    // And while somebody else has that port:
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (code, out, err) = outcome(bench(folder.path(), &with(&["app.js"])));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("error: bare node: the application ended before it answered GET /\n"), "{err}");
    assert!(err.contains("EADDRINUSE") && err.contains("hint: its port is taken: stop what listens there"), "{err}");
}

#[test]
fn an_application_that_does_not_answer_well_is_refused() {
    let folder = app("console.error('seen ' + req.url); res.statusCode = req.url == '/' ? 204 : 404; res.end()");
    let (code, out, err) = outcome(bench(folder.path(), &with(&["app.js", "--path", "/missing"])));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let said = err.lines().filter(|line| !line.starts_with("note: ") && !line.starts_with("  | ")).collect::<Vec<_>>();
    assert_eq!(
        said,
        [
            "error: bare node: the application answered GET /missing with 404, not with 2xx or 3xx",
            "hint: name a path that it answers with --path"
        ]
    );
    assert!(err.contains("\n  | seen /missing\n"), "{err}");

    let folder = folder_with("throw new Error('no database');");
    let (code, _, err) = outcome(bench(folder.path(), &with(&["app.js"])));
    assert_eq!(code, Some(1));
    assert!(err.contains("the application ended before it answered GET /\n") && err.contains("no database"), "{err}");
    assert!(err.ends_with("hint: it must run by itself first; see what it printed\n"), "{err}");
}

#[test]
fn what_is_wrong_with_the_command_line_is_said_first() {
    let folder = app("res.end()");
    let mut command = bench(folder.path(), &["app.js"]);
    let (code, _, err) = outcome({
        command.env("PATH", folder.path());
        command
    });
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error: app.node: not found on PATH (node)\n"), "{err}");

    let (code, _, err) = outcome(bench(folder.path(), &["app.js", "--path", "no slash"]));
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error: --path: not a valid request ("), "{err}");
    for args in [&["--conns", "0"], &["--rounds", "0"], &["--seconds", "0"], &["--body", "99999999999"]] {
        assert_eq!(outcome(bench(folder.path(), args)).0, Some(2));
    }
    assert_eq!(outcome(bench(folder.path(), &["missing.js"])).0, Some(2));
}

/// Processes whose environment names `mark`.
fn marked(mark: &str) -> Vec<String> {
    let pids = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let has =
        |path: &Path| fs::read(path.join("environ")).is_ok_and(|env| String::from_utf8_lossy(&env).contains(mark));
    pids.filter(|path| has(path)).map(|path| path.display().to_string()).collect()
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let folder = app("res.end()");
    let temp = tempfile::tempdir().unwrap();
    let mark = format!("BENCH_MARK={}", temp.path().display());
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = bench(folder.path(), &["app.js", "--seconds", "1", "--conns", "2", "--workers", "2"]);
    command.env(name, value).env("TMPDIR", temp.path()).env_remove("XDG_RUNTIME_DIR");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // The cluster has been measured: now Forebay is being started, or runs.
    while !line.contains("node cluster") {
        line.clear();
        assert!(err.read_line(&mut line).unwrap() > 0);
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while marked(&mark).len() < 4 {
        assert!(Instant::now() < deadline, "bench, Forebay and its workers run");
        thread::sleep(Duration::from_millis(10));
    }
    signals::tell(child.id(), Order::Stop).unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(rest.ends_with("error: stopped before the end\n"), "{rest}");
    assert_eq!(marked(&mark), Vec::<String>::new());
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

/// A server of the loopback that answers request number n, from 0, with what `answer` says, and closes after an answer
/// that says so or is cut short. Counts requests.
fn known_server(answer: fn(u64) -> &'static str) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let count = Arc::clone(&counter);
            thread::spawn(move || serve(&stream.unwrap(), &count, answer));
        }
    });
    (address, count)
}

fn serve(mut stream: &TcpStream, count: &AtomicU64, answer: fn(u64) -> &'static str) {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        if line == "\r\n" {
            let text = answer(count.fetch_add(1, Ordering::Relaxed));
            if stream.write_all(text.as_bytes()).is_err() || text.contains("close") {
                return;
            }
        }
        line.clear();
    }
}

fn load(address: SocketAddr, connections: usize, until: Until) -> Outcome {
    Load::connect(address, GET, connections).unwrap().run(until, &AtomicBool::new(false)).unwrap()
}

#[test]
fn the_load_generator_counts_what_the_server_counts() {
    let (address, count) = known_server(|n| match n % 10 {
        3 => "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        5 => "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
        7 => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    });
    let outcome = load(address, 7, Until::Requests(1000));
    assert_eq!((outcome.requests, count.load(Ordering::Relaxed)), (1000, 1000));
    assert_eq!(outcome.failures.into_iter().collect::<Vec<_>>(), [("status 500".to_owned(), 100)]);
    assert_eq!(outcome.latency_us.len(), 1000);

    let outcome = load(address, 3, Until::Elapsed(Duration::from_millis(200)));
    assert!(outcome.elapsed >= Duration::from_millis(200) && outcome.requests > 0);
    assert_eq!(count.load(Ordering::Relaxed), 1000 + outcome.requests);
}

#[test]
fn the_load_generator_counts_what_breaks() {
    let (address, count) = known_server(|n| match n % 4 {
        0 => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX: close\r\n\r\ncut",
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    });
    let outcome = load(address, 1, Until::Requests(100));
    assert_eq!((outcome.requests, outcome.failed(), count.load(Ordering::Relaxed)), (75, 25, 100));
    assert_eq!(outcome.failures.into_keys().collect::<Vec<_>>(), ["closed within the response"]);
}

#[test]
fn the_load_generator_stops_when_told() {
    let (address, _) = known_server(|_| "");
    let stop = AtomicBool::new(true);
    let outcome = Load::connect(address, GET, 2).unwrap().run(Until::Requests(10), &stop).unwrap();
    assert_eq!((outcome.requests, outcome.failed()), (0, 0));
}
