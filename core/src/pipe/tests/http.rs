//! Between HTTP/1.1 and frames: a worker gets the same fields by either way, and clients the same heads.

use super::*;
use crate::http1;
use crate::http1::{HeadScanner, RequestFacts, RequestHead, ResponseHead, judge_request};

const CLIENT: Client<'static> = Client { address: b"192.0.2.7", port: 5000, local_port: 80, https: false };

fn admit(bytes: &[u8]) -> (RequestHead<'_>, RequestFacts) {
    HeadScanner::default().scan(bytes, 1 << 16).unwrap();
    let head = RequestHead::parse(bytes, 100).unwrap();
    let facts = judge_request(&head).unwrap();
    (head, facts)
}

fn facts_of(request: &str) -> RequestFacts {
    admit(request.as_bytes()).1
}

#[test]
fn a_worker_gets_the_same_fields_as_over_http() {
    for request in [
        "GET /a?b HTTP/1.1\r\nuser-Agent: x \r\nHOST: a:1\r\nX_Y:z\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: gzip\r\nContent-Length: 3\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\nTE: trailers\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-X: y\r\n\r\n",
        "GET http://a?b HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Request-Id: mine\r\n\r\n",
        "OPTIONS http://a HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
    ] {
        let (head, facts) = admit(request.as_bytes());
        let variables: Vec<_> = ["REQUEST_METHOD", "HTTP_COOKIE"].map(|name| http1::Variable::of(name).unwrap()).into();
        for trusted in [None, Some(false), Some(true)] {
            let forwarding = trusted.map(|trusted| http1::Forwarding {
                peer: b"2001:db8::1",
                scheme: "http",
                trusted,
                request_id: [b'0'; 32],
                add: http1::Added { x_forwarded: true, real_ip: true, forwarded: true, request_id: true },
                variables: http1::Variables { list: &variables, peer_port: 5, local: None },
            });
            let mut text = Vec::new();
            http1::encode_request(&head, &facts, forwarding.as_ref(), &mut text).unwrap();
            let expected = RequestHead::parse(&text, 100).unwrap();
            let ends = facts.body == http1::Framing::None;
            let opening = Opening { stream: StreamId::new(1, 0), body: 0, ends, client: CLIENT };
            let mut bytes = Vec::new();
            HeadEncoder::default().request(&head, &facts, forwarding.as_ref(), &opening, &mut bytes).unwrap();
            let mut decoder = Decoder::new(Role::Front, DATA_BYTES_LIMIT_DEFAULT);
            decoder.next(&mut vectors::greeting(Role::Front)).unwrap();
            let Some(Event::Request { head: got, .. }) = decoder.next(&mut &bytes[..]).unwrap() else {
                panic!("no request");
            };
            assert_eq!((got.method, got.target), (expected.method, expected.target));
            assert!(got.fields.iter().eq(expected.fields.iter().map(|it| (it.name, it.value))), "{request}");
            assert_eq!((got.version(), got.client_address), (head.version, CLIENT.address));
            for (is_set, bit) in [
                (ends && !facts.upgrade, flag::END),
                (facts.upgrade, flag::UPGRADE),
                (facts.expect_continue, flag::EXPECT),
                (facts.trailers, flag::TRAILERS),
            ] {
                assert_eq!(got.flags & bit != 0, is_set, "{bit} of {request}");
            }
        }
    }
}

/// What a client reads of a RESPONSE with these flags, status, fields and inline bytes.
fn reply(request: &RequestFacts, flags: u16, status: u16, fields: &[(&str, &str)], body: u32) -> String {
    let mut bytes = vectors::greeting(Role::Worker).to_vec();
    let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let mut heads = HeadEncoder::default();
    if status < 200 {
        heads.inform(StreamId::new(1, 0), status, fields, &mut bytes).unwrap();
    } else {
        heads.response(StreamId::new(1, 0), flags, status, b"", fields, body, &mut bytes).unwrap();
    }
    let mut decoder = Decoder::new(Role::Worker, DATA_BYTES_LIMIT_DEFAULT);
    let mut input = &bytes[..];
    decoder.next(&mut input).unwrap();
    let head = match decoder.next(&mut input).unwrap() {
        Some(Event::Response { head, .. } | Event::Inform { head, .. }) => head,
        other => panic!("{other:?}"),
    };
    let mut digits = [0; 20];
    let reply = match Reply::plan(&head, body, request, true, &mut digits) {
        Ok(reply) => reply,
        Err(bad) => return bad.reason.into(),
    };
    let mut out = Vec::new();
    reply.encode(b"Thu, 01 Jan 1970 00:00:00 GMT", b"", &mut out).unwrap();
    assert!(out.is_empty() || ResponseHead::parse(&out, 100).is_ok());
    String::from_utf8(out).unwrap().replace("Date: Thu, 01 Jan 1970 00:00:00 GMT", "Date: now")
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn small_responses_tell_their_length() {
    let get = facts_of(GET);
    assert_eq!(
        reply(&get, flag::END, 200, &[("content-type", "a/b")], 12),
        "HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nContent-Length: 12\r\nDate: now\r\n\r\n"
    );
    assert_eq!(
        reply(&get, flag::END | flag::NO_DATE, 413, &[("Content-Length", "12")], 12),
        "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 12\r\n\r\n"
    );
    assert_eq!(reply(&get, flag::END, 204, &[], 0), "HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n");
    let head = facts_of(&GET.replace("GET", "HEAD"));
    assert_eq!(reply(&head, flag::END, 200, &[], 0), "HTTP/1.1 200 OK\r\nDate: now\r\n\r\n");
}

#[test]
fn open_ended_responses_are_chunked_or_end_with_the_connection() {
    let fields = [("Transfer-Encoding", "gzip"), ("Connection", "x-hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5")];
    assert_eq!(
        reply(&facts_of(GET), 0, 200, &fields, 3),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\n\r\n"
    );
    let old = facts_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(reply(&old, 0, 200, &[], 3), "HTTP/1.1 200 OK\r\nDate: now\r\nConnection: close\r\n\r\n");
    assert_eq!(
        reply(&old, flag::END, 200, &[], 3),
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: now\r\nConnection: keep-alive\r\n\r\n"
    );
}

#[test]
fn the_application_may_close_and_inform() {
    let get = facts_of(GET);
    for (flags, fields) in [(flag::CLOSE, &[][..]), (0, &[("Connection", "close")])] {
        let text = reply(&get, flag::END | flags, 200, fields, 0);
        assert_eq!(text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: now\r\nConnection: close\r\n\r\n");
    }
    assert_eq!(reply(&get, 0, 103, &[("Link", "</a>")], 0), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    assert_eq!(reply(&facts_of("GET / HTTP/1.0\r\n\r\n"), 0, 103, &[], 0), "");
}

#[test]
fn ambiguous_lengths_are_the_exchanges_fault() {
    let get = facts_of(GET);
    for fields in [&[("Content-Length", "1"), ("content-length", "1")][..], &[("Content-Length", "+1")]] {
        assert!(reply(&get, flag::END, 200, fields, 1).contains("Content-Length"));
    }
}

#[test]
fn trailers_that_would_reframe_are_left_out() {
    let mut bytes = vectors::greeting(Role::Worker).to_vec();
    let fields = [(&b"X-Sum"[..], &b"1"[..]), (b"Content-Length", b"5"), (b"Connection", b"close")];
    HeadEncoder::default().end(StreamId::new(1, 0), false, fields, &mut bytes).unwrap();
    let mut decoder = Decoder::new(Role::Worker, DATA_BYTES_LIMIT_DEFAULT);
    let mut input = &bytes[..];
    decoder.next(&mut input).unwrap();
    let Some(Event::End { end, .. }) = decoder.next(&mut input).unwrap() else { panic!("no end") };
    let mut out = Vec::new();
    encode_trailers(&end.trailers, &mut out).unwrap();
    assert_eq!(out, b"0\r\nX-Sum: 1\r\n\r\n");
    out.clear();
    encode_trailers(&End::PLAIN.trailers, &mut out).unwrap();
    assert_eq!(out, http1::LAST_CHUNK);
}
