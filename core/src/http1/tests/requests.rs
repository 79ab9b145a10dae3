//! Which requests are admitted, with which framing, and how the others are answered.

use super::*;

fn with(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")
}

#[test]
fn framing_table() {
    let large = format!("Content-Length: {}", u64::MAX);
    for (fields, framing) in [
        ("A: b", Framing::None),
        ("Content-Length: 0", Framing::Length(0)),
        ("Content-Length: 5 ", Framing::Length(5)),
        ("Content-Length:\t5", Framing::Length(5)),
        (&large, Framing::Length(u64::MAX)),
        ("Transfer-Encoding: chunked", Framing::Chunked),
        ("transfer-encoding: Chunked ", Framing::Chunked),
        ("Content_Length: 9\r\nTransfer_Encoding: chunked", Framing::None),
    ] {
        assert_eq!(admit(with(fields).as_bytes()).unwrap().1.body, framing, "{fields}");
    }
}

#[test]
fn refused_fields() {
    let many = "A: b\r\n".repeat(100);
    let options = format!("Connection: {}", "a,".repeat(33));
    for (fields, status) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: 5, 5", 400),
        ("Content-Length: 5,5,5", 400),
        ("Content-Length: ", 400),
        ("Content-Length: abc", 400),
        ("Content-Length: +5", 400),
        ("Content-Length: -1", 400),
        ("Content-Length: -0", 400),
        ("Content-Length: 00", 400),
        ("Content-Length: 005", 400),
        ("Content-Length: 0o5", 400),
        ("Content-Length: 0x5", 400),
        ("Content-Length: 1 0", 400),
        ("Content-Length: 1_0", 400),
        ("Content-Length: 99999999999999999999", 400),
        ("Content-Length : 5", 400),
        ("Content-Length\t: 5", 400),
        ("Content\tLength: 5", 400),
        ("Transfer-Encoding: gzip", 501),
        ("Transfer-Encoding: identity", 501),
        ("Transfer-Encoding: xchunked", 501),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: chunked, gzip", 400),
        ("Transfer-Encoding: chunked, chunked", 400),
        ("Transfer-Encoding: , chunked", 400),
        ("Transfer-Encoding: chunked,", 400),
        ("Transfer-Encoding: chunked;a=b", 400),
        ("Transfer-Encoding: \"chunked\"", 400),
        ("Transfer-Encoding:", 400),
        ("Transfer-Encoding: \u{b}chunked", 400),
        ("Transfer-Encoding: \u{c}chunked", 400),
        ("Transfer-Encoding: chunked\0", 400),
        ("Transfer-Encoding: chunked\u{a0}", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400),
        ("Transfer-Encoding : chunked", 400),
        ("Transfer-Encoding:\r\n chunked", 400),
        (" Transfer-Encoding: chunked", 400),
        ("A: b\r\n c", 400),
        ("A: b\r\n\tc", 400),
        ("A: b\rc", 400),
        ("A: b\u{7f}", 400),
        ("A: b\u{1}", 400),
        (": b", 400),
        ("A", 400),
        ("A[: b", 400),
        ("\u{e9}: b", 400),
        ("A: b\nC: d", 400),
        ("Content-Type: a\r\ncontent-type: a", 400),
        ("Host: a", 400),
        ("Host: b", 400),
        ("Connection: a b", 400),
        (&options, 400),
        (&many, 431),
        ("Expect: 200-ok", 417),
    ] {
        let request = with(fields);
        let rejected = admit(request.as_bytes()).map(|it| it.1.body);
        assert_eq!(rejected.map_err(|it| it.status), Err(status), "{}", fields.escape_default());
    }
}

#[test]
fn refused_heads() {
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", 400),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /caf\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/01.01\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/ 1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\n", 505),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("FOOBAR / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
        ("TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("   \r\n\r\n", 400),
    ] {
        let rejected = admit(request.as_bytes()).map(|it| it.1);
        assert_eq!(rejected.map_err(|it| it.status), Err(status), "{}", request.escape_default());
    }
}

#[test]
fn facts() {
    let facts = facts_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(facts.keep_alive && !facts.upgrade && !facts.expect_continue && !facts.trailers);
    assert!(!facts_of("GET / HTTP/1.0\r\n\r\n").keep_alive);
    assert!(facts_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    assert!(!facts_of("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
    assert!(!facts_of("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n").keep_alive);
    let expecting = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n";
    assert!(facts_of(expecting).expect_continue);
    assert!(!facts_of(&expecting.replace("/1.1", "/1.0")).expect_continue);
    assert!(!facts_of(&expecting.replace(": 5", ": 0")).expect_continue);
    assert!(facts_of("GET / HTTP/1.1\r\nHost: a\r\nTE: gzip, Trailers\r\n\r\n").trailers);
}

#[test]
fn only_safe_upgrades_pass() {
    let upgrade = |method: &str, fields: &str| {
        facts_of(&format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Type: b\r\n{fields}\r\n\r\n")).upgrade
    };
    assert!(upgrade("GET", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket"));
    assert!(upgrade("GET", "Connection: upgrade\r\nUpgrade: made-up/1.0"));
    assert!(!upgrade("GET", "Upgrade: websocket"));
    assert!(!upgrade("GET", "Connection: upgrade"));
    assert!(upgrade("POST", "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0"));
    assert!(!upgrade("POST", "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked"));
    assert!(!upgrade("GET", "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1"));
    for protocol in ["h2c", "H2C", "websocket, h2c", "h2", "HTTP/2.0", "TLS/1.3", "h2c/1", "", "a b"] {
        let fields = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: x");
        assert!(!upgrade("GET", &fields), "{protocol}");
    }
    assert!(!facts_of("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").upgrade);
}

#[test]
fn method_properties() {
    for method in METHODS {
        let class = MethodClass::of(method);
        assert!(!class.is_safe() || class.is_idempotent());
    }
    assert!(MethodClass::of(b"DELETE").is_idempotent() && !MethodClass::of(b"DELETE").is_safe());
    assert!(!MethodClass::of(b"POST").is_idempotent() && !MethodClass::of(b"PROPFIND").is_idempotent());
}
