//! What a failure is called: every stage of an exchange has its sub-status, in the answer and in the access log.

use std::time::Instant;

use super::harness::{DEADLINE, Front, Wire, Worker};

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

/// A front that answers as iisnode would, says so in a header, and tries nothing twice.
fn front(more: &str) -> Front {
    Front::start_with(&format!(
        "limits.attempts_max = 1\nerrors.statuses = \"iisnode\"\nresponse.debug_header = true\n\
         access_log.path = \"access.log\"\naccess_log.format = \"json\"\n{more}"
    ))
}

/// The reason in the access log's next line, from the `from`-th on.
fn logged(front: &Front, from: usize) -> String {
    let since = Instant::now();
    loop {
        let log = std::fs::read_to_string(front.folder().join("access.log")).unwrap_or_default();
        if let Some(line) = log.lines().nth(from) {
            let reason = line.split_once("\"reason\":\"").and_then(|(_, rest)| rest.split('"').next());
            return reason.unwrap_or_default().to_owned();
        }
        assert!(since.elapsed() < DEADLINE, "line {from} of the access log is missing");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

/// What a client gets for a request that the worker treats so.
fn answer(
    front: &Front,
    worker: &Worker,
    request: &str,
    treat: impl FnOnce(&mut Wire<std::os::unix::net::UnixStream>),
) -> String {
    let (mut client, mut upstream) = front.exchange(worker, request);
    treat(&mut upstream);
    drop(upstream);
    client.until("\r\n\r\n")
}

#[track_caller]
fn says(head: &str, code: &str) {
    let status = code.split('.').next().unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert!(head.contains(&format!("X-Forebay-Status: {code}\r\n")), "{head}");
}

#[test]
fn without_a_listener_it_is_1001() {
    let front = front("");
    let mut client = front.connect();
    client.send(POST);
    says(&client.until("\r\n\r\n"), "500.1001");
    assert_eq!(logged(&front, 0), "500.1001");
}

#[test]
fn natively_the_status_is_502_and_nothing_more_is_said() {
    let front = Front::start_with("access_log.path = \"access.log\"\n");
    let mut client = front.connect();
    client.send(POST);
    let head = client.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 502 Bad Gateway\r\n") && !head.contains("X-Forebay"), "{head}");
    let since = Instant::now();
    let file = front.folder().join("access.log");
    while !std::fs::read_to_string(&file).unwrap_or_default().contains(":502.1001 ") {
        assert!(since.elapsed() < DEADLINE);
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_worker_that_takes_no_connection_is_1003() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};
    let front = front("limits.dial_timeout = \"200ms\"\n");
    let path = front.folder().join(format!("{}.sock", front.port()));
    let new = || socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let (listener, address) = (new(), SocketAddrUnix::new(&path).unwrap());
    bind(&listener, &address).unwrap();
    listen(&listener, 0).unwrap();
    let first = new();
    connect(&first, &address).unwrap();
    let mut client = front.connect();
    client.send(POST);
    says(&client.until("\r\n\r\n"), "503.1003");
}

#[test]
fn each_stage_before_the_answer_has_a_number_of_its_own() {
    let front = front("");
    let worker = front.worker();
    let large = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 8 << 20);
    let body = "x".repeat(8 << 20);
    // Reads the beginning of the body, and closes over the rest.
    let (mut client, mut upstream) = front.exchange(&worker, &large);
    let _taken = client.try_send(&body[..1 << 20]);
    upstream.until("x");
    drop(upstream);
    says(&client.until("\r\n\r\n"), "500.1010");
    // Not a byte of the body has come when it closes.
    says(&answer(&front, &worker, &large, |_| {}), "500.1009");
    let closed = answer(&front, &worker, POST, |upstream| drop(upstream.until("body")));
    says(&closed, "500.1013");
    let status_line = answer(&front, &worker, POST, |upstream| {
        upstream.until("body");
        upstream.send("HTTP/1.1 20");
    });
    says(&status_line, "500.1013");
    let head = answer(&front, &worker, POST, |upstream| {
        upstream.until("body");
        upstream.send("HTTP/1.1 200 OK\r\nContent-Le");
    });
    says(&head, "500.1014");
    for (at, code) in [(0, "500.1010"), (1, "500.1009"), (2, "500.1013"), (3, "500.1013"), (4, "500.1014")] {
        assert_eq!(logged(&front, at), code, "line {at}");
    }
}

#[test]
fn a_worker_that_closes_without_reading_is_1006() {
    let front = front("");
    let worker = front.worker();
    let mut client = front.connect();
    client.send(POST);
    drop(worker.accept().into_unread());
    says(&client.until("\r\n\r\n"), "500.1006");
    assert_eq!(logged(&front, 0), "500.1006");
}

#[test]
fn what_is_no_response_is_called_by_what_is_wrong_with_it() {
    let front = front("");
    let worker = front.worker();
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(140 * 1024));
    for (response, code) in [
        ("SSH-2.0-OpenSSH\r\n\r\n", "500.1013"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "500.1014"),
        ("HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", "500.1014"),
        (&long, "500.1012"),
    ] {
        let head = answer(&front, &worker, POST, |upstream| {
            upstream.until("body");
            let _refused = upstream.try_send(response);
        });
        says(&head, code);
    }
}

#[test]
fn a_silent_worker_is_1013_as_well() {
    let front = front("limits.response_start_timeout = \"300ms\"\n");
    let worker = front.worker();
    let (mut client, _upstream) = front.exchange(&worker, POST);
    says(&client.until("\r\n\r\n"), "500.1013");
    assert_eq!(logged(&front, 0), "500.1013");
}

#[test]
fn a_response_that_is_cut_has_its_sub_status_in_the_log_alone() {
    let front = front("limits.response_idle_timeout = \"300ms\"\n");
    let worker = front.worker();
    let cases = [
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", "500.1015"),
        ("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "500.1015"),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nx", "500.1016"),
        ("Content-Length: 5\r\n\r\nx", "500.1016"),
    ];
    for (at, (rest, code)) in cases.into_iter().enumerate() {
        let (mut client, mut upstream) = front.exchange(&worker, POST);
        upstream.until("body");
        let (head, body) = rest.split_once("\r\n\r\n").unwrap();
        upstream.send(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n"));
        client.until("\r\n\r\n");
        upstream.send(body);
        drop(upstream);
        client.until_end();
        assert_eq!(logged(&front, at), code, "{rest:?}");
    }
    let (mut client, mut upstream) = front.exchange(&worker, POST);
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx");
    client.until_end();
    assert_eq!(logged(&front, cases.len()), "500.1016");
}

#[test]
fn a_client_that_leaves_is_logged_with_what_it_was_about() {
    let front = front("");
    let worker = front.worker();
    let half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody";
    let (client, upstream) = front.exchange(&worker, half);
    drop(client);
    assert_eq!(logged(&front, 0), "500.1008");
    drop(upstream);
    let (client, upstream) = front.exchange(&worker, POST);
    drop(client);
    assert_eq!(logged(&front, 1), "client_left");
    drop(upstream);
    // More than sockets hold: the front writes, and cannot.
    let (mut client, mut upstream) = front.exchange(&worker, POST);
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    client.until("\r\n\r\n");
    let writer = std::thread::spawn(move || while upstream.try_send(&"x".repeat(1 << 20)) {});
    // Bytes that are left unread break the connection for the writer.
    drop(client.into_unread());
    writer.join().unwrap();
    let reason = logged(&front, 2);
    assert!(reason == "500.1017" || reason == "client_left", "who notices first, the read or the write: {reason}");
}

#[test]
fn a_client_that_takes_nothing_is_1018() {
    let front = front("limits.send_timeout = \"300ms\"\n");
    let worker = front.worker();
    let (client, mut upstream) = front.exchange(&worker, POST);
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    while upstream.try_send(&"x".repeat(1 << 20)) {}
    assert_eq!(logged(&front, 0), "500.1018");
    drop(client);
}

#[test]
fn without_room_it_is_1002_and_the_client_may_leave_meanwhile() {
    let front =
        front("limits.in_flight_max = 1\nlimits.queue_max = 1\nlimits.queue_timeout = \"300ms\"\nshards.count = 1\n");
    let worker = front.worker();
    let (_first, _upstream) = front.exchange(&worker, POST);
    let mut waits = front.connect();
    waits.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = waits.until("\r\n\r\n");
    says(&head, "503.1002");
    assert!(head.contains("X-Forebay-Reason: queue_timeout\r\n") && head.contains("Retry-After: "), "{head}");
    let mut leaves = front.connect();
    leaves.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody");
    drop(leaves);
    assert_eq!((logged(&front, 0), logged(&front, 1)), ("503.1002".to_owned(), "500.1007".to_owned()));
}

#[test]
fn too_many_clients_are_1000() {
    let front = front("limits.connections_max = 1\nshards.count = 1\n");
    let _worker = front.worker();
    let mut first = front.connect();
    first.send("BAD\r\n");
    let mut second = front.connect();
    says(&second.until("\r\n\r\n"), "503.1000");
}
