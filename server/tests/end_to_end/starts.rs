//! Starting: clients that are early wait, and what cannot start says why, once, with what to do about it.

use std::net::TcpListener;
use std::path::PathBuf;

use super::setup::{Setup, apps};

#[test]
fn requests_before_the_first_worker_is_ready_wait_and_succeed() {
    let dir = super::system::folder();
    let file = dir.path().join("now");
    let server = Setup::new("late.cjs").early().env("LATE_FILE", file.display()).start();
    let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        match n % 2 {
            0 => client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n"),
            _ => client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"),
        }
    }
    assert_eq!(server.ready_pids().len(), 0);
    std::fs::write(file, "").unwrap();
    for client in &mut clients {
        assert_eq!(client.response().text(), "at last");
    }
    server.stop();
}

#[test]
fn a_worker_that_never_listens_is_told_about_with_its_words_and_a_hint() {
    let server = Setup::new("mute.cjs").early().set("workers.start_timeout", "\"3s\"").start();
    server.log_has("worker w0 failed to start");
    server.log_has("mute: the database does not answer");
    server.log_has("hint: it ran without listening on $PORT");
    server.stop();
}

#[test]
fn a_worker_that_fails_at_once_is_told_about_and_started_again_ever_more_slowly() {
    let server = Setup::new("broken.cjs").early().start();
    server.log_has("worker w0 failed to start, next start in ");
    server.log_has("broken: about to fail");
    server.log_has("hint: a module is missing: was `npm ci` run in ");
    server.log_has("failure 3 in a row, next start in ");
    // The story is told once, not each time.
    assert_eq!(server.log_count("hint: a module is missing"), 1, "{}", server.log());
    server.stop();
}

/// One message with a hint, and this exit code; no panic, no second line of the same.
fn fails(setup: Setup, code: i32, expected: &str) {
    let (status, said) = setup.fail();
    assert_eq!(status.code(), Some(code), "{said}");
    assert!(said.contains(expected), "{expected:?} is not in\n{said}");
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    assert_eq!(said.matches("hint: ").count(), 1, "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    fails(Setup::new("lab.cjs").listen(address), 1, &format!("cannot listen on {address}"));
    // So is one that another Forebay has.
    let server = Setup::new("lab.cjs").start();
    fails(Setup::new("lab.cjs").listen(server.address), 1, "cannot listen on ");
    assert_eq!(server.connect().get("/").status, 200);
    server.stop();
}

#[test]
fn a_missing_script_is_refused() {
    fails(Setup::new("lob.cjs"), 2, "does not exist (");
    fails(Setup::new(apps()), 2, "no application found (");
}

#[test]
fn a_missing_node_is_refused() {
    fails(Setup::new("lab.cjs").env("PATH", "/nonexistent"), 2, "app.node: not found on PATH (node)");
    fails(Setup::new("lab.cjs").set("app.node", "\"/no/such/node\""), 2, "/no/such/node)");
}

#[test]
fn a_runtime_folder_that_cannot_be_used_is_refused() {
    let quoted = |path: &str| format!("\"{path}\"");
    let long = format!("/tmp/{}", "long/".repeat(20));
    if forebay_transports::Endpoint::IS_FILE {
        fails(Setup::new("lab.cjs").set("server.runtime_dir", quoted(&long)), 2, "too long (");
    }
    // Not even root may make a folder there.
    fails(Setup::new("lab.cjs").set("server.runtime_dir", quoted("/proc/forebay")), 1, "cannot make ");
    let file: PathBuf = apps().join("lab.cjs");
    let setup = Setup::new("lab.cjs").set("server.runtime_dir", quoted(&file.to_str().unwrap().replace('\\', "/")));
    fails(setup, 1, "is not a folder");
}

#[test]
fn a_wrong_setting_is_refused_with_its_line() {
    let setup = Setup::new("lab.cjs").set("limits.queue_maximum", 5);
    fails(setup, 2, "forebay.toml:3: limits.queue_maximum");
}
