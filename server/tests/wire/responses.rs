//! What a worker says, and what a client gets to read of it.

use super::harness::Front;
use super::{GET, OK};

#[test]
fn responses_without_a_body_end_with_their_head() {
    let front = Front::start();
    let worker = front.worker();
    let mut client = front.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut upstream = worker.accept();
    for (method, response) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 7\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\nDate: then\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nDate: then\r\nContent-Length: 7\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", OK),
    ] {
        if method == "GET" {
            client.send(GET);
        }
        assert!(upstream.until("\r\n\r\n").starts_with(method));
        upstream.send(response);
        client.expect(response);
        if response.contains("304") {
            client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
    }
}

#[test]
fn informational_responses_pass_before_the_final_one() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, GET);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    upstream.send(hints);
    client.expect(hints);
    // Several heads in one piece, the last one torn.
    let (start, rest) = OK.split_at(11);
    upstream.send(&[hints, hints, start].concat());
    client.expect(&hints.repeat(2));
    upstream.send(rest);
    client.expect(OK);
}

#[test]
fn bytes_behind_a_response_reach_nobody() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, GET);
    upstream.send(&[OK, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"].concat());
    client.expect(OK);
    upstream.expect_end();

    // The same, only later: on a connection that rests.
    let (mut client, mut upstream) = front.exchange(&worker, GET);
    upstream.send(OK);
    client.expect(OK);
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    client.send(GET);
    let mut upstream = worker.accept();
    upstream.expect(GET);
    upstream.send(OK);
    client.expect(OK);
}

#[test]
fn what_is_no_response_is_a_502_and_the_client_stays() {
    let front = Front::start();
    let worker = front.worker();
    let mut client = front.connect();
    for garbage in [
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
    ] {
        client.send(GET);
        let mut upstream = worker.accept();
        upstream.expect(GET);
        upstream.send(garbage);
        upstream.expect_end();
        assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 502 "));
        client.until("\n");
    }
}

#[test]
fn a_response_without_a_length_ends_with_both_connections() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, &GET.repeat(2));
    upstream.send("HTTP/1.1 200 OK\r\nDate: then\r\n\r\nall");
    client.expect("HTTP/1.1 200 OK\r\nDate: then\r\nConnection: close\r\n\r\nall");
    drop(upstream);
    client.expect_end();
}
