//! Workers that hang or break the protocol they are fed by: replaced, with a reason in the log, and at what cost.

use std::time::{Duration, Instant};

use super::load::Load;
use super::server::Server;
use super::setup::{Setup, Transport};
use super::system::{folder, is_alive};
use super::wait::until;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// With frames: over HTTP nobody would notice.
fn trouble() -> Setup {
    Setup::new("trouble.cjs").transport(Transport::Auto)
}

fn hangs_after_a_second() -> Setup {
    trouble().set("workers.stuck_after", "\"1s\"")
}

/// The path of a route that does its mischief once, whoever is asked.
fn once(server: &Server, route: &str) -> String {
    format!("{route}?flag={}", server.dir.path().join("forebay-flag").display())
}

fn forget(server: &Server) {
    std::fs::remove_file(server.dir.path().join("forebay-flag")).unwrap();
}

#[test]
fn a_worker_that_hangs_is_told_with_its_stack_and_replaced() {
    let server = hangs_after_a_second().workers(2).start();
    let mut hanging = server.connect();
    hanging.send(get(&once(&server, "/hang")));
    until("it hangs", || server.dir.path().join("forebay-flag").exists());
    // Some of these meet the worker that hangs, and wait; the others are answered meanwhile.
    let mut others: Vec<_> = (0..8).map(|_| server.connect()).collect();
    others.iter_mut().for_each(|client| client.send(get("/")));
    until("somebody is answered", || others.iter().any(super::client::Client::has_bytes));
    assert_eq!(server.log_count(" hangs: "), 0, "{}", server.log());
    let told = server.log_line(" hangs: ");
    assert!(told.contains("ERROR") && told.contains("has not turned its event loop for "), "{told}");
    server.log_has("| at neverReturns (");
    assert!(server.log_line("| at neverReturns (").contains("/trouble.cjs:20:"), "{}", server.log());
    // What may be asked twice was asked twice.
    assert_eq!((hanging.response().status, server.log_count(" hangs: ")), (200, 1));
    assert!(others.iter_mut().all(|client| client.response().status == 200));
    until("the slot comes back", || server.ready_pids().iter().filter(|&&pid| is_alive(pid)).count() == 2);
    forget(&server);
    server.stop();
}

#[test]
fn a_worker_that_hangs_is_replaced_in_time_and_its_stack_written_down() {
    let logs = folder();
    let server =
        trouble().set("workers.stuck_after", "\"2s\"").set("app_log.dir", format!("{:?}", logs.path())).start();
    let pid = server.ready_pids()[0];
    let (path, began) = (once(&server, "/hang"), Instant::now());
    // The answer is the next one's.
    let answer = server.connect().get(&path);
    let took = began.elapsed();
    assert_eq!((answer.status, server.ready_pids().len()), (200, 2), "{}", server.log());
    assert!(took < Duration::from_secs(2 + 5), "it took {took:?}");
    let errors = || std::fs::read_to_string(logs.path().join("logging-errors.txt")).unwrap_or_default();
    until("it is written down", || errors().contains("at neverReturns ("));
    let head = format!("Z worker w0 pid {pid}: hangs, its event loop has not turned for ");
    assert!(errors().lines().next().unwrap().contains(&head), "{}", errors());
    forget(&server);
    server.stop();
}

#[test]
fn what_may_not_be_repeated_is_not() {
    let server = hangs_after_a_second().start();
    let path = once(&server, "/hang");
    assert_eq!(server.connect().post(&path, "").status, 502);
    assert_eq!(server.connect().post(&path, "").status, 200, "the worker that follows");
    forget(&server);
    server.stop();
}

#[test]
fn without_a_stack_it_says_why() {
    let server = hangs_after_a_second().env("TROUBLE_OWN_SIGUSR1", 1).start();
    assert_eq!(server.connect().get(&once(&server, "/hang")).status, 200);
    server.log_has("no JavaScript stack: its inspector does not open: it is in native code, or handles SIGUSR1 itself");
    forget(&server);
    server.stop();
}

#[test]
fn a_worker_that_may_hang_does() {
    let server = trouble().set("workers.stuck_after", "\"off\"").start();
    let mut hanging = server.connect();
    hanging.send(get(&once(&server, "/hang")));
    std::thread::park_timeout(Duration::from_secs(3));
    assert_eq!(server.log_count(" hangs: "), 0, "{}", server.log());
    assert!(!hanging.has_bytes());
    server.stop_at_once();
}

#[test]
fn a_worker_that_breaks_the_protocol_is_replaced_by_one_that_is_ready() {
    let server = trouble().start();
    // One that has hardly served is started again in its place instead.
    let ready = Instant::now();
    let mut waiting = server.connect();
    waiting.send("POST /wait HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    let load = Load::start(server.address, 4, |n| (get(&format!("/?{n}")), String::new()));
    until("it has served for a while", || ready.elapsed() > Duration::from_millis(1500));
    load.goes_on(10);
    assert_eq!(server.connect().get("/garble").status, 200);
    assert_eq!(waiting.response().status, 502, "what was on that connection has failed");
    server.log_has("worker w0 broke the pipe protocol (unknown_type); worker w1 is started in its place");
    server.log_has("worker w1 serves in place of w0");
    server.log_has("worker w0 stopped: ");
    load.goes_on(10);
    let tally = load.stop();
    assert_eq!(tally.failed, 0, "{tally}");
    // The places can be changed again and again, and reloads know who serves.
    server.tell(forebay::signals::Order::Reload);
    server.log_has("reload done: 1 new workers serve");
    assert_eq!(server.connect().get("/").text(), server.ready_pids()[2].to_string());
    server.stop();
}

#[test]
fn a_worker_that_breaks_the_protocol_at_once_is_started_again_with_a_delay() {
    let server = trouble().start();
    assert_eq!(server.connect().get("/garble").status, 200);
    server.log_has(" broke the pipe protocol (unknown_type)");
    until("there is another worker", || server.ready_pids().len() == 2);
    assert_eq!(server.connect().get("/").status, 200);
    server.stop();
}
