//! Requests and responses on their way: who gets them, what is added, and that bytes arrive as they were sent.

use super::client::Client;
use super::site::{COUNTER, Served, Site};

/// Reflects a field, and says whether it came.
const CUSTOM: &str = "require('http').createServer((req, res) => {
  if ('x-foo' in req.headers) {
    res.setHeader('x-bar', req.headers['x-foo']);
    res.setHeader('x-got-foo', 'true');
  }
  res.end('Hello, world');
}).listen(process.env.PORT);";

/// Says which fields came.
const FIELDS: &str = "require('http').createServer((req, res) => {
  for (const [name, value] of Object.entries(req.headers)) if (name.startsWith('x-')) res.setHeader('x-echo-' + name, value);
  res.setHeader('x-echo-url', req.url);
  res.end(JSON.stringify({ method: req.method, version: req.httpVersion, url: req.url }));
}).listen(process.env.PORT);";

/// What large transfers are of: 30 MiB down whatever comes up, or the number of bytes that came.
const LARGE: &str = "const piece = Buffer.alloc(1024, 'x');
require('http').createServer((req, res) => {
  let bytes = 0;
  req.on('data', (chunk) => (bytes += chunk.length)).on('end', () => {
    if (req.url.endsWith('?count')) return res.end(String(bytes));
    res.setHeader('Cache-Control', 'no-cache');
    let left = 30 * 1024;
    const more = () => {
      while (left-- > 0) if (!res.write(piece)) return res.once('drain', more);
      res.end();
    };
    more();
  });
}).listen(process.env.PORT);";

fn post(client: &mut Client, fields: &str, body: &str) -> super::response::Response {
    let length = body.len();
    client.request(format!("POST /hello.js HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{fields}\r\n{body}"))
}

fn raw(served: &Served, request: &str) -> String {
    let mut client = served.server.connect();
    client.send(request);
    String::from_utf8(client.rest()).unwrap()
}

#[test]
fn t114_each_process_has_its_turn() {
    let served = Site::hello(COUNTER, r#"<iisnode nodeProcessCountPerApplication="2" />"#).start();
    let expected = ["Hello, world 1", "Hello, world 1", "Hello, world 2", "Hello, world 2"];
    assert_eq!(served.bodies("/hello.js", 4), expected);
    served.stop();
}

#[test]
fn t115_custom_headers_arrive_even_empty() {
    let served = Site::hello(CUSTOM, "").start();
    let mut client = served.server.connect();
    for (fields, bar) in [("x-foo: foobar\r\n", "foobar"), ("x-foo:\r\n", ""), ("x-foo:\r\nx-baz: foobar\r\n", "")] {
        let response = post(&mut client, fields, "");
        assert_eq!((response.status, response.text().as_str()), (200, "Hello, world"));
        assert_eq!(response.field("x-bar").as_deref(), Some(bar));
        assert_eq!(response.field("x-got-foo").as_deref(), Some("true"));
    }
    served.stop();
}

#[test]
fn t118_forwarded_for_and_proto() {
    let served = Site::hello(FIELDS, r#"<iisnode enableXFF="true" />"#).start();
    let mut client = served.server.connect();
    for (fields, list, scheme) in [
        ("", "127.0.0.1", "http"),
        ("X-Forwarded-Proto: https\r\n", "127.0.0.1", "https"),
        ("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n", "1.1.1.1, 127.0.0.1", "https"),
        ("X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n", "127.0.0.1", "https"),
    ] {
        let response = post(&mut client, fields, "");
        assert_eq!(response.field("x-echo-x-forwarded-for").as_deref(), Some(list), "{fields}");
        assert_eq!(response.field("x-echo-x-forwarded-proto").as_deref(), Some(scheme), "{fields}");
    }
    served.stop();
}

#[test]
fn t119_server_variables() {
    let served = Site::hello(FIELDS, r#"<iisnode promoteServerVars="REQUEST_METHOD,AUTH_USER" />"#).start();
    let request = "GET /hello.js HTTP/1.1\r\nHost: test\r\nX-iisnode-AUTH_USER: admin\r\n\r\n";
    let response = served.server.connect().request(request);
    assert_eq!(response.field("x-echo-x-iisnode-request_method").as_deref(), Some("GET"));
    assert_eq!(response.field("x-echo-x-iisnode-auth_user"), None);
    served.stop();
}

#[test]
fn t122_a_header_may_come_twice() {
    let script = "require('http').createServer((req, res) => {
        res.writeHead(200, { Foo: ['Val1', 'Val2'] });
        res.end();
    }).listen(process.env.PORT);";
    let served = Site::hello(script, "").start();
    let text = raw(&served, "GET /hello.js HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert!(text.contains("Foo: Val1\r\n") && text.contains("Foo: Val2\r\n"), "{text}");
    served.stop();
}

#[test]
fn t123_uploads_with_and_without_chunks() {
    let script = "require('http').createServer((req, res) => {
        res.write(`${req.headers['transfer-encoding'] === 'chunked'}-`);
        req.pipe(res);
    }).listen(process.env.PORT);";
    let served = Site::hello(script, "").start();
    let mut client = served.server.connect();
    let mut chunked = |body: &str| {
        let head = "POST /hello.js HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.request(format!("{head}{body}0\r\n\r\n")).text()
    };
    assert_eq!(chunked("3\r\nabc\r\n"), "true-abc");
    assert_eq!(chunked(""), "true-");
    assert_eq!(chunked("3\r\nabc\r\n4\r\ndefg\r\n"), "true-abcdefg");
    assert_eq!(post(&mut served.server.connect(), "", "def").text(), "false-def");
    assert_eq!(post(&mut served.server.connect(), "", "").text(), "false-");
    served.stop();
}

#[test]
fn t132_the_debug_header() {
    let served = Site::hello(COUNTER, r#"<iisnode debugHeaderEnabled="true" />"#).start();
    let header = served.get("/hello.js").field("iisnode-debug").unwrap();
    assert!(header.starts_with("http://bit.ly/NsU2nd#iisnode_ver="), "{header}");
    served.stop();
    let served = Site::hello(COUNTER, "").start();
    assert_eq!(served.get("/hello.js").field("iisnode-debug"), None);
    served.stop();
}

#[test]
fn t140_to_142_large_bodies_both_ways() {
    let served = Site::hello(LARGE, "").start();
    assert_eq!(served.get("/hello.js").body.len(), 31_457_280);
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let upload = |target: &str| {
        let head = format!("POST {target} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        format!("{head}{}0\r\n\r\n", chunk.repeat(31 * 1024))
    };
    assert_eq!(served.server.connect().request(upload("/hello.js?count")).text(), "32505856");
    assert_eq!(served.server.connect().request(upload("/hello.js")).body.len(), 31_457_280);
    served.stop();
}

#[test]
fn sticky_sessions_name_a_process() {
    let config = r#"<iisnode nodeProcessCountPerApplication="2" nodeProcessStickySessions="true" />"#;
    let served = Site::hello(COUNTER, config).start();
    let first = served.get("/hello.js").field("set-cookie").unwrap();
    let pair = first.split(';').next().unwrap();
    assert!(pair.starts_with("iisnode.session.cookie="), "{first}");
    let again = format!("GET /hello.js HTTP/1.1\r\nHost: test\r\nCookie: a=b; {pair}\r\n\r\n");
    for n in 2..5 {
        let response = served.server.connect().request(&again);
        assert_eq!((response.text(), response.field("set-cookie")), (format!("Hello, world {n}"), None));
    }
    served.stop();
}

#[test]
fn targets_arrive_as_they_were_sent() {
    let served = Site::hello(FIELDS, "").start();
    for target in ["/hello.js?a=%2F%3D&b=%C3%A9", "/hello%2Ejs?%2e%2F", "/hello.js?x=|{}"] {
        assert_eq!(served.get(target).field("x-echo-url").as_deref(), Some(target));
    }
    served.stop();
}

#[test]
fn responses_without_a_body_and_clients_of_http_1_0() {
    let script = "require('http').createServer((req, res) => {
        res.statusCode = Number(req.url.split('?')[1] || 200);
        res.setHeader('ETag', '\"x\"');
        res.end(res.statusCode === 200 ? 'body' : undefined);
    }).listen(process.env.PORT);";
    let served = Site::hello(script, "").start();
    let mut client = served.server.connect();
    client.send("HEAD /hello.js HTTP/1.1\r\nHost: test\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.body.len()), (200, 0));
    // Each leaves the connection as it should be.
    assert_eq!(client.get("/hello.js?204").status, 204);
    assert_eq!(client.get("/hello.js?304").status, 304);
    assert_eq!(client.get("/hello.js").text(), "body");
    let old = raw(&served, "GET /hello.js HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.1 200 OK\r\n") && old.ends_with("\r\n\r\nbody"), "{old}");
    assert!(!old.to_lowercase().contains("transfer-encoding"), "{old}");
    served.stop();
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on_and_trailers_pass() {
    let script = "require('http').createServer((req, res) => {
        req.resume().on('end', () => {
            res.writeHead(200, { Trailer: 'X-Sum' });
            res.write(JSON.stringify(req.trailers));
            res.addTrailers({ 'X-Sum': '42' });
            res.end();
        });
    }).listen(process.env.PORT);";
    let served = Site::hello(script, "").start();
    let mut client = served.server.connect();
    client.send("POST /hello.js HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send("3\r\nabc\r\n0\r\nX-Check: 7\r\n\r\n");
    let response = client.response();
    assert_eq!(response.text(), r#"{"x-check":"7"}"#);
    assert!(response.trailers.contains("X-Sum: 42"), "{response:?}");
    served.stop();
}
