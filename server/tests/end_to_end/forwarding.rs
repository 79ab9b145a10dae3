//! What the application is told about its client, and whom the server believes.

use super::setup::Setup;

const CLAIMS: &str = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n\
    X-Forwarded-Port: 1\r\nForwarded: for=6.6.6.6;proto=https\r\nX-Real-IP: 6.6.6.6\r\nX-Request-Id: chosen-by-me\r\n";

fn headers(setup: Setup, extra: &str) -> serde_json::Value {
    let server = setup.start();
    let request = format!("GET /info HTTP/1.1\r\nHost: shop.example:8080\r\n{extra}\r\n");
    let mut info = server.connect().request(request).json();
    server.stop();
    info["headers"].take()
}

#[test]
fn a_strangers_claims_are_replaced_by_what_is_known() {
    let headers = headers(Setup::new("lab.cjs"), CLAIMS);
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "shop.example:8080");
    assert_eq!(headers["forwarded"], "for=127.0.0.1;host=\"shop.example:8080\";proto=http");
    assert_eq!(headers["host"], "shop.example:8080");
    assert!(headers["x-forwarded-port"].is_null() && headers["x-real-ip"].is_null(), "{headers}");
    let id = headers["x-request-id"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
}

#[test]
fn a_trusted_proxy_is_believed_and_added_to() {
    let headers = headers(Setup::new("lab.cjs").set("forwarding.trusted", "[\"127.0.0.1\"]"), CLAIMS);
    assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-host"], "evil.example");
    assert_eq!(headers["x-forwarded-port"], "1");
    assert_eq!(headers["x-real-ip"], "6.6.6.6");
    assert_eq!(headers["x-request-id"], "chosen-by-me");
    let forwarded = headers["forwarded"].as_str().unwrap();
    assert!(forwarded.starts_with("for=6.6.6.6;proto=https, for=127.0.0.1;"), "{forwarded}");
}

#[test]
fn another_proxy_is_not_trusted() {
    let headers = headers(Setup::new("lab.cjs").set("forwarding.trusted", "[\"10.0.0.0/8\", \"::1\"]"), CLAIMS);
    assert_eq!((&headers["x-forwarded-for"], &headers["x-forwarded-proto"]), (&"127.0.0.1".into(), &"http".into()));
}

#[test]
fn what_is_switched_off_is_neither_added_nor_believed() {
    let setup = Setup::new("lab.cjs")
        .set("forwarding.x_forwarded", false)
        .set("forwarding.forwarded", false)
        .set("forwarding.request_id", false);
    let headers = headers(setup, CLAIMS);
    let mut names: Vec<_> = headers.as_object().unwrap().keys().cloned().collect();
    names.sort();
    names.retain(|name| name != "connection");
    assert_eq!(names, ["host"]);
}

#[test]
fn request_ids_differ_and_hop_by_hop_fields_end_here() {
    let server = Setup::new("lab.cjs").start();
    let mut client = server.connect();
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        let request = "GET /info HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\n\
            Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nX-Public: 2\r\n\r\n";
        let headers = client.request(request).json()["headers"].take();
        assert!(headers["x-private"].is_null() && headers["keep-alive"].is_null(), "{headers}");
        assert!(headers["proxy-connection"].is_null() && headers["x-public"] == "2", "{headers}");
        ids.insert(headers["x-request-id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 20);
    server.stop();
}

#[test]
fn names_of_fields_keep_their_case_and_order() {
    let server = Setup::new("lab.cjs").start();
    let request =
        "GET /info HTTP/1.1\r\nHost: test\r\nX-ONE: 1\r\nx-Two:2\r\nX-One:   3  \r\nCookie: a=b\r\nCookie: c=d\r\n\r\n";
    let info = server.connect().request(request).json();
    let raw: Vec<_> = info["rawHeaders"].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
    let own = raw.chunks(2).filter(|pair| ["x-one", "x-two", "cookie"].contains(&&*pair[0].to_lowercase()));
    let own: Vec<_> = own.map(|pair| format!("{}={}", pair[0], pair[1])).collect();
    assert_eq!(own, ["X-ONE=1", "x-Two=2", "X-One=3", "Cookie=a=b", "Cookie=c=d"]);
    server.stop();
}

#[test]
pub(crate) fn a_trusted_list_is_extended_once() {
    let server = Setup::new("lab.cjs").set("forwarding.trusted", "[\"127.0.0.1\"]").start();
    let mut client = server.connect();
    let mut told = |fields: &str| {
        let headers =
            client.request(format!("GET /info HTTP/1.1\r\nHost: test\r\n{fields}\r\n")).json()["headers"].take();
        let text = |name: &str| headers[name].as_str().unwrap_or_default().to_owned();
        (text("x-forwarded-for"), text("x-forwarded-proto"))
    };
    let https = "X-Forwarded-Proto: https\r\n";
    let pair = |list: &str, scheme: &str| (list.to_owned(), scheme.to_owned());
    assert_eq!(told(""), pair("127.0.0.1", "http"));
    assert_eq!(told(https), pair("127.0.0.1", "https"));
    assert_eq!(told(&format!("X-Forwarded-For: 1.1.1.1\r\n{https}")), pair("1.1.1.1, 127.0.0.1", "https"));
    assert_eq!(told(&format!("X-Forwarded-For: 127.0.0.1\r\n{https}")), pair("127.0.0.1", "https"));
    assert_eq!(told("X-Forwarded-For: 1127.0.0.1\r\n").0, "1127.0.0.1, 127.0.0.1");
    server.stop();
}

#[test]
pub(crate) fn server_variables_are_told_and_cannot_be_forged() {
    let names =
        "[\"REQUEST_METHOD\", \"AUTH_USER\", \" URL \", \"QUERY_STRING\", \"REMOTE_ADDR\", \"SERVER_PORT\", \"HTTPS\"]";
    let server = Setup::new("lab.cjs").set("forwarding.server_variables", names).start();
    let request = "GET /info?a=%2F HTTP/1.1\r\nHost: test\r\nX-iisnode-AUTH_USER: admin\r\nx-iisnode-other: 1\r\n\r\n";
    let headers = server.connect().request(request).json()["headers"].take();
    let told = headers.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("x-iisnode-"));
    let told: std::collections::BTreeMap<_, _> =
        told.map(|(name, value)| (&name[10..], value.as_str().unwrap())).collect();
    let port = server.address.port().to_string();
    let expected = [
        ("https", "off"),
        ("query_string", "a=%2F"),
        ("remote_addr", "127.0.0.1"),
        ("request_method", "GET"),
        ("server_port", &port),
        ("url", "/info"),
    ];
    assert_eq!(told, expected.into());
    server.stop();
}

#[test]
fn server_variables_that_do_not_exist_are_refused() {
    let (status, log) = Setup::new("lab.cjs").set("forwarding.server_variables", "[\"REQUEST_METHODS\"]").fail();
    assert_eq!(status.code(), Some(2));
    assert!(log.contains("unknown server variable (\"REQUEST_METHODS\"), allowed: AUTH_TYPE, AUTH_USER"), "{log}");
}
