//! The first bytes of a response wait for more, where that is asked for, and never for ever.

use std::time::Duration;

use super::harness::Front;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Less than gathering lasts, more than bytes need that are not held back.
const MOMENT: Duration = Duration::from_millis(300);

#[test]
fn pieces_are_sent_together_at_the_end() {
    let front = Front::start_with("response.gather_bytes_max = \"1MiB\"\n");
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, GET);
    upstream.send("HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    client.expect_quiet_for(MOMENT);
    upstream.send("1\r\nb\r\n0\r\n\r\n");
    client.expect("HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    // The connection goes on, and the next response is gathered anew.
    client.send(GET);
    upstream.until("\r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\na");
    client.expect_quiet_for(MOMENT);
    upstream.send("b");
    client.expect("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nab");
}

#[test]
fn what_has_waited_a_second_flows_from_then_on() {
    let front = Front::start_with("response.gather_bytes_max = \"1MiB\"\n");
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, GET);
    upstream.send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\na");
    client.until("\r\n\r\na");
    upstream.send("b");
    client.until("b");
    upstream.send("c");
    client.expect("c");
}

#[test]
fn enough_is_sent_at_once_and_a_window_is_enough() {
    for gathered in ["\"20KiB\"", "\"1GiB\""] {
        let front =
            Front::start_with(&format!("response.gather_bytes_max = {gathered}\nlimits.window_bytes = \"64KiB\"\n"));
        let worker = front.worker();
        let (mut client, mut upstream) = front.exchange(&worker, GET);
        // Sockets hold less than this: it has to flow for the worker to come to its end.
        let body = "x".repeat(8 << 20);
        let writer = std::thread::spawn(move || {
            upstream.send(&format!("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: {}\r\n\r\n", body.len() + 1));
            upstream.send(&body);
            upstream
        });
        client.until("\r\n\r\n");
        client.expect(&"x".repeat(8 << 20));
        writer.join().unwrap().send("y");
        client.expect("y");
    }
}

#[test]
fn events_do_not_wait_and_neither_does_anything_unless_asked_for() {
    for (config, kind) in [("response.gather_bytes_max = \"1MiB\"\n", "text/event-stream"), ("", "text/plain")] {
        let front = Front::start_with(config);
        let worker = front.worker();
        let (mut client, mut upstream) = front.exchange(&worker, GET);
        let began = std::time::Instant::now();
        upstream.send(&format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\na"));
        client.until("\r\n\r\na");
        assert!(began.elapsed() < Duration::from_secs(1), "it was held back");
    }
}

#[test]
fn what_breaks_off_while_it_is_gathered_is_answered_for() {
    let front = Front::start_with("response.gather_bytes_max = \"1MiB\"\nresponse.debug_header = true\n");
    let worker = front.worker();
    let (mut client, mut upstream) = front.exchange(&worker, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na");
    client.expect_quiet_for(MOMENT);
    drop(upstream);
    let head = client.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 502 ") && head.contains("X-Forebay-Status: 502.1016\r\n"), "{head}");
    client.until("broke off.\n");
    // Nobody takes it for a response that was begun: the connection goes on.
    client.send(GET);
    let mut upstream = worker.accept();
    upstream.until("\r\n\r\n");
    upstream.send("HTTP/1.1 204 No Content\r\n\r\n");
    client.until("\r\n\r\n");
}
