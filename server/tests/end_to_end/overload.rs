//! Too many requests, no worker, a silent or a dying one: what is answered, and what is tried again.

use super::client::Client;
use super::response::Response;
use super::setup::{Engine, Setup, Transport};
use super::wait::until;

fn shed(response: &Response, reason: &str) {
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.field("x-forebay-reason").unwrap(), reason);
    assert!(response.field("retry-after").unwrap().parse::<u32>().unwrap() > 0);
}

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n";

/// A server whose only place is taken; the client that has it.
fn full(setup: Setup) -> (super::server::Server, Client) {
    let server = setup.set("limits.in_flight_max", 1).start();
    let mut first = server.connect();
    first.send(WAIT);
    server.log_has("lab has /wait");
    (server, first)
}

#[test]
pub(crate) fn beyond_the_queue_requests_are_refused_at_once() {
    let (server, _first) = full(Setup::new("lab.cjs").set("limits.queue_max", 0));
    let mut client = server.connect();
    for _ in 0..3 {
        shed(&client.get("/"), "queue_full");
    }
    server.stop_at_once();
}

pub(crate) fn queue_timeout(engine: Engine) {
    let (server, _first) = full(Setup::new("lab.cjs").engine(engine).set("limits.queue_timeout", "\"1s\""));
    let mut client = server.connect();
    shed(&client.get("/"), "queue_timeout");
    shed(&client.post("/sum", "abc"), "queue_timeout");
    server.stop_at_once();
}

#[test]
pub(crate) fn requests_that_wait_too_long_for_their_turn_are_refused() {
    queue_timeout(Engine::chosen());
}

#[test]
pub(crate) fn requests_in_the_queue_are_served_in_the_order_of_arrival() {
    let (server, first) = full(Setup::new("lab.cjs").set("limits.queue_timeout", "\"25s\""));
    let mut waiting: Vec<_> = (0..20)
        .map(|n| {
            let mut client = server.connect();
            client.send(format!("POST /order HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{n:02}"));
            // One after the other: the shard reads in the order in which the kernel says so.
            std::thread::park_timeout(std::time::Duration::from_millis(10));
            client
        })
        .collect();
    drop(first);
    let order: Vec<u64> = waiting.iter_mut().map(|client| client.response().json().as_u64().unwrap()).collect();
    assert_eq!(order, (1..=20).collect::<Vec<_>>());
    server.stop();
}

#[test]
pub(crate) fn without_a_worker_requests_are_refused_after_a_while() {
    let server = Setup::new("mute.cjs").early().set("limits.ready_wait_timeout", "\"1s\"").start();
    let mut client = server.connect();
    shed(&client.get("/"), "no_worker");
    shed(&client.get("/"), "no_worker");
    server.stop();
}

#[test]
pub(crate) fn beyond_the_bound_clients_are_told_so_and_closed() {
    let server = Setup::new("lab.cjs").set("limits.connections_max", 2).start();
    let (mut one, mut two) = (server.connect(), server.connect());
    assert_eq!((one.get("/").status, two.get("/").status), (200, 200));
    let mut third = server.connect();
    shed(&third.response(), "connections");
    third.is_closed();
    assert_eq!((one.get("/").status, two.get("/").status), (200, 200));
    drop(one);
    until("there is room again", || server.connect().get("/").status == 200);
    server.stop();
}

#[test]
pub(crate) fn a_silent_worker_is_answered_for_with_504() {
    let server = Setup::new("lab.cjs").set("limits.response_start_timeout", "\"1s\"").start();
    let mut client = server.connect();
    assert_eq!(client.get("/wait").status, 504);
    assert_eq!(client.get("/").status, 200);
    until("the application knows", || client.get("/seen").json()["closed"] == 1);
    server.log_has("did not begin to answer in time");
    server.stop();
}

#[test]
pub(crate) fn something_that_is_no_response_is_answered_for_with_502() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    assert_eq!(client.get("/garbage").status, 502);
    assert_eq!(client.get("/").status, 200);
    if Transport::chosen() == Transport::Auto {
        server.log_has("worker w0 is served over HTTP from here on: the application writes to sockets itself");
        assert_eq!(client.get("/garbage").status, 502);
    }
    server.log_has("sent something that is not a response");
    server.stop();
}

pub(crate) fn dying(engine: Engine) {
    let server = Setup::new("lab.cjs").engine(engine).start();
    let flag = server.dir.path().join("forebay.toml");
    let mut client = server.connect();
    for path in ["/die-in-head", "/die"] {
        let response = client.post(path, "x");
        assert_eq!((response.status, response.field("x-forebay-reason")), (502, None), "{response:?}");
        // The next one waits until there is a worker again.
        assert_eq!(client.get("/").status, 200);
    }
    // What may be repeated is: the worker dies the first time, the next one answers.
    std::fs::remove_file(&flag).unwrap();
    let path = format!("/die-once?flag={}", flag.display());
    let response = client.get(&path);
    assert_eq!((response.status, response.text().as_str()), (200, "alive"));
    // But not for ever.
    assert_eq!(client.get("/die").status, 502);
    assert_eq!(client.get("/").status, 200);
    server.stop();
}

#[test]
pub(crate) fn a_worker_that_dies_costs_a_post_an_answer_and_a_get_nothing() {
    dying(Engine::chosen());
}

#[test]
pub(crate) fn a_response_that_was_begun_by_a_dying_worker_is_cut_and_looks_so() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    client.send("GET /die-in-body HTTP/1.1\r\nHost: test\r\n\r\n");
    let broken = client.try_response(false).expect_err("a part must not look like the whole");
    assert!(broken.begun);
    assert_eq!(server.connect().get("/").status, 200);
    server.stop();
}
