//! WebSockets and other upgrades: raw bytes both ways, each direction ended for itself, counted apart from requests.

use forebay::signals::Order;

use super::client::Client;
use super::server::Server;
use super::setup::{Engine, Setup};
use super::wait::until;

/// The handshake of RFC 6455 section 1.3, with its example key.
const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A short frame as a client sends it: final, masked.
fn frame(opcode: u8, text: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut bytes = vec![0x80 | opcode, 0x80 | u8::try_from(text.len()).unwrap()];
    bytes.extend(mask);
    bytes.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn web_socket(server: &Server) -> Client {
    let mut client = server.connect();
    let response = client.request(HANDSHAKE);
    assert_eq!(response.status, 101, "{response:?}");
    assert_eq!(response.field("sec-websocket-accept").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(response.field("upgrade").unwrap(), "websocket");
    assert_eq!(response.field("connection").unwrap().to_lowercase(), "upgrade");
    client
}

fn echo(client: &mut Client, text: &str) {
    client.send(frame(1, text.as_bytes()));
    let expected = [&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    assert_eq!(client.exactly(expected.len()), expected);
}

pub(crate) fn web_socket_conversation(engine: Engine) {
    let server = Setup::new("upgrade.cjs").engine(engine).start();
    let mut client = web_socket(&server);
    for n in 0..100 {
        echo(&mut client, &format!("message {n}"));
    }
    client.send(frame(8, &[3, 232]));
    assert_eq!(client.exactly(4), [0x88, 2, 3, 232]);
    client.is_closed();
    drop(client);
    until("it is closed", || server.connect().get("/").json()["closed"] == 1);
    server.stop();
}

#[test]
pub(crate) fn a_web_socket_carries_frames_both_ways_and_is_closed() {
    web_socket_conversation(Engine::chosen());
}

#[test]
pub(crate) fn frames_sent_with_the_handshake_are_not_lost() {
    let server = Setup::new("upgrade.cjs").start();
    let mut client = server.connect();
    client.send([HANDSHAKE.as_bytes(), &frame(1, b"early"), &frame(1, b"bird")].concat());
    assert_eq!(client.response().status, 101);
    assert_eq!(client.exactly(7), b"\x81\x05early");
    assert_eq!(client.exactly(6), b"\x81\x04bird");
    server.stop();
}

#[test]
pub(crate) fn any_other_protocol_is_passed_on_too_and_each_direction_ends_for_itself() {
    let server = Setup::new("upgrade.cjs").start();
    let request =
        |path| format!("GET {path} HTTP/1.1\r\nHost: test\r\nUpgrade: lines/1.0\r\nConnection: upgrade\r\n\r\n");
    let mut client = server.connect();
    assert_eq!(client.request(request("/")).status, 101);
    client.send("one\n");
    client.until("one\n");
    // The client has said all it will; the application still answers.
    client.send("two\n");
    client.finish();
    assert_eq!(String::from_utf8_lossy(&client.rest()), "two\nand goodbye\n");

    // The application has said all it will; the client still talks.
    let mut client = server.connect();
    assert_eq!(client.request(request("/listener")).status, 101);
    client.until("I listen\n");
    client.is_closed();
    client.send("can you hear ");
    client.send("me?");
    client.finish();
    server.log_has("heard: can you hear me?");
    until("both are closed", || server.connect().get("/").json()["closed"] == 2);
    server.stop();
}

#[test]
pub(crate) fn a_refused_upgrade_is_an_ordinary_response() {
    let server = Setup::new("upgrade.cjs").start();
    let mut client = server.connect();
    let response = client.request(HANDSHAKE.replace("/chat", "/refuse"));
    assert_eq!((response.status, response.text().as_str()), (403, "no"));
    server.stop();
}

#[test]
pub(crate) fn an_upgrade_to_http_2_is_not_offered_to_the_application() {
    let server = Setup::new("upgrade.cjs").start();
    let h2c = "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\
        HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    let response = server.connect().request(h2c);
    assert_eq!(response.status, 200);
    let headers = &response.json()["headers"];
    assert!(headers["upgrade"].is_null() && headers["http2-settings"].is_null(), "{headers}");
    server.stop();
}

#[test]
pub(crate) fn clients_and_applications_that_vanish_end_their_tunnels() {
    let server = Setup::new("upgrade.cjs").workers(1).start();
    let client = web_socket(&server);
    drop(client);
    until("the application knows", || server.connect().get("/").json()["closed"] == 1);
    let mut client = web_socket(&server);
    echo(&mut client, "still there?");
    super::system::kill(server.ready_pids()[0]);
    client.is_closed();
    drop(client);
    server.stop();
}

#[test]
pub(crate) fn tunnels_do_not_count_as_requests_in_flight() {
    let server = Setup::new("upgrade.cjs").set("limits.in_flight_max", 1).start();
    let mut clients: Vec<_> = (0..5).map(|_| web_socket(&server)).collect();
    assert_eq!(server.connect().get("/").json()["opened"], 5);
    for client in &mut clients {
        echo(client, "me too");
    }
    server.tell(Order::Reload);
    server.log_has("draining: ");
    let draining = server.log_line("draining: ");
    assert!(draining.contains(" 0 in flight, 5 upgraded"), "{draining}");
    // Their worker is on its way out, and they go on.
    server.log_has("reload done");
    for client in &mut clients {
        echo(client, "still here");
    }
    drop(clients);
    server.log_has("stopped: ");
    server.stop();
}
