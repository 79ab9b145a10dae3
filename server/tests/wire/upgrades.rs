//! Upgrades: taken, refused, unasked for.

use super::harness::Front;
use super::{GET, OK};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

#[test]
fn a_tunnel_carries_both_directions_to_their_ends() {
    let front = Front::start();
    let worker = front.worker();
    let mut client = front.connect();
    // What comes right behind the request belongs to the new protocol, if the worker agrees to it.
    client.send(&[UPGRADE, "early"].concat());
    let mut upstream = worker.accept();
    upstream.expect(UPGRADE);
    upstream.expect_quiet();
    upstream.send(&[SWITCHED, "first"].concat());
    client.expect(&[SWITCHED, "first"].concat());
    upstream.expect("early");
    client.send("more");
    upstream.expect("more");
    client.end();
    upstream.expect_end();
    upstream.send("last words");
    client.expect("last words");
    upstream.end();
    client.expect_end();
    // Both directions have ended, and with them both connections.
    while upstream.try_send("x") {
        std::thread::yield_now();
    }
}

#[test]
fn a_tunnel_ends_when_the_worker_does() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, UPGRADE);
    upstream.send(SWITCHED);
    client.expect(SWITCHED);
    drop(upstream);
    client.expect_end();
    // Nobody takes what the client still says: the front closes, and does not wait for the client.
    while client.try_send("x") {
        std::thread::yield_now();
    }
}

#[test]
fn after_a_refused_upgrade_only_the_client_stays() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, &[UPGRADE, GET].concat());
    let refused = "HTTP/1.1 400 No\r\nDate: then\r\nContent-Length: 0\r\n\r\n";
    upstream.send(refused);
    client.expect(refused);
    // Node reads no request from a socket that it has given to an upgrade listener.
    upstream.expect_end();
    let mut upstream = worker.accept();
    upstream.expect(GET);
    upstream.send(OK);
    client.expect(OK);
}

#[test]
fn a_switch_nobody_asked_for_ends_both_connections() {
    let front = Front::start();
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, &GET.repeat(2));
    upstream.send(&[SWITCHED, "smuggled"].concat());
    client.expect("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n");
    client.expect_end();
    upstream.expect_end();
}
