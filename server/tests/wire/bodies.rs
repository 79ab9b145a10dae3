//! Request bodies: expected, streamed, broken, and not waited for.

use super::harness::Front;
use super::{GET, OK};

const EXPECTS: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";

#[test]
fn the_worker_decides_about_an_expectation() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, EXPECTS);
    upstream.send("HTTP/1.1 100 Continue\r\n\r\n");
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi");
    upstream.expect("hi");
    upstream.send(OK);
    client.expect(OK);
    client.send(GET);
    upstream.expect(GET);
    upstream.send(OK);
    client.expect(OK);

    // Refused: what the client sends next may be the body or a request, so nothing is read any more.
    client.send(EXPECTS);
    upstream.expect(EXPECTS);
    upstream.send("HTTP/1.1 413 Too Much\r\nDate: then\r\nContent-Length: 0\r\n\r\n");
    client.expect("HTTP/1.1 413 Too Much\r\nDate: then\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.expect_end();
    upstream.expect_end();
}

#[test]
fn an_early_response_does_not_end_the_request() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) =
        front.exchange(&worker, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    upstream.expect("2\r\nab\r\n");
    upstream.send(OK);
    client.expect(OK);
    client.send(&["2;x=\"y\"\r\ncd\r\n0\r\nX-Sum: 1\r\n\r\n", GET].concat());
    upstream.expect("2\r\ncd\r\n0\r\nX-Sum: 1\r\n\r\n");
    upstream.expect(GET);
    upstream.send(OK);
    client.expect(OK);
}

#[test]
fn a_worker_that_has_heard_enough_ends_the_connection() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) =
        front.exchange(&worker, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nab");
    upstream.send("HTTP/1.1 413 Too Much\r\nDate: then\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
    drop(upstream);
    let head = client.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 413 Too Much\r\n"));
    assert!(
        head.contains("\r\nConnection: close\r\n"),
        "a client that is not told sends its next request here: {head}"
    );
    client.expect("no");
    while client.try_send(&"x".repeat(1000)) {}
}

#[test]
fn a_broken_body_is_refused() {
    let front = Front::start();
    let worker = front.worker();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    // It came with its head: the worker hears of nothing.
    let mut client = front.connect();
    client.send(&[head, "2\r\nabc\r\n0\r\n\r\n"].concat());
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 400 "));
    client.until("\n");
    client.expect_end();
    // It came later: the worker sees the connection end before the body did.
    let (mut client, mut upstream) = front.exchange(&worker, &[head, "2\r\nab"].concat());
    upstream.expect("2\r\nab\r\n");
    client.send("\n");
    upstream.expect_end();
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 400 "));
    client.until("\n");
    client.expect_end();
}

#[test]
fn a_body_that_stops_coming_is_given_up() {
    let front = Front::start_with("[limits]\nbody_idle_timeout = \"200ms\"\n");
    let worker = front.worker();
    let (mut client, mut upstream) =
        front.exchange(&worker, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    upstream.expect("ab");
    upstream.expect_end();
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 408 "));
}

#[test]
fn a_client_that_leaves_within_its_body_is_told_to_the_worker() {
    let front = Front::start();
    let worker = front.worker();
    let (client, mut upstream) = front.exchange(&worker, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    upstream.expect("ab");
    client.end();
    upstream.expect_end();
}
