//! Workers' connections that end: what is tried again, and what is not.

use super::harness::{Front, Wire, Worker};
use super::{GET, OK};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

/// A client and a worker's connection that have an exchange behind them.
fn rested(front: &Front, worker: &Worker) -> (Wire<TcpStream>, Wire<UnixStream>) {
    let (mut client, mut upstream) = front.exchange(worker, GET);
    upstream.send(OK);
    client.expect(OK);
    (client, upstream)
}

fn answers(worker: &Worker, request: &str, client: &mut Wire<TcpStream>) {
    let mut upstream = worker.accept();
    upstream.expect(request);
    upstream.send(OK);
    client.expect(OK);
}

#[test]
fn a_connection_closed_at_rest_costs_no_request() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, upstream) = rested(&front, &worker);
    drop(upstream);
    client.send(POST);
    answers(&worker, POST, &mut client);
}

#[test]
fn a_request_the_worker_has_not_read_is_repeated() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, upstream) = rested(&front, &worker);
    client.send(POST);
    drop(upstream.into_unread());
    answers(&worker, POST, &mut client);
}

#[test]
fn a_request_the_worker_may_have_read_is_repeated_if_it_is_idempotent() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) = rested(&front, &worker);
    client.send(GET);
    upstream.expect(GET);
    drop(upstream);
    answers(&worker, GET, &mut client);

    let (mut client, mut upstream) = rested(&front, &worker);
    client.send(POST);
    upstream.expect(POST);
    drop(upstream);
    assert!(client.until("\n").starts_with("HTTP/1.1 502 "));
}

#[test]
fn a_deliberate_close_is_not_asked_for_twice() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, upstream) = front.exchange(&worker, GET);
    drop(upstream);
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 502 "));
    client.until("\n");
    // The front looked whether the worker still listens; no request came with that.
    worker.accept().expect_end();
    client.send(POST);
    answers(&worker, POST, &mut client);
}

#[test]
fn a_response_cut_short_is_not_completed() {
    let front = Front::start();
    let worker = front.worker();
    for framing in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let (mut client, mut upstream) = front.exchange(&worker, GET);
        let part = format!("HTTP/1.1 200 OK\r\nDate: then\r\n{framing}\r\n\r\n3\r\nabc");
        upstream.send(&part);
        drop(upstream);
        client.expect(&part);
        client.expect_end();
    }
}
