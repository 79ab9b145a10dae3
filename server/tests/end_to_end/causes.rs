//! What a failing application is called, as iisnode's users know it.

use std::time::{Duration, Instant};

use forebay::signals::Order;

use super::client::Client;
use super::setup::{Setup, Transport};
use super::wait::until;

fn iisnode(app: &str) -> Setup {
    Setup::new(app).set("errors.statuses", "\"iisnode\"").set("response.debug_header", true)
}

fn code(response: &super::response::Response) -> (u16, String) {
    (response.status, response.field("x-forebay-status").unwrap_or_default().to_owned())
}

#[test]
fn an_application_that_ends_at_once_is_1002_and_is_not_waited_for() {
    let server = iisnode("broken.cjs").early().start();
    let began = Instant::now();
    let response = server.connect().get("/");
    assert_eq!(code(&response), (500, "500.1002".into()), "{response:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "limits.ready_wait_timeout is 30 s");
    server.stop();
}

#[test]
fn one_that_does_not_listen_is_1001() {
    let setup = iisnode("mute.cjs").early().set("limits.ready_wait_timeout", "\"500ms\"");
    let server = setup.start();
    assert_eq!(code(&server.connect().get("/")), (500, "500.1001".into()));
    server.stop();
}

#[test]
fn one_that_never_listened_in_time_fails_at_once() {
    let setup = iisnode("mute.cjs").early().set("workers.start_timeout", "\"500ms\"");
    let server = setup.set("workers.backoff_min", "\"20s\"").set("workers.backoff_max", "\"20s\"").start();
    assert_eq!(code(&server.connect().get("/")), (500, "500.1001".into()));
    server.log_has("without listening on $PORT");
    server.stop();
}

#[test]
pub(crate) fn a_request_that_kills_its_worker_has_a_number_for_how_far_it_came() {
    let log = tempfile::tempdir().unwrap();
    let file = log.path().join("access.log");
    let server = iisnode("lab.cjs").set("access_log.path", format!("{:?}", file.display())).start();
    let mut client = server.connect();
    let (status, sub) = code(&client.post("/die", "x"));
    // Over HTTP a process that is gone closes like any other.
    let expected = if Transport::chosen() == Transport::Auto { "500.1011" } else { "500.1013" };
    assert_eq!((status, sub.as_str()), (500, expected));
    assert_eq!(client.get("/").status, 200);
    until("the log has it", || std::fs::read_to_string(&file).unwrap_or_default().contains(&format!(":{expected} ")));
    let garbage = client.get("/garbage");
    assert_eq!(code(&garbage), (500, "500.1013".into()), "{garbage:?}");
    server.stop();
}

#[test]
pub(crate) fn a_head_that_does_not_fit_the_workers_form_is_1005() {
    let server = iisnode("lab.cjs").set("limits.head_bytes_max", "\"255KiB\"").start();
    let mut client = server.connect();
    // The host comes twice more: in X-Forwarded-Host and in Forwarded.
    let (host, cookie) = ("h".repeat(30 * 1024), "x".repeat(200 * 1024));
    let response = client.request(format!("GET / HTTP/1.1\r\nHost: {host}\r\nCookie: a={cookie}\r\n\r\n"));
    assert_eq!(code(&response), (500, "500.1005".into()));
    assert_eq!(client.get("/").status, 200);
    server.stop();
}

#[test]
fn who_waits_when_the_server_stops_is_told_1001() {
    let setup = iisnode("mute.cjs").early().set("workers.drain_timeout", "\"500ms\"");
    let server = setup.set("server.metrics", "\"127.0.0.1:0\"").start();
    let line = server.log_line("metrics on http://");
    let metrics = line.rsplit("http://").next().unwrap().split('/').next().unwrap().parse().unwrap();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    until("it waits", || Client::connect(metrics).get("/metrics").text().contains("\nforebay_waiting 1\n"));
    server.tell(Order::Stop);
    assert_eq!(code(&client.response()), (503, "503.1001".into()));
}

#[test]
fn natively_nothing_of_it_shows() {
    let server = Setup::new("lab.cjs").start();
    let response = server.connect().post("/die", "x");
    assert_eq!((response.status, response.field("x-forebay-status")), (502, None));
    server.stop();
}

#[test]
fn one_that_listens_elsewhere_is_told_from_one_that_does_not_listen() {
    let log = tempfile::tempdir().unwrap();
    let file = log.path().join("access.log");
    for (app, reason) in [("elsewhere.cjs", "listened_elsewhere"), ("mute.cjs", "never_listened")] {
        let setup = Setup::new(app).early().set("workers.preload", false).set("workers.start_timeout", "\"1500ms\"");
        let setup = setup.set("workers.backoff_min", "\"20s\"").set("workers.backoff_max", "\"20s\"");
        let setup = setup.set("limits.ready_wait_timeout", "\"4s\"");
        let server = setup.set("access_log.path", format!("{:?}", file.display())).start();
        let response = server.connect().get("/");
        assert_eq!(response.field("x-forebay-reason").as_deref(), Some("no_worker"));
        let has = || std::fs::read_to_string(&file).unwrap_or_default().contains(&format!(" {reason} "));
        until(&format!("the log has {reason}"), has);
        server.stop();
    }
}
