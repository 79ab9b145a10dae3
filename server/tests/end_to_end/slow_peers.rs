//! Whoever does not read makes the other side stop, and costs the server a bounded amount of memory.

use std::time::Duration;

use super::server::Server;
use super::setup::{Engine, Setup};
use super::streaming::{is_pattern, pattern};
use super::wait::{until, until_some};

/// Far more than all buffers on the way together: sockets (a few MiB each, as the kernel likes), node and server.
const BYTES: usize = 40_000_000;

/// What a server may need for one exchange that stands still: two windows, two chunks, and what the allocator likes.
const GROWTH_KIB_MAX: u64 = 4 * 1024;

fn setup(engine: Engine) -> Setup {
    Setup::new("lab.cjs").engine(engine).set("limits.body_bytes_max", 0)
}

/// The peak of the server's memory before; [`Peak::is_bounded`] looks at it again.
struct Peak(u64);

impl Peak {
    fn of(server: &Server) -> Self {
        // One exchange first: what is allocated once for all is not what is measured.
        assert_eq!(server.connect().get("/").status, 200);
        Self(server.memory().peak_kib)
    }

    fn is_bounded(&self, server: &Server) {
        let after = server.memory().peak_kib;
        println!("peak of the server: {} KiB before, {after} KiB after", self.0);
        assert!(after < self.0 + GROWTH_KIB_MAX, "the server grew from {} KiB to {after} KiB", self.0);
    }
}

pub(crate) fn slow_client(engine: Engine) {
    let server = setup(engine).start();
    let peak = Peak::of(&server);
    let mut client = server.connect();
    client.send(format!("GET /large?bytes={BYTES} HTTP/1.1\r\nHost: test\r\n\r\n"));
    let mut other = server.connect();
    // The application is told to wait and stays where it is.
    let mut last = 0;
    let written = until_some("the application stands still", || {
        let seen = other.get("/seen").json();
        let (blocked, written) = (seen["blocked"] == true, seen["written"].as_u64().unwrap());
        std::thread::park_timeout(Duration::from_millis(200));
        (blocked && std::mem::replace(&mut last, written) == written).then_some(written)
    });
    println!("{written} bytes went on their way to a client that reads none");
    assert!((written as usize) < BYTES / 2, "{written} bytes were taken for a client that reads none");
    peak.is_bounded(&server);
    let body = client.response().body;
    is_pattern(&body, BYTES);
    peak.is_bounded(&server);
    server.stop();
}

#[test]
pub(crate) fn a_client_that_does_not_read_stops_the_application() {
    slow_client(Engine::chosen());
}

pub(crate) fn slow_application(engine: Engine) {
    let server = setup(engine).start();
    let peak = Peak::of(&server);
    let (mut client, body) = (server.connect(), pattern(BYTES));
    client.send(format!("POST /slow-reader HTTP/1.1\r\nHost: test\r\nContent-Length: {BYTES}\r\n\r\n"));
    let sent = client.send_until_full(&body, Duration::from_secs(1));
    println!("{sent} bytes went on their way to an application that reads none");
    assert!(sent < BYTES / 2, "{sent} bytes were taken for an application that reads none");
    peak.is_bounded(&server);
    assert_eq!(server.connect().get("/release").status, 200);
    client.send(&body[sent..]);
    let answer = client.response().json();
    assert_eq!((&answer["bytes"], &answer["intact"]), (&BYTES.into(), &true.into()));
    peak.is_bounded(&server);
    server.stop();
}

#[test]
pub(crate) fn an_application_that_does_not_read_stops_the_client() {
    slow_application(Engine::chosen());
}

#[test]
fn the_time_a_client_takes_is_not_held_against_the_application() {
    let server = setup(Engine::chosen()).set("limits.response_idle_timeout", "\"2s\"").start();
    let mut other = server.connect();
    // An application that the machine kept from running was late indeed: then the attempt says nothing.
    until("the application was in time", || {
        other.get("/late");
        let mut client = server.connect();
        client.send(format!("GET /large?bytes={BYTES} HTTP/1.1\r\nHost: test\r\n\r\n"));
        let is_blocked = |seen: serde_json::Value| seen["blocked"] == true || seen["closed"] != 0;
        until("the application stands still", || is_blocked(other.get("/seen").json()));
        // Longer than the application would be allowed.
        std::thread::park_timeout(Duration::from_secs(4));
        let outcome = client.try_response(false).map(|response| response.body.len());
        let late_ms = other.get("/late").json().as_u64().unwrap();
        assert!(outcome.is_ok() || late_ms > 1000, "cut, and the application was {late_ms} ms late at most");
        outcome.inspect(|bytes| assert_eq!(*bytes, BYTES)).is_ok()
    });
    server.stop();
}

#[test]
fn a_client_that_takes_nothing_at_all_is_left() {
    let server = setup(Engine::chosen()).set("limits.send_timeout", "\"1s\"").start();
    let mut client = server.connect();
    client.send(format!("GET /large?bytes={BYTES} HTTP/1.1\r\nHost: test\r\n\r\n"));
    let mut other = server.connect();
    until_some("the application learns of it", || (other.get("/seen").json()["closed"] == 1).then_some(()));
    let body = client.try_response(false).expect_err("the client must see that this is not all");
    assert!(body.begun);
    server.stop();
}
