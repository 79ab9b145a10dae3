//! Twenty reloads and twenty sudden ends of a worker, a few clients, and no request that fails.

use super::load::Load;
use super::reloads::reload;
use super::setup::Setup;
use super::system::{is_alive, kill};
use super::wait::until;

/// Connections of the load: few enough for a machine on which everything is slow.
const CONNECTIONS: usize = 8;

/// Of each kind.
const CHANGES: usize = 20;

#[test]
pub(crate) fn twenty_reloads_and_twenty_kills_fail_no_request() {
    let server = Setup::new("lab.cjs").workers(2).start();
    let request = |n| (format!("GET /info?{n} HTTP/1.1\r\nHost: test\r\n\r\n"), format!("/info?{n}\""));
    let load = Load::start(server.address, CONNECTIONS, request);
    for _ in 0..CHANGES {
        load.goes_on(20);
        reload(&server);
        let ready = server.ready_pids();
        // Of those that serve: the ones before them may be on their way out already.
        let victim = ready[ready.len() - 1];
        load.goes_on(20);
        kill(victim);
        until("it is gone", || !is_alive(victim));
        until("there is another worker", || server.ready_pids().len() > ready.len());
    }
    load.goes_on(20);
    let tally = load.stop();
    println!("{CHANGES} reloads and {CHANGES} kills, {CONNECTIONS} connections: {tally}");
    assert_eq!(tally.failed, 0, "{tally}\n{}", server.log());
    // A response that was under way is cut, and the client knows: at most what the worker was sending.
    assert!(tally.cut <= CHANGES * CONNECTIONS, "{tally}");
    server.stop();
}
