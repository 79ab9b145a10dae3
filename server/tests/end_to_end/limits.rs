//! Every bound on what one client may send or take ends in the answer that the table of limits names.

use std::time::{Duration, Instant};

use super::client::Client;
use super::response::Response;
use super::setup::{Engine, Setup};

/// The answer of the server itself, after which the connection is closed.
fn refused(client: &mut Client, status: u16) -> Response {
    let response = client.response();
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.field("connection").unwrap(), "close");
    assert!(response.field("content-type").unwrap().starts_with("text/plain"), "{response:?}");
    assert!(!response.body.is_empty());
    client.is_closed();
    response
}

pub(crate) fn heads(engine: Engine) {
    let setup = Setup::new("lab.cjs").engine(engine);
    let server = setup.set("limits.head_bytes_max", "\"4KiB\"").set("limits.fields_max", 20).start();
    let ask = |request: String, status| {
        let mut client = server.connect();
        // The rest may meet a closed connection.
        let _broken_pipe = client.try_send(request.as_bytes());
        refused(&mut client, status);
    };
    ask(format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "x".repeat(5000)), 414);
    ask(format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(5000)), 431);
    ask(format!("GET / HTTP/1.1\r\nHost: test\r\n{}\r\n", "X: y\r\n".repeat(20)), 431);
    ask(format!("GET /{}", "x".repeat(300_000)), 414);
    ask("GET / HTTP/1.1\r\n\r\n".into(), 400);
    // Just below the bounds all is well.
    let mut client = server.connect();
    assert_eq!(client.request(format!("GET / HTTP/1.1\r\nHost: test\r\n{}\r\n", "X: y\r\n".repeat(19))).status, 200);
    assert_eq!(client.get(&format!("/?{}", "x".repeat(4000))).status, 200);
    server.stop();
}

#[test]
pub(crate) fn heads_that_are_too_large_are_refused() {
    heads(Engine::chosen());
}

pub(crate) fn bodies(engine: Engine) {
    let server = Setup::new("lab.cjs").engine(engine).set("limits.body_bytes_max", 100_000).start();
    let mut client = server.connect();
    client.send("POST /sum HTTP/1.1\r\nHost: test\r\nContent-Length: 100001\r\n\r\n");
    refused(&mut client, 413);

    let mut client = server.connect();
    client.send("POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("c350\r\n{}\r\n", "x".repeat(50_000));
    for _ in 0..10 {
        let _broken_pipe = client.try_send(chunk.as_bytes());
    }
    refused(&mut client, 413);

    let mut client = server.connect();
    client
        .send(format!("POST /sum HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"));
    assert_eq!(client.response().json()["bytes"], 100_000);
    assert_eq!(client.post("/sum", vec![b'x'; 100_000]).json()["bytes"], 100_000);
    server.stop();
}

#[test]
pub(crate) fn bodies_that_are_too_large_are_refused_by_length_and_by_count() {
    bodies(Engine::chosen());
}

#[test]
fn a_body_without_a_bound_may_be_of_any_size() {
    let server = Setup::new("lab.cjs").set("limits.body_bytes_max", 0).start();
    assert_eq!(server.connect().post("/sum", vec![b'x'; 35_000_000]).json()["bytes"], 35_000_000);
    server.stop();
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_answered_with_408() {
    let server = Setup::new("lab.cjs").set("limits.head_timeout", "\"1s\"").start();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: te");
    refused(&mut client, 408);
    // Nor does it help to drip, nor to come again on a connection that was good once.
    let mut client = server.connect();
    assert_eq!(client.get("/").status, 200);
    let began = Instant::now();
    let endless = "GET / HTTP/1.1\r\nHost: test\r\nX-Slow: ".bytes().chain(std::iter::repeat(b'z'));
    for byte in endless {
        if client.has_bytes() || client.try_send(&[byte]).is_err() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "still served");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(client.response().status, 408);
    server.stop();
}

#[test]
pub(crate) fn a_body_that_does_not_come_to_its_end_is_answered_with_408() {
    let server = Setup::new("lab.cjs").set("limits.body_idle_timeout", "\"2s\"").start();
    for framing in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let mut client = server.connect();
        client.send(format!("POST /upload HTTP/1.1\r\nHost: test\r\n{framing}"));
        refused(&mut client, 408);
    }
    // A body that goes on, however slowly, is not late.
    let mut client = server.connect();
    client.send("POST /sum HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n");
    for _ in 0..10 {
        client.send("x");
        std::thread::park_timeout(Duration::from_millis(300));
    }
    assert_eq!(client.response().json()["bytes"], 10);
    server.stop();
}

#[test]
fn a_client_that_was_not_told_to_continue_is_not_late() {
    // The application takes its time before it says that it wants the body.
    let server = Setup::new("lab.cjs").env("LAB_EXPECT_MS", 2500).set("limits.body_idle_timeout", "\"1s\"").start();
    let mut client = server.connect();
    client.send("POST /sum HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head().status, 100);
    assert_eq!(client.request("body").json()["bytes"], 4);
    server.stop();
}

#[test]
pub(crate) fn a_response_that_stands_still_is_cut() {
    let server = Setup::new("lab.cjs").set("limits.response_idle_timeout", "\"1s\"").start();
    let mut client = server.connect();
    client.send("GET /sse HTTP/1.1\r\nHost: test\r\n\r\n");
    client.until("data: first\n\n");
    let rest = client.rest();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the part must not look like the whole");
    server.stop();
}

#[test]
pub(crate) fn a_silent_tunnel_is_closed() {
    let server = Setup::new("upgrade.cjs").set("limits.tunnel_idle_timeout", "\"2s\"").start();
    let mut client = server.connect();
    let request = "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: lines\r\nConnection: upgrade\r\n\r\n";
    assert_eq!(client.request(request).status, 101);
    for _ in 0..10 {
        client.send("x");
        assert_eq!(client.exactly(1), b"x");
        std::thread::park_timeout(Duration::from_millis(300));
    }
    client.is_closed();
    server.stop();
}
