//! Workers that are killed under load cost their clients nothing.

use std::time::{Duration, Instant};

use super::load::Load;
use super::setup::{Engine, Setup};
use super::system::{is_alive, kill};
use super::wait::until;

/// Connections of the load.
const CONNECTIONS: usize = 32;

/// How often a worker is killed, once a second; `FOREBAY_TEST_KILLS` says another number.
fn kills() -> usize {
    std::env::var("FOREBAY_TEST_KILLS").map_or(6, |text| text.parse().unwrap())
}

pub(crate) fn killed_under_load(engine: Engine, kills: usize) {
    kill_again_and_again(Setup::new("lab.cjs").engine(engine), kills);
}

fn kill_again_and_again(setup: Setup, kills: usize) {
    let server = setup.workers(2).start();
    let request = |n| (format!("GET /info?{n} HTTP/1.1\r\nHost: test\r\n\r\n"), format!("/info?{n}\""));
    let load = Load::start(server.address, CONNECTIONS, request);
    for n in 0..kills {
        load.goes_on(100);
        // The one that has lived longest.
        let victim = server.ready_pids().into_iter().find(|&pid| is_alive(pid)).unwrap();
        let next = Instant::now() + Duration::from_secs(1);
        kill(victim);
        until("there is another worker", || server.ready_pids().len() == 3 + n);
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
    }
    load.goes_on(100);
    let tally = load.stop();
    println!("{kills} kills of one of two workers, {CONNECTIONS} connections: {tally}");
    assert_eq!(tally.failed, 0, "{tally}\n{}", server.log());
    // Each kill can cut at most what the worker was sending; its responses are small.
    assert!(tally.cut <= kills * CONNECTIONS, "{tally}");
    server.stop();
}

#[test]
fn killing_a_worker_every_second_fails_no_request() {
    killed_under_load(Engine::chosen(), kills());
}

#[test]
pub(crate) fn killing_a_worker_fails_no_request_on_a_connection_of_its_own() {
    // Less than a second is announced as none, so that no connection to the worker is used again. That a killed worker
    // closed such a one must not be taken for what it had to say: its sockets go one by one, the listening one last.
    kill_again_and_again(Setup::new("lab.cjs").env("LAB_KEEP_ALIVE_MS", 500), kills());
}

#[test]
pub(crate) fn killing_the_only_worker_makes_requests_wait() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    for n in 0..3 {
        assert_eq!(client.get("/").status, 200);
        kill(server.ready_pids()[n]);
        assert_eq!(client.post("/echo", "safe").text(), "safe", "nothing of it has reached a worker");
        until("the log has it", || server.ready_pids().len() == n + 2);
    }
    assert!(server.log_count("crashed: ") == 3, "{}", server.log());
    server.stop();
}

#[test]
fn nothing_is_left_of_a_server_that_is_killed() {
    let mut server = Setup::new("lab.cjs").workers(2).start();
    let pids = server.ready_pids();
    assert!(pids.len() == 2 && pids.iter().all(|&pid| is_alive(pid)));
    server.kill();
    server.wait();
    until("the workers are gone", || !pids.iter().any(|&pid| is_alive(pid)));
}
