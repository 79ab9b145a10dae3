//! Clients that pipeline, half-close, leave, and speak HTTP/1.0.

use super::harness::Front;
use super::{GET, OK};

#[test]
fn pipelined_requests_are_answered_one_by_one_and_in_order() {
    let front = Front::start();
    let worker = front.worker();
    let mut client = front.connect();
    let asked = |n: u8| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send(&[asked(1), asked(2), asked(3)].concat());
    let mut upstream = worker.accept();
    for n in 1..=3 {
        upstream.expect(&asked(n));
        upstream.expect_quiet();
        let answer = format!("HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 1\r\n\r\n{n}");
        upstream.send(&answer);
        client.expect(&answer);
    }
    client.expect_quiet();
}

#[test]
fn a_client_that_ends_its_direction_with_its_request_is_answered() {
    let front = Front::start();
    let worker = front.worker();
    // That the end is seen in time hangs on the scheduler; so does that of `nc -N`.
    let answered = (0..20).any(|_| {
        let mut client = front.connect();
        client.send(&GET.repeat(2));
        client.end();
        let mut upstream = worker.accept();
        upstream.until("\r\n\r\n");
        upstream.send(OK);
        client.expect(OK);
        upstream.until("\r\n\r\n");
        upstream.try_send(OK) && client.until_end() == OK
    });
    assert!(answered);
}

#[test]
fn a_client_that_leaves_is_told_to_the_worker() {
    let front = Front::start();
    let worker = front.worker();
    let (client, mut upstream) = front.exchange(&worker, GET);
    drop(client);
    upstream.expect_end();

    let (mut client, mut upstream) = front.exchange(&worker, GET);
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    client.until("1\r\na\r\n");
    drop(client);
    upstream.expect_end();
}

#[test]
fn a_client_of_http_1_0_gets_data_and_the_end() {
    let front = Front::start();
    let worker = front.worker();
    let mut client = front.connect();
    client.send("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    let mut upstream = worker.accept();
    upstream.expect("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
    upstream.send("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\nA: b\r\n\r\n");
    client.expect("HTTP/1.1 200 OK\r\nDate: then\r\nConnection: close\r\n\r\nok");
    client.expect_end();
}

#[test]
fn a_refused_request_is_answered_and_the_connection_closed() {
    let front = Front::start();
    let worker = front.worker();
    let mut client = front.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 400 "));
    client.until("\n");
    client.expect_end();
    // The worker never heard of it.
    let (_client, mut upstream) = front.exchange(&worker, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.expect_quiet();
}

#[test]
fn without_a_worker_a_502_comes_at_once_and_the_connection_stays() {
    let front = Front::start();
    let mut client = front.connect();
    for _ in 0..2 {
        client.send(GET);
        let head = client.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 502 ") && !head.contains("Connection"), "{head}");
        client.until("\n");
    }
    let worker = front.worker();
    client.send(GET);
    let mut upstream = worker.accept();
    upstream.expect(GET);
    upstream.send(OK);
    client.expect(OK);
}
