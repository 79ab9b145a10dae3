//! What HTTP allows besides a request and a response of known length.

use super::setup::{Engine, Setup, Transport};

pub(crate) fn forms_of_responses(engine: Engine) {
    let server = Setup::new("lab.cjs").engine(engine).start();
    let mut client = server.connect();
    client.send("HEAD /length HTTP/1.1\r\nHost: test\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.field("content-length").unwrap().as_str()), (200, "5"));
    client.send("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.response_to_head().status, 200);
    for code in [204, 304] {
        let response = client.get(&format!("/status?code={code}"));
        assert_eq!((response.status, response.field("etag").unwrap().as_str()), (code, "\"x\""));
        assert_eq!(response.field("transfer-encoding"), None);
    }
    for code in [200, 201, 301, 404, 418, 500, 599] {
        assert_eq!(client.get(&format!("/status?code={code}")).status, code);
    }
    let response = client.get("/length");
    assert_eq!((response.text().as_str(), response.field("connection")), ("hello", None));
    assert!(response.field("date").unwrap().ends_with(" GMT"));
    // All of that on one connection.
    assert_eq!(client.get("/").text(), "hello\n");
    server.stop();
}

#[test]
pub(crate) fn responses_without_a_body_leave_the_connection_usable() {
    forms_of_responses(Engine::chosen());
}

#[test]
pub(crate) fn trailers_pass_in_both_directions() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    let response = client.request("GET /trailers HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
    assert_eq!((response.text().as_str(), response.trailers.as_str()), ("body", "X-Sum: 42\r\n"));
    let response = client.request(
        "POST /sum HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\n\r\n\
         3\r\nabc\r\n0\r\nX-Check: yes\r\n\r\n",
    );
    assert_eq!(response.json()["trailers"]["x-check"], "yes");
    server.stop();
}

#[test]
pub(crate) fn early_hints_reach_the_client_before_the_response() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    client.send("GET /hints HTTP/1.1\r\nHost: test\r\n\r\n");
    let early = client.head();
    assert_eq!(early.status, 103);
    assert!(early.field("link").unwrap().starts_with("</style.css>"));
    assert_eq!(server.connect().get("/release").status, 200);
    assert_eq!(client.response().text(), "after the hints");
    assert_eq!(client.get("/").status, 200);
    // A client of HTTP/1.0 knows no informational responses.
    let mut old = server.connect();
    old.send("GET /hints HTTP/1.0\r\n\r\n");
    super::wait::until("it waits", || {
        server.connect().get("/release");
        old.has_bytes()
    });
    let rest = String::from_utf8(old.rest()).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("after the hints"), "{rest}");
    server.stop();
}

const EXPECTING: &str = "POST /sum HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

#[test]
pub(crate) fn a_client_that_asks_first_is_told_to_continue() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    for _ in 0..3 {
        client.send(EXPECTING);
        assert_eq!(client.head().status, 100);
        assert_eq!(client.request("body").json()["bytes"], 4);
    }
    // Who does not wait for the answer gets both.
    let response = client.request(format!("{EXPECTING}body"));
    assert_eq!((response.json()["bytes"].as_u64(), response.early.len()), (Some(4), 1));
    server.stop();
}

#[test]
pub(crate) fn a_body_that_is_refused_before_it_is_sent_is_not_waited_for() {
    for code in [413, 417] {
        let server = Setup::new("lab.cjs").env("LAB_EXPECT", code).start();
        let mut client = server.connect();
        let response = client.request(EXPECTING);
        assert_eq!((response.status, response.text().as_str(), response.early.len()), (code, "refused", 0));
        // Whether the body still comes is open, so the connection cannot be used again.
        assert_eq!(response.field("connection").unwrap(), "close");
        client.is_closed();
        assert_eq!(server.connect().get("/").status, 200);
        server.stop();
    }
}

#[test]
pub(crate) fn an_answer_before_the_end_of_the_upload_reaches_the_client() {
    let server = Setup::new("lab.cjs").start();
    for _ in 0..10 {
        let mut client = server.connect();
        client.send("POST /refuse HTTP/1.1\r\nHost: test\r\nContent-Length: 20000000\r\n\r\n");
        let _broken_pipe = client.try_send(&vec![b'x'; 500_000]);
        let response = client.response();
        assert_eq!((response.status, response.text().as_str()), (403, "no"));
    }
    server.stop();
}

#[test]
pub(crate) fn clients_of_http_1_0_get_what_they_understand() {
    let server = Setup::new("lab.cjs").start();
    let ask = |request: &str| {
        let mut client = server.connect();
        client.send(request);
        String::from_utf8(client.rest()).unwrap()
    };
    let plain = ask("GET / HTTP/1.0\r\n\r\n");
    assert!(plain.starts_with("HTTP/1.1 200 OK\r\n") && plain.ends_with("\r\n\r\nhello\n"), "{plain}");
    // Chunks are taken out.
    let streamed = ask("POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nabcde");
    assert!(streamed.ends_with("\r\n\r\nabcde") && !streamed.to_lowercase().contains("chunked"), "{streamed}");
    // It may ask to go on.
    let mut client = server.connect();
    for _ in 0..3 {
        let response = client.request("GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(response.field("connection").unwrap().to_lowercase(), "keep-alive");
        assert_eq!(response.text(), "hello");
    }
    let info = ask("GET /info HTTP/1.0\r\nHost: old.example\r\n\r\n");
    assert!(info.contains("\"host\":\"old.example\""), "{info}");
    server.stop();
}

#[test]
pub(crate) fn a_body_that_ends_with_the_connection_does_so_for_the_client() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    let response = client.get("/until-close");
    assert_eq!(response.text(), "no length, no chunks");
    match Transport::chosen() {
        Transport::Http => assert_eq!(response.field("connection").unwrap().to_lowercase(), "close"),
        // With frames an end is an end, and the client's connection can go on.
        Transport::Auto => assert_eq!(client.get("/").text(), "hello\n"),
    }
    server.stop();
}

#[test]
pub(crate) fn every_method_and_an_odd_target_arrive_as_they_were_sent() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE"] {
        let info = client.request(format!("{method} /info?a=%20b&a[]=c;d HTTP/1.1\r\nHost: test\r\n\r\n")).json();
        assert_eq!((&info["method"], &info["url"]), (&method.into(), &"/info?a=%20b&a[]=c;d".into()));
        assert_eq!(info["httpVersion"], "1.1");
    }
    server.stop();
}
