//! Bytes are passed on as they come, in both directions, and arrive as they were sent.

use std::time::{Duration, Instant};

use super::server::Server;
use super::setup::{Engine, Setup};
use super::wait::until;

/// The pattern that the application `lab` sends and expects repeats after so many bytes.
const BLOCK: usize = 64 * 1024;

/// The beginning of that pattern.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..BLOCK).map(|i| (i * 31 + (i >> 8)) as u8).collect();
    block.iter().copied().cycle().take(length).collect()
}

/// Checks a large body without printing it.
pub(crate) fn is_pattern(body: &[u8], length: usize) {
    assert_eq!(body.len(), length);
    let block = pattern(BLOCK);
    for (n, piece) in body.chunks(BLOCK).enumerate() {
        assert!(piece == &block[..piece.len()], "something is wrong behind byte {}", n * BLOCK);
    }
}

pub(crate) fn both_ways_at_once(engine: Engine) {
    let server = Setup::new("lab.cjs").engine(engine).start();
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().status, 200);
    for n in 0..50 {
        // Nothing more is sent before this came back, so nobody on the way may wait for more.
        let text = format!("piece {n}\n");
        client.send(format!("{:x}\r\n{text}\r\n", text.len()));
        client.until(&text);
    }
    client.send("0\r\n\r\n");
    client.until("0\r\n\r\n");
    assert_eq!(client.get("/").text(), "hello\n");
    server.stop();
}

#[test]
pub(crate) fn a_body_is_echoed_piece_by_piece_while_it_is_sent() {
    both_ways_at_once(Engine::chosen());
}

#[test]
pub(crate) fn a_body_of_known_length_is_passed_on_before_it_is_complete() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n01234");
    assert_eq!(client.head().status, 200);
    client.until("01234");
    client.send("56789");
    client.until("56789");
    client.until("0\r\n\r\n");
    server.stop();
}

#[test]
pub(crate) fn server_sent_events_are_flushed_one_by_one() {
    let server = Setup::new("lab.cjs").start();
    let (mut client, mut other) = (server.connect(), server.connect());
    client.send("GET /sse HTTP/1.1\r\nHost: test\r\nAccept: text/event-stream\r\n\r\n");
    assert_eq!(client.head().field("content-type").unwrap(), "text/event-stream");
    client.until("data: first\n\n");
    for n in 2..20 {
        assert_eq!(other.get("/release").status, 200);
        client.until(&format!("data: {n}\n\n"));
    }
    drop(client);
    server.stop();
}

fn upload(server: &Server, chunked: bool, bytes: usize) {
    let (body, mut client) = (pattern(bytes), server.connect());
    let mut reader = client.split();
    let answer = std::thread::spawn(move || reader.response().json());
    if chunked {
        client.send("POST /sum HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        // Sizes that fit no buffer, so that chunks and reads do not line up.
        for piece in body.chunks(77_777) {
            client.send(format!("{:X};x=y\r\n", piece.len()));
            client.send(piece);
            client.send("\r\n");
        }
        client.send("0\r\n\r\n");
    } else {
        client.send(format!("POST /sum HTTP/1.1\r\nHost: test\r\nContent-Length: {bytes}\r\n\r\n"));
        client.send(&body);
    }
    let answer = answer.join().unwrap();
    assert_eq!((&answer["bytes"], &answer["intact"]), (&bytes.into(), &true.into()));
}

pub(crate) fn large_bodies(engine: Engine) {
    const BYTES: usize = 32_000_000;
    let server = Setup::new("lab.cjs").engine(engine).set("limits.body_bytes_max", 0).start();
    upload(&server, false, BYTES);
    upload(&server, true, BYTES);
    for query in ["", "&length"] {
        let body = server.connect().get(&format!("/large?bytes={BYTES}{query}")).body;
        is_pattern(&body, BYTES);
    }
    server.stop();
}

#[test]
pub(crate) fn large_uploads_and_downloads_arrive_as_they_were_sent() {
    large_bodies(Engine::chosen());
}

#[test]
pub(crate) fn an_upload_in_single_bytes_arrives() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    let request = "POST /sum HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;q\r\nd\r\n0\r\nX-T: 1\r\n\r\n";
    for byte in request.bytes() {
        client.send([byte]);
    }
    let answer = client.response().json();
    assert_eq!((&answer["bytes"], &answer["trailers"]["x-t"]), (&4.into(), &"1".into()), "{answer}");
    server.stop();
}

#[test]
pub(crate) fn small_pieces_are_gathered_where_that_is_asked_for() {
    let server = Setup::new("lab.cjs").set("response.gather_bytes_max", "\"1MiB\"").start();
    let mut client = server.connect();
    // On a machine that is too busy to look within a second there is nothing to see.
    let mut began = Instant::now();
    let is_late = |began: Instant| began.elapsed() > Duration::from_secs(1);
    client.send("GET /pieces HTTP/1.1\r\nHost: test\r\n\r\n");
    server.log_has("lab has written one");
    std::thread::park_timeout(Duration::from_millis(200));
    assert!(!client.has_bytes() || is_late(began), "it was not held back");
    assert_eq!(server.connect().get("/release").status, 200);
    assert_eq!(client.response().text(), "one two");
    // One that dies while nothing was said yet is answered for.
    began = Instant::now();
    client.send("POST /pieces?die HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    until("it was written", || server.log_count("lab has written one") == 2);
    // It stays: one that hangs up need not be heard.
    let mut other = server.connect();
    other.send("GET /release HTTP/1.1\r\nHost: test\r\n\r\n");
    let response = client.try_response(false);
    assert!(response.is_ok_and(|response| response.status == 502) || is_late(began));
    drop(other);
    // Larger ones than the window flow.
    let mut client = server.connect();
    assert_eq!(client.get("/large?bytes=8388608&length").body.len(), 8_388_608);
    assert_eq!(client.get("/large?bytes=8388608").body.len(), 8_388_608);
    server.stop();
}
