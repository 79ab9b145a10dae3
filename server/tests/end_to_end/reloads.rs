//! A reload replaces every worker and no client notices.

use forebay::signals::Order;

use super::load::Load;
use super::server::Server;
use super::setup::{Engine, Setup};
use super::system::{folder, is_alive};
use super::wait::until;

/// How often; `FOREBAY_TEST_RELOADS` says another number.
fn reloads() -> usize {
    std::env::var("FOREBAY_TEST_RELOADS").map_or(20, |text| text.parse().unwrap())
}

pub(crate) fn reload(server: &Server) {
    let (done, ready) = (server.log_count("reload done"), server.ready_pids().len());
    server.tell(Order::Reload);
    until("the reload is done", || server.log_count("reload done") > done);
    assert!(server.ready_pids().len() > ready);
}

pub(crate) fn under_load(engine: Engine, reloads: usize) {
    let server = Setup::new("lab.cjs").engine(engine).workers(2).start();
    // Every other request is a POST that must never be repeated or lost.
    let request = |n: usize| match n % 2 {
        0 => (format!("GET /info?{n} HTTP/1.1\r\nHost: test\r\n\r\n"), format!("/info?{n}\"")),
        _ => (format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n{n:09}"), format!("{n:09}")),
    };
    let load = Load::start(server.address, 32, request);
    for _ in 0..reloads {
        load.goes_on(100);
        reload(&server);
    }
    load.goes_on(100);
    let tally = load.stop();
    println!("{reloads} reloads of two workers, 32 connections: {tally}");
    assert_eq!((tally.failed, tally.cut), (0, 0), "{tally}\n{}", server.log());
    // Not by their ids, which others may have by now.
    until("only the last ones are left", || server.log_count(" stopped: pid ") + 2 == server.ready_pids().len());
    server.stop();
}

#[test]
fn reloads_under_load_fail_no_request() {
    under_load(Engine::chosen(), reloads());
}

#[test]
pub(crate) fn a_request_in_flight_is_finished_by_the_old_worker() {
    let server = Setup::new("lab.cjs").start();
    let mut old = server.connect();
    old.send("GET /sse HTTP/1.1\r\nHost: test\r\n\r\n");
    old.until("data: first\n\n");
    let mut waits = server.connect();
    waits.send("GET /slow?ms=1500 HTTP/1.1\r\nHost: test\r\n\r\n");
    let before = server.connect().get("/info").json()["pid"].take();
    reload(&server);
    assert_ne!(server.connect().get("/info").json()["pid"], before);
    assert_eq!(waits.response().text(), "slow");
    // The stream still hangs on the old one, which stays for it.
    assert!(is_alive(server.ready_pids()[0]));
    drop(old);
    until("the old one goes when it has nothing left", || !is_alive(server.ready_pids()[0]));
    server.stop();
}

#[test]
fn a_reload_that_fails_leaves_everything_as_it_is() {
    let dir = folder();
    let script = dir.path().join("app.cjs");
    let good = "require('http').createServer((req, res) => res.end('good')).listen(process.env.PORT);";
    std::fs::write(&script, good).unwrap();
    let server = Setup::new(&script).start();
    let mut client = server.connect();
    assert_eq!(client.get("/").text(), "good");
    std::fs::write(&script, "console.error('it is a bad day'); process.exit(3);").unwrap();
    server.tell(Order::Reload);
    server.log_has("reload failed, workers stay as they are");
    server.log_has("it is a bad day");
    assert_eq!(client.get("/").text(), "good");
    std::fs::write(&script, good.replace("good", "better")).unwrap();
    reload(&server);
    until("the new one serves", || client.get("/").text() == "better");
    // A configuration that cannot be read is no reason to stop either.
    std::fs::write(server.dir.path().join("forebay.toml"), "limits.nonsense = 1").unwrap();
    server.tell(Order::Reload);
    until("it is refused", || server.log_count("reload failed, workers stay as they are") == 2);
    assert_eq!(client.get("/").text(), "better");
    std::fs::remove_file(server.dir.path().join("forebay.toml")).unwrap();
    server.stop();
}

#[test]
fn a_reload_changes_limits_and_forwarding_under_open_connections() {
    let server = Setup::new("lab.cjs").set("limits.body_bytes_max", 10).start();
    let mut client = server.connect();
    let tells = |client: &mut super::client::Client| client.get("/info").json()["headers"]["x-forwarded-for"].take();
    assert_eq!(tells(&mut client), "127.0.0.1");
    assert_eq!(server.connect().post("/echo", "more than ten bytes").status, 413);
    let file = server.dir.path().join("forebay.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("limits.body_bytes_max = 10", "limits.body_bytes_max = 20");
    std::fs::write(&file, text + "forwarding.x_forwarded = false\n").unwrap();
    reload(&server);
    // Shards look a few times a second.
    until("the new bound holds", || server.connect().post("/echo", "more than ten bytes").status == 200);
    assert!(tells(&mut client).is_null());
    assert_eq!(server.log_count("needs a restart"), 0, "{}", server.log());
    server.stop();
}
