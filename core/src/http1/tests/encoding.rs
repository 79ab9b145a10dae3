//! What workers and clients get to read.

use super::*;

#[test]
fn plain_request_passes_in_order_and_case() {
    assert_eq!(
        encoded("GET /a?b HTTP/1.1\r\nuser-Agent: x \r\nHOST: a:1\r\nX_Y:z\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n"),
        "GET /a?b HTTP/1.1\r\nuser-Agent: x\r\nHOST: a:1\r\nX_Y: z\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n"
    );
}

#[test]
fn empty_values_and_many_fields_pass() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB: \r\nC:\t \t\r\nD: \td\t \r\n\r\n";
    assert_eq!(encoded(request), "GET / HTTP/1.1\r\nHost: a\r\nA: \r\nB: \r\nC: \r\nD: d\r\n\r\n");
    for count in [FIELDS_INLINE - 1, FIELDS_INLINE, 99] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert_eq!(encoded(&request), request);
    }
}

#[test]
fn hop_by_hop_fields_end_here() {
    assert_eq!(
        encoded(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop, Cookie, host, content-length\r\nX-Hop: 1\r\n\
             Keep-Alive: 1\r\nProxy-Connection: x\r\nUpgrade: websocket\r\nHTTP2-Settings: x\r\nTE: gzip\r\n\
             Cookie: c\r\nContent-Length: 3\r\n\r\n"
        ),
        "POST / HTTP/1.1\r\nHost: a\r\nCookie: c\r\nContent-Length: 3\r\n\r\n"
    );
    assert_eq!(
        encoded("PUT / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\nTE: trailers\r\n\r\n"),
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n\r\n"
    );
    assert_eq!(
        encoded("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-X: y\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-X: y\r\n\r\n"
    );
    assert_eq!(
        encoded(
            "GET / HTTP/1.1\r\nA: b\r\nConnection: x\r\nUpgrade: a\r\nX: c\r\nConnection: upgrade\r\nHost: a\r\n\r\n"
        ),
        "GET / HTTP/1.1\r\nA: b\r\nConnection: Upgrade\r\nUpgrade: a\r\nHost: a\r\n\r\n"
    );
}

#[test]
fn targets_and_hosts() {
    for (request, start) in [
        ("GET http://a/b?c HTTP/1.1\r\nHost: A:80\r\n\r\n", "GET /b?c HTTP/1.1\r\nHost: A:80\r\n\r\n"),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?b HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("GET http://a:8/ HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:8\r\n\r\n"),
        ("GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ] {
        assert_eq!(encoded(request), start, "{request:?}");
    }
    let expecting = "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    assert!(!encoded(expecting).contains("Expect"));
    assert!(encoded(&expecting.replace("/1.0", "/1.1")).contains("Expect: 100-continue\r\n"));
}

fn forwarded(trusted: bool, peer: &str, fields: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let (head, facts) = admit(request.as_bytes()).unwrap();
    let forwarding = Forwarding {
        peer: peer.as_bytes(),
        scheme: "http",
        trusted,
        request_id: [b'7'; 32],
        add: Added { x_forwarded: true, real_ip: true, forwarded: true, request_id: true },
        variables: Variables::default(),
    };
    let mut out = Vec::new();
    encode_request(&head, &facts, Some(&forwarding), &mut out).unwrap();
    String::from_utf8(out).unwrap().split_once("Host: a\r\n").unwrap().1.to_owned()
}

const CLAIMS: &str = "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n\
                      X-Forwarded-Port: 443\r\nX-Real-IP: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-Request-Id: abc\r\n";

#[test]
fn strangers_claims_are_replaced() {
    assert_eq!(
        forwarded(false, "1.2.3.4", CLAIMS),
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\nX-Real-IP: 1.2.3.4\r\n\
         Forwarded: for=1.2.3.4;host=\"a\";proto=http\r\nX-Request-Id: 77777777777777777777777777777777\r\n\r\n"
    );
    let local = forwarded(false, "", "");
    assert!(local.starts_with("X-Forwarded-Proto: http\r\n") && local.contains("Forwarded: for=unknown;"));
    assert!(forwarded(false, "::1", "").contains("\r\nForwarded: for=\"[::1]\";host=\"a\";proto=http\r\n"));
}

#[test]
fn trusted_claims_are_kept_and_added_to() {
    assert_eq!(
        forwarded(true, "1.2.3.4", CLAIMS),
        format!("{CLAIMS}Forwarded: for=1.2.3.4;host=\"a\";proto=http\r\n\r\n").replacen(
            "9.9.9.9",
            "9.9.9.9, 1.2.3.4",
            1
        )
    );
    let long = format!("X-Request-Id: {}\r\n", "a".repeat(129));
    assert!(forwarded(true, "1.2.3.4", &long).ends_with("X-Request-Id: 77777777777777777777777777777777\r\n\r\n"));
}

#[test]
fn a_trusted_list_grows_by_the_peer_unless_that_is_its_end() {
    let list = |fields: &str| {
        let text = forwarded(true, "1.2.3.4", fields);
        let values = text.lines().filter_map(|line| line.strip_prefix("X-Forwarded-For: "));
        values.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list(""), ["1.2.3.4"]);
    assert_eq!(list("X-Forwarded-For: 1.1.1.1\r\n"), ["1.1.1.1, 1.2.3.4"]);
    assert_eq!(list("X-Forwarded-For: 1.2.3.4\r\n"), ["1.2.3.4"]);
    assert_eq!(list("X-Forwarded-For: 9.9.9.9 , 1.2.3.4\r\n"), ["9.9.9.9 , 1.2.3.4"]);
    // Whole elements are compared, not ends of text.
    assert_eq!(list("X-Forwarded-For: 11.2.3.4\r\n"), ["11.2.3.4, 1.2.3.4"]);
    assert_eq!(list("X-Forwarded-For:\r\n"), ["1.2.3.4"]);
    assert_eq!(list("X-Forwarded-For: a\r\nX-Forwarded-For: b\r\n"), ["a", "b, 1.2.3.4"]);
}

fn told(trusted: bool, request: &str, names: &[&str]) -> Vec<String> {
    let (head, facts) = admit(request.as_bytes()).unwrap();
    let list: Vec<_> = names.iter().map(|name| Variable::of(name).unwrap()).collect();
    let forwarding = Forwarding {
        peer: b"1.2.3.4",
        scheme: "http",
        trusted,
        request_id: [b'7'; 32],
        add: Added { x_forwarded: false, real_ip: false, forwarded: false, request_id: false },
        variables: Variables { list: &list, peer_port: 5000, local: Some(("::1".parse().unwrap(), 80)) },
    };
    let mut out = Vec::new();
    encode_request(&head, &facts, Some(&forwarding), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("X-iisnode-")).map(str::to_owned).collect()
}

#[test]
fn server_variables_are_told_and_cannot_be_forged() {
    let request = "GET /a%20b/c?d=e&f HTTP/1.1\r\nHost: shop:8080\r\nX-Iisnode-AUTH_USER: admin\r\n\
        Cookie: a=1\r\nCookie: b=2\r\nX-Two-Words: x\r\nX-Forwarded-Proto: https\r\n\r\n";
    let all = [
        ("REQUEST_METHOD", "GET"),
        ("query_string", "d=e&f"),
        ("URL", "/a%20b/c"),
        ("UNENCODED_URL", "/a%20b/c?d=e&f"),
        ("REMOTE_ADDR", "1.2.3.4"),
        ("REMOTE_PORT", "5000"),
        ("LOCAL_ADDR", "::1"),
        ("SERVER_NAME", "shop"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("HTTPS", "off"),
        ("SERVER_PORT_SECURE", "0"),
        ("HTTP_HOST", "shop:8080"),
        ("HTTP_COOKIE", "a=1; b=2"),
        ("HTTP_X_TWO_WORDS", "x"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
    ];
    let expected: Vec<_> = all.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
    assert_eq!(told(false, request, &names), expected);
    assert!(told(false, request, &["AUTH_USER", "REMOTE_USER", "CONTENT_TYPE", "HTTP_ACCEPT"]).is_empty());
    assert_eq!(told(true, request, &["HTTPS", "SERVER_PORT_SECURE"]), ["HTTPS: on", "SERVER_PORT_SECURE: 1"]);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Type: t/p\r\n\r\n";
    assert_eq!(told(false, post, &["CONTENT_LENGTH", "CONTENT_TYPE"]), ["CONTENT_LENGTH: 3", "CONTENT_TYPE: t/p"]);
    // Without any, such fields are fields like others.
    assert_eq!(told(false, request.replace("X-Iisnode", "X-iisnode").as_str(), &[]), ["AUTH_USER: admin"]);
}

#[test]
fn without_forwarding_claims_pass() {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{CLAIMS}\r\n");
    assert_eq!(encoded(&request), request);
}

#[test]
fn replies() {
    let mut reply = Reply {
        status: 503,
        sentence: "No worker is ready.",
        fields: &[("Retry-After", "5")],
        keep_alive: false,
        client: Version::Http11,
        date: b"NOW",
        head_only: false,
    };
    let text = |reply: &Reply<'_>| {
        let mut out = Vec::new();
        encode_reply(reply, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let expected = "HTTP/1.1 503 Service Unavailable\r\nDate: NOW\r\nContent-Type: text/plain; charset=utf-8\r\n\
                    Content-Length: 20\r\nRetry-After: 5\r\nConnection: close\r\n\r\n";
    assert_eq!(text(&reply), format!("{expected}No worker is ready.\n"));
    reply.head_only = true;
    assert_eq!(text(&reply), expected);
    reply.status = 405;
    assert!(text(&reply).contains("\r\nAllow: GET, "));
}

#[test]
fn chunk_sizes() {
    for (size, line) in [(0, "0\r\n"), (10, "a\r\n"), (0x1234, "1234\r\n"), (u64::MAX, "ffffffffffffffff\r\n")] {
        let mut out = Vec::new();
        encode_chunk_size(size, &mut out).unwrap();
        assert_eq!(out, line.as_bytes());
    }
}

/// A sink as small as a real buffer.
struct Short(Vec<u8>, usize);

impl Sink for Short {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.0.len() + bytes.len() > self.1 {
            return Err(Full);
        }
        self.0.put(bytes)
    }
}

#[test]
fn a_full_sink_is_reported_wherever_it_ends() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nTE: trailers\r\n\r\n";
    let (head, facts) = admit(request.as_bytes()).unwrap();
    let len = encoded(request).len();
    for room in 0..=len {
        let result = encode_request(&head, &facts, None, &mut Short(Vec::new(), room));
        assert_eq!(result.is_ok(), room == len);
    }
}
