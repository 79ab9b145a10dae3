//! Told to stop, the server finishes what is in flight and then ends.

use forebay::signals::Order;

use super::client::Client;
use super::setup::{Engine, Setup};
use super::wait::until;

pub(crate) fn drains(engine: Engine) {
    let mut server = Setup::new("lab.cjs").engine(engine).start();
    let mut rests = server.connect();
    assert_eq!(rests.get("/").status, 200);
    let mut slow = server.connect();
    slow.send("GET /slow?ms=1500 HTTP/1.1\r\nHost: test\r\n\r\n");
    server.log_has("lab has /slow");
    server.tell(Order::Stop);
    let stopping = server.log_line("stopping: ");
    assert!(stopping.contains("stopping: 1 requests in flight, 0 waiting, 2 clients connected"), "{stopping}");
    // Who rests is closed; who comes is not taken any more.
    rests.is_closed();
    until("nobody listens", || Client::try_connect(server.address).is_err());
    let response = slow.response();
    assert_eq!((response.text().as_str(), response.field("connection").unwrap().as_str()), ("slow", "close"));
    slow.is_closed();
    assert_eq!(server.wait().code(), Some(0));
    server.log_has("worker w0 stopped: ");
}

#[test]
pub(crate) fn a_slow_request_is_finished_before_the_end() {
    drains(Engine::chosen());
}

#[test]
fn what_takes_too_long_is_cut() {
    let mut server = Setup::new("lab.cjs").set("workers.drain_timeout", "\"1s\"").start();
    let mut endless = server.connect();
    endless.send("GET /sse HTTP/1.1\r\nHost: test\r\n\r\n");
    endless.until("data: first\n\n");
    server.tell(Order::Stop);
    assert!(!endless.rest().ends_with(b"0\r\n\r\n"));
    assert_eq!(server.wait().code(), Some(0));
    server.log_has("no more time: 1 requests in flight");
}

#[test]
fn told_twice_it_does_not_wait() {
    let server = Setup::new("lab.cjs").start();
    let mut endless = server.connect();
    endless.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    server.log_has("lab has /wait");
    server.stop_at_once();
    // The worker is killed before the server ends: there may be time to say that nobody takes its place.
    let rest = String::from_utf8(endless.rest()).unwrap();
    assert!(rest.is_empty() || rest.contains("X-Forebay-Reason: stopping\r\n"), "{rest}");
}

#[test]
pub(crate) fn upgraded_connections_do_not_hold_up_the_end_and_their_application_may_say_goodbye() {
    let server = Setup::new("upgrade.cjs").start();
    let mut client = server.connect();
    let request = "GET /lines HTTP/1.1\r\nHost: test\r\nUpgrade: lines\r\nConnection: upgrade\r\n\r\n";
    assert_eq!(client.request(request).status, 101);
    server.stop();
    assert_eq!(String::from_utf8_lossy(&client.rest()), "the server stops\n");
}

#[test]
fn a_request_half_sent_when_told_to_stop_is_still_answered() {
    let mut server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    client.send("POST /sum HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n01234");
    until("it is there", || server.connect().get("/").status == 200);
    server.tell(Order::Stop);
    server.log_has("stopping: ");
    client.send("56789");
    assert_eq!(client.response().json()["bytes"], 10);
    assert_eq!(server.wait().code(), Some(0));
}

pub(crate) fn closes_in_peace() {
    let server = Setup::new("graceful.cjs").set("workers.stop_timeout", "\"20s\"").start();
    // Clients that rest, and one that is served, are no reason to wait: they are ours.
    let mut rests: Vec<_> = (0..4).map(|_| server.connect()).collect();
    rests.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello"));
    let mut slow = server.connect();
    slow.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    server.tell(Order::Reload);
    server.log_has("reload done");
    assert_eq!(slow.response().text(), "slow");
    let stopped = server.log_line("worker w0 stopped: ");
    assert!(stopped.contains(", exit code 7, "), "{stopped}");
    let closed = server.log_line("] closed after ");
    let took: u64 = closed.split(' ').rev().nth(1).unwrap().parse().unwrap();
    assert!(took < 5000, "{closed}");
    rests.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "hello"));
    server.stop();
}

#[test]
pub(crate) fn an_application_that_waits_for_its_connections_ends_soon() {
    closes_in_peace();
}

#[cfg(unix)]
#[test]
fn applications_are_told_to_end_in_the_way_they_listen_to() {
    for (listens, said, how) in [
        ("message", "told to end by message\n", "exit code 0"),
        ("SIGTERM", "told to end by SIGTERM\n", "exit code 0"),
        ("message SIGTERM", "told to end by SIGTERM\n", "exit code 0"),
        ("", "", "SIGTERM (15)"),
        ("deaf", "so what\n", "SIGKILL (9)"),
    ] {
        let setup = Setup::new("goodbye.cjs").env("GOODBYE", listens).set("workers.stop_timeout", "\"1s\"");
        let server = setup.start();
        assert_eq!(server.connect().get("/").text(), "hello");
        server.tell(Order::Reload);
        let stopped = server.log_line("worker w0 stopped: ");
        assert!(stopped.contains(&format!(", {how}, ")), "{listens:?}: {stopped}");
        assert!(server.log().contains(said), "{listens:?}: {}", server.log());
        assert!(!listens.contains("message") || server.log_count("told to end by ") == 1, "{}", server.log());
        server.stop();
    }
}
