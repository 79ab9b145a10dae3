//! How responses are framed and delivered.

use super::*;
use core::time::Duration;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_10: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn judge(request: &str, response: &str) -> Result<ResponseFacts, BadResponse> {
    let head = ResponseHead::parse(response.as_bytes(), 100)?;
    judge_response(&head, &facts_of(request))
}

fn deliver(request: &str, response: &str) -> (String, Delivery) {
    let head = ResponseHead::parse(response.as_bytes(), 100).unwrap();
    let request = facts_of(request);
    let facts = judge_response(&head, &request).unwrap();
    let delivery = Delivery::plan(&request, &facts, true);
    let mut out = Vec::new();
    encode_response(&head, &facts, &delivery, Some(b"NOW"), b"", &mut out).unwrap();
    (String::from_utf8(out).unwrap(), delivery)
}

#[test]
fn framing_table() {
    for (request, response, framing, keep_alive) in [
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Length(5), true),
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", Framing::Length(5), false),
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: a b\r\n\r\n", Framing::Length(5), false),
        (GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Framing::Chunked, true),
        (GET, "HTTP/1.1 200 OK\r\n\r\n", Framing::UntilClose, false),
        (GET, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Length(5), false),
        (GET, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", Framing::Length(5), true),
        (GET, "HTTP/1.1 204 No Content\r\n\r\n", Framing::None, true),
        (GET, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Framing::None, true),
        (GET, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Framing::None, false),
        (GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Framing::None, true),
        (GET, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", Framing::None, true),
        (HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::None, true),
        (HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Framing::None, true),
        (HEAD, "HTTP/1.1 200 OK\r\n\r\n", Framing::None, true),
        (UPGRADE, "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", Framing::Tunnel, false),
        (GET, "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", Framing::None, false),
        (UPGRADE, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", Framing::Length(0), false),
    ] {
        let facts = judge(request, response).unwrap();
        assert_eq!((facts.framing, facts.keep_alive), (framing, keep_alive), "{request:?} {response:?}");
    }
}

#[test]
fn bad_responses() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\n\r\n\r\n",
        "HTTP/1.1 200 O\u{1}K\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert!(judge(GET, response).is_err(), "{response:?}");
    }
}

#[test]
fn announced_idle_time() {
    let timeout = |value: &str| {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: {value}\r\n\r\n");
        judge(GET, &response).unwrap().keep_alive_timeout
    };
    assert_eq!(timeout("timeout=5"), Some(Duration::from_secs(5)));
    assert_eq!(timeout("max=7, Timeout=72"), Some(Duration::from_secs(72)));
    assert_eq!(timeout("timeout=-1"), None);
}

#[test]
fn heads_for_clients() {
    let (head, delivery) = deliver(
        GET,
        "HTTP/1.1 200 Fine\r\nDate: then\r\nX-A: 1\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\n\
         X-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    assert_eq!(head, "HTTP/1.1 200 Fine\r\nDate: then\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(delivery.keep_alive && delivery.flavour == Flavour::Verbatim);

    let (head, delivery) = deliver(GET_10, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 200 OK\r\nDate: NOW\r\nConnection: close\r\n\r\n");
    assert!(!delivery.keep_alive && delivery.flavour == Flavour::DataOnly);

    let (head, delivery) = deliver(GET_10, "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 200 \r\nContent-Length: 2\r\nDate: NOW\r\nConnection: keep-alive\r\n\r\n");
    assert!(delivery.keep_alive);

    let (head, delivery) = deliver(GET, "HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 200 OK\r\nDate: NOW\r\nConnection: close\r\n\r\n");
    assert_eq!((delivery.framing, delivery.keep_alive), (Framing::UntilClose, false));

    let (head, _) = deliver(GET, "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 204 No\r\nDate: NOW\r\n\r\n");
    let (head, _) = deliver(HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nDate: then\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nDate: then\r\n\r\n");
}

#[test]
fn informational_and_upgraded() {
    let (head, delivery) = deliver(GET, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    assert!(delivery.sends_head);
    let (head, delivery) = deliver(GET_10, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(head.is_empty() && !delivery.sends_head);
    let (head, delivery) = deliver(
        UPGRADE,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\n",
    );
    assert_eq!(head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    assert_eq!((delivery.framing, delivery.keep_alive), (Framing::Tunnel, false));
    let (head, _) = deliver(UPGRADE, "HTTP/1.1 101 S\r\nconnection: upgrade\r\nUpgrade: websocket\r\nA: b\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nA: b\r\n\r\n");
    let (head, _) = deliver(UPGRADE, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    // Unasked: passed on, and the end of the connection.
    let (head, delivery) = deliver(GET, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n");
    assert_eq!((delivery.framing, delivery.keep_alive), (Framing::None, false));
    let (_, delivery) = deliver(UPGRADE, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
    assert!(delivery.keep_alive);
}

#[test]
fn reason_phrases_and_values_keep_their_bytes() {
    let bytes = b"HTTP/1.1 200 Caf\xe9\r\nX-A: \xfcber\tall\r\nContent-Length: 0\r\n\r\n";
    let head = ResponseHead::parse(bytes, 100).unwrap();
    assert_eq!((head.reason, head.fields[0].value), (&b"Caf\xe9"[..], &b"\xfcber\tall"[..]));
}
