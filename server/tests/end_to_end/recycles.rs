//! Recycles: how the application asks for one, and that none costs a request, however many there are.

use forebay::signals::Order;

use super::load::Load;
use super::server::Server;
use super::setup::Setup;
use super::system::{folder, is_alive};
use super::wait::until;

fn recycles() -> Setup {
    Setup::new("recycles.cjs").set("workers.control_pipe", true)
}

fn ask(server: &Server, say: &str) {
    assert_eq!(server.connect().get(&format!("/ask?{say}")).text(), "asked");
}

fn pid(server: &Server) -> String {
    let answer = server.connect().get("/");
    assert_eq!(answer.text(), "Hello, world!");
    answer.field("processpid").unwrap().to_owned()
}

#[test]
fn a_worker_that_asks_for_a_recycle_gets_one() {
    let server = recycles().start();
    let mut before = pid(&server);
    for say in ["say=recycle", "say=RECYCLE%0A", "say=rec&say=ycle"] {
        // One that was asked for so soon that it is the one before is not asked for again.
        std::thread::park_timeout(std::time::Duration::from_millis(1100));
        ask(&server, say);
        until(&format!("there is another process after {say}"), || pid(&server) != before);
        before = pid(&server);
    }
    assert_eq!(server.log_count("the application asks for a recycle"), 3, "{}", server.log());
    server.stop();
}

#[test]
fn several_that_are_asked_for_together_are_one() {
    let server = recycles().start();
    let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    let ask = "GET /ask?say=recycle&say=recycle HTTP/1.1\r\nHost: test\r\n\r\n";
    clients.iter_mut().for_each(|client| client.send(ask));
    assert!(clients.iter_mut().all(|client| client.response().text() == "asked"));
    server.log_has("reload done");
    until("all were heard", || server.log_count("the application asks for a recycle") >= 5);
    assert_eq!(server.log_count("reload: starting"), 1, "{}", server.log());
    server.stop();
}

#[test]
fn what_is_not_understood_is_refused() {
    let server = recycles().start();
    let before = pid(&server);
    ask(&server, "say=shutdown%20now");
    server.log_has("control pipe: \"shutdown now\" is not understood, allowed: recycle");
    assert_eq!(pid(&server), before);
    server.stop();
}

#[test]
fn without_the_setting_there_is_no_pipe() {
    let server = Setup::new("recycles.cjs").start();
    assert_eq!(server.connect().get("/").text(), "no pipe");
    server.stop();
}

/// How often; `FOREBAY_RECYCLES` says another number.
fn times() -> usize {
    std::env::var("FOREBAY_RECYCLES").map_or(9, |text| text.parse().unwrap())
}

#[test]
fn recycles_of_every_kind_under_load_fail_no_request() {
    let dir = folder();
    let script = dir.path().join("app.cjs");
    std::fs::copy(super::setup::apps().join("recycles.cjs"), &script).unwrap();
    let server =
        Setup::new(&script).set("workers.control_pipe", true).set("watch.files", "[\"*.cjs\"]").workers(2).start();
    let request = |n: usize| match n % 2 {
        0 => (format!("GET /?{n} HTTP/1.1\r\nHost: test\r\n\r\n"), "Hello, world!".to_owned()),
        _ => (
            format!("POST /?{n} HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n{n:05}"),
            "Hello, world!".to_owned(),
        ),
    };
    let load = Load::start(server.address, 16, request);
    for n in 0..times() {
        load.goes_on(50);
        let done = server.log_count("reload done");
        match n % 3 {
            0 => server.tell(Order::Reload),
            1 => std::fs::write(dir.path().join("touched.cjs"), format!("// {n}")).unwrap(),
            // It may be taken for the one before, which is too short ago.
            _ => until("it is asked for one", || {
                ask(&server, "say=recycle");
                std::thread::park_timeout(std::time::Duration::from_millis(100));
                server.log_count("reload done") > done
            }),
        }
        until("it is done", || server.log_count("reload done") > done);
    }
    load.goes_on(50);
    let tally = load.stop();
    println!("{} recycles of two workers: {tally}", times());
    assert_eq!((tally.failed, tally.cut), (0, 0), "{tally}\n{}", server.log());
    until("only the last ones are left", || server.ready_pids().iter().filter(|&&pid| is_alive(pid)).count() == 2);
    server.stop();
}
