//! Connections are used again on both sides, and closed where one side wants that.

use std::time::Duration;

use super::setup::{Engine, Setup, Transport};
use super::wait::until;

#[test]
fn pipelined_requests_are_answered_in_order() {
    pipelined(Engine::chosen());
}

pub(crate) fn pipelined(engine: Engine) {
    let server = Setup::new("lab.cjs").engine(engine).start();
    let mut client = server.connect();
    let mut all = String::new();
    for n in 0..100 {
        all += &match n % 4 {
            0 => format!("GET /info?{n} HTTP/1.1\r\nHost: test\r\n\r\n"),
            1 => format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n{n:3}"),
            2 => format!(
                "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{n:3}\r\n0\r\n\r\n"
            ),
            _ => format!("\r\nGET /slow?ms=1&{n} HTTP/1.1\r\nHost: test\r\n\r\n"),
        };
    }
    client.send(all);
    for n in 0..100 {
        let response = client.response();
        match n % 4 {
            0 => assert_eq!(response.json()["url"], format!("/info?{n}")),
            1 | 2 => assert_eq!(response.text(), format!("{n:3}")),
            _ => assert_eq!(response.text(), "slow"),
        }
    }
    server.stop();
}

#[test]
pub(crate) fn one_connection_serves_many_requests_and_reuses_one_to_the_worker() {
    let server = Setup::new("lab.cjs").set("app.node_args", "[\"--require=./count-connections.cjs\"]").start();
    let mut client = server.connect();
    for n in 0..200 {
        let response = client.post("/echo", format!("{n}"));
        assert_eq!((response.status, response.field("connection")), (200, None));
    }
    let opened: u32 = client.get("/").field("x-connections").unwrap().parse().unwrap();
    // One is the supervisor's question whether the worker listens.
    assert!(opened <= 3, "{opened} connections for 200 requests one after the other");
    server.stop();
}

#[test]
pub(crate) fn a_client_or_an_application_that_wants_to_close_is_obeyed() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    let response = client.request("GET /length HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!((response.text().as_str(), response.field("connection").unwrap().as_str()), ("hello", "close"));
    client.is_closed();
    let mut client = server.connect();
    match Transport::chosen() {
        // What it says about a connection of its own is not the client's business.
        Transport::Http => (0..3).for_each(|_| assert_eq!(client.get("/last").text(), "last")),
        // With frames it has no other connection than the client's.
        Transport::Auto => {
            let response = client.get("/last");
            assert_eq!((response.text(), response.field("connection")), ("last".into(), Some("close".into())));
            client.is_closed();
        }
    }
    server.stop();
}

/// Clients whose rests end around the moment at which node closes, a little before and a little after.
fn posts_after_rests(keep_alive_ms: u64, rounds: u64) {
    let server = Setup::new("lab.cjs").env("LAB_KEEP_ALIVE_MS", keep_alive_ms).start();
    let rest = |round: u64, thread: u64| Duration::from_millis(keep_alive_ms - 40 + (round * 9 + thread * 3) % 90);
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for round in 0..rounds {
                    let text = format!("{thread}.{round}");
                    let response = client.post("/echo", &text);
                    assert_eq!((response.status, response.text()), (200, text));
                    std::thread::park_timeout(rest(round, thread));
                }
            });
        }
    });
    server.stop();
}

#[test]
pub(crate) fn posts_after_a_rest_never_meet_a_connection_that_the_worker_is_closing() {
    posts_after_rests(1000, 5);
}

#[test]
pub(crate) fn posts_after_a_rest_never_meet_a_connection_of_a_worker_that_closes_at_once() {
    posts_after_rests(50, 50);
}

#[test]
fn a_resting_client_is_closed_in_time_without_a_word() {
    let server = Setup::new("lab.cjs").set("limits.keep_alive_timeout", "\"1s\"").start();
    let (mut fresh, mut used) = (server.connect(), server.connect());
    assert_eq!(used.get("/").status, 200);
    fresh.is_closed();
    used.is_closed();
    server.stop();
}

pub(crate) fn thousand(engine: Engine) {
    const CLIENTS: usize = 1000;
    let server = Setup::new("lab.cjs").engine(engine).workers(2).start();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    for round in 0..2 {
        for client in &mut clients {
            client.send(format!("GET /info?{round} HTTP/1.1\r\nHost: test\r\n\r\n"));
        }
        for client in &mut clients {
            assert_eq!(client.response().json()["url"], format!("/info?{round}"));
        }
    }
    let memory = server.memory().now_kib;
    println!("{CLIENTS} resting clients: the server has {memory} KiB");
    server.stop();
    for client in &mut clients {
        client.is_closed();
    }
}

#[test]
fn a_thousand_resting_clients_are_each_answered() {
    thousand(Engine::chosen());
}

#[test]
pub(crate) fn what_a_worker_says_unasked_is_nobodys_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (app, said) = (folder.path().join("stray.cjs"), folder.path().join("said"));
    let script = "const fs = require('fs');
        require('http').createServer((req, res) => {
            const { socket } = req, stray = 'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nstray';
            res.end('own');
            if (req.url === '/stray') setTimeout(() => socket.write(stray, () => fs.writeFileSync('SAID', '')), 5);
        }).listen(process.env.PORT);";
    std::fs::write(&app, script.replace("SAID", &said.to_str().unwrap().replace('\\', "/"))).unwrap();
    let server = Setup::new(&app).start();
    for _ in 0..5 {
        assert_eq!(server.connect().get("/stray").text(), "own");
        until("the worker has said it", || std::fs::remove_file(&said).is_ok());
        assert_eq!(server.connect().get("/").text(), "own");
    }
    server.stop();
}
