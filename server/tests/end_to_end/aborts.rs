//! A client that leaves is noticed at once, wherever its request stands, and leaves nothing behind.

use std::time::{Duration, Instant};

use super::client::Client;
use super::server::Server;
use super::setup::{Engine, Setup};
use super::wait::until;

/// Longer than it ever takes to learn of it, shorter than any time-out that would hide that nobody looked.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Room for two requests: were lost ones still counted, the questions about them would not get in.
fn start(engine: Engine) -> Server {
    Setup::new("lab.cjs").engine(engine).set("limits.in_flight_max", 2).start()
}

fn seen(other: &mut Client, what: &str) -> u64 {
    other.get("/seen").json()[what].as_u64().unwrap()
}

/// `begin` brings a request to where its client leaves; the application must learn of it.
fn left_behind(engine: Engine, begin: impl Fn(&mut Client)) {
    let server = start(engine);
    let mut other = server.connect();
    for n in 1..=3 {
        let mut client = server.connect();
        begin(&mut client);
        until("the request is there", || seen(&mut other, "pending") == 1);
        drop(client);
        let left = Instant::now();
        until("the application knows", || seen(&mut other, "closed") == n);
        assert!(left.elapsed() < AT_ONCE, "only after {:?}", left.elapsed());
        assert_eq!(seen(&mut other, "pending"), 0);
    }
    drop(other);
    server.stop();
}

pub(crate) fn while_waiting(engine: Engine) {
    left_behind(engine, |client| client.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n"));
}

#[test]
pub(crate) fn a_client_that_leaves_while_it_waits_is_noticed() {
    while_waiting(Engine::chosen());
}

#[test]
pub(crate) fn a_client_that_leaves_a_stream_is_noticed() {
    left_behind(Engine::chosen(), |client| {
        client.send("GET /sse HTTP/1.1\r\nHost: test\r\n\r\n");
        client.until("data: first\n\n");
    });
}

#[test]
pub(crate) fn a_client_that_leaves_a_large_response_is_noticed() {
    left_behind(Engine::chosen(), |client| {
        client.send("GET /large?bytes=64000000 HTTP/1.1\r\nHost: test\r\n\r\n");
        client.exactly(1_000_000);
    });
}

pub(crate) fn while_uploading(engine: Engine) {
    left_behind(engine, |client| {
        client.send("POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n");
        client.send(vec![b'x'; 500_000]);
    });
}

#[test]
pub(crate) fn a_client_that_leaves_its_upload_is_noticed() {
    while_uploading(Engine::chosen());
}

#[test]
pub(crate) fn an_unfinished_chunked_upload_is_not_taken_for_a_complete_one() {
    left_behind(Engine::chosen(), |client| {
        client.send("POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    });
}

#[test]
pub(crate) fn a_client_that_resets_its_connection_is_noticed() {
    left_behind(Engine::chosen(), |client| {
        client.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
        client.resets_on_close();
    });
}

#[test]
pub(crate) fn a_client_that_leaves_the_queue_makes_room() {
    let server = Setup::new("lab.cjs")
        .set("limits.in_flight_max", 1)
        .set("limits.queue_max", 1)
        .set("limits.queue_timeout", "\"25s\"")
        .start();
    let mut first = server.connect();
    first.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    for _ in 0..5 {
        let mut waits = server.connect();
        waits.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        // There is one place in the queue; who comes while it is taken is told so at once.
        until("the place is taken", || {
            let mut probe = server.connect();
            probe.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            std::thread::park_timeout(Duration::from_millis(100));
            // Without an answer it was the probe that took the place, which it leaves again.
            probe.has_bytes() && probe.response().status == 503 || waits.has_bytes()
        });
        drop(waits);
    }
    drop(first);
    until("everybody has left", || server.connect().get("/").status == 200);
    server.stop();
}
