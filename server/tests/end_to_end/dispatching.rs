//! Who gets a request: each worker in turn, or the one that a cookie names.

use super::server::Server;
use super::setup::Setup;
use super::system::kill;
use super::wait::until;

fn in_turn(workers: usize) -> Setup {
    Setup::new("lab.cjs").workers(workers).set("workers.dispatch", "\"round_robin\"")
}

/// What a counter in each process says to requests one after the other, each on a connection of its own.
fn counts(server: &Server, requests: usize) -> Vec<u64> {
    (0..requests).map(|_| server.connect().get("/order").json().as_u64().unwrap()).collect()
}

#[test]
pub(crate) fn each_worker_has_its_turn() {
    let server = in_turn(2).start();
    assert_eq!(counts(&server, 4), [1, 1, 2, 2]);
    server.stop();
    let server = in_turn(4).set("shards.count", 2).start();
    assert_eq!(counts(&server, 8), [1, 1, 1, 1, 2, 2, 2, 2]);
    server.stop();
}

#[test]
fn requests_that_come_before_the_workers_are_ready_go_round_too() {
    let server = in_turn(4).early().start();
    assert_eq!(counts(&server, 8), [1, 1, 1, 1, 2, 2, 2, 2]);
    server.stop();
}

#[test]
fn a_worker_that_cannot_start_is_not_waited_for_for_ever() {
    // Of two, the second one never listens.
    let server = in_turn(2).env("LAB_MUTE_WORKER", 1).early().start();
    assert_eq!(counts(&server, 2), [1, 2]);
    server.stop();
}

fn with_cookie(server: &Server, cookie: &str, more: &str) -> (u64, Option<String>) {
    let field = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
    let request = format!("GET /info HTTP/1.1\r\nHost: test\r\n{field}{more}\r\n");
    let response = server.connect().request(request);
    (response.json()["pid"].as_u64().unwrap(), response.field("set-cookie"))
}

#[test]
pub(crate) fn a_cookie_ties_a_client_to_its_worker() {
    let server = in_turn(2).set("workers.affinity", "\"cookie\"").start();
    let (first, cookie) = with_cookie(&server, "", "");
    let (second, other) = with_cookie(&server, "a=b", "");
    assert_ne!(first, second);
    assert_eq!(cookie.as_deref(), Some("iisnode.session.cookie=0; Path=/; HttpOnly; SameSite=Lax"));
    assert_eq!(other.as_deref(), Some("iisnode.session.cookie=1; Path=/; HttpOnly; SameSite=Lax"));
    for _ in 0..4 {
        assert_eq!(with_cookie(&server, "a=b; iisnode.session.cookie=0; c=d", ""), (first, None));
        assert_eq!(with_cookie(&server, "iisnode.session.cookie=1", ""), (second, None));
    }
    // One that names nobody is replaced.
    assert!(with_cookie(&server, "iisnode.session.cookie=2", "").1.is_some());
    // The worker's successor is meant as well.
    kill(u32::try_from(first).unwrap());
    until("there is another worker", || server.ready_pids().len() == 3);
    let successor = u64::from(server.ready_pids()[2]);
    assert_eq!(with_cookie(&server, "iisnode.session.cookie=0", ""), (successor, None));
    server.stop();
}

#[test]
fn the_cookie_is_for_https_alone_where_that_was_used() {
    let setup =
        Setup::new("lab.cjs").set("workers.affinity", "\"cookie\"").set("forwarding.trusted", "[\"127.0.0.1\"]");
    let server = setup.start();
    let (_, cookie) = with_cookie(&server, "", "X-Forwarded-Proto: https\r\n");
    assert_eq!(cookie.as_deref(), Some("iisnode.session.cookie=0; Path=/; HttpOnly; SameSite=Lax; Secure"));
    server.stop();
}
