//! The debugger at the application's own address, with a real inspector behind it.

use std::net::TcpStream;

use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::response::Response;
use super::server::Server;
use super::setup::Setup;
use super::system::is_alive;
use super::wait::until;

const APP: &str = "let n = 0;
globalThis.answer = 42;
require('http').createServer((req, res) => res.end(`${process.pid} ${++n} ${process.execArgv.join()}`))
  .listen(process.env.PORT);";

struct App {
    folder: tempfile::TempDir,
}

impl App {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fbd").tempdir_in("/tmp").unwrap();
        std::fs::write(folder.path().join("server.js"), APP).unwrap();
        Self { folder }
    }

    fn setup(&self) -> Setup {
        Setup::new(self.folder.path().join("server.js")).set("debugger.enabled", "true")
    }
}

fn get(server: &Server, path: &str, fields: &str) -> Response {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", server.address);
    server.connect().request(request)
}

/// The session that a page has opened: its cookie and its secret.
fn session(page: &Response) -> (String, String) {
    assert_eq!(page.status, 200, "{page:?}");
    let cookie = page.field("set-cookie").unwrap_or_else(|| panic!("no session: {}", page.text()));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let secret = cookie.split_once('=').unwrap().1.to_owned();
    (cookie, secret)
}

/// A WebSocket to the inspector, or the status of the refusal.
fn connect(server: &Server, secret: &str, fields: &str) -> Result<WebSocket<TcpStream>, u16> {
    let mut client = server.connect();
    client.send(format!(
        "GET /server.js/debug/ws?token={secret} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n",
        server.address
    ));
    let head = client.head();
    if head.status != 101 {
        return Err(head.status);
    }
    // RFC 6455 section 1.3 has this pair.
    assert_eq!(head.field("sec-websocket-accept").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    Ok(WebSocket::from_raw_socket(client.stream, Role::Client, None))
}

fn evaluate(socket: &mut WebSocket<TcpStream>, expression: &str) -> serde_json::Value {
    let ask = serde_json::json!({
        "id": 7, "method": "Runtime.evaluate", "params": { "expression": expression, "returnByValue": true }
    });
    socket.send(Message::text(ask.to_string())).unwrap();
    loop {
        let message = socket.read().unwrap();
        let said: serde_json::Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if said["id"] == 7 {
            return said["result"]["result"]["value"].clone();
        }
    }
}

fn refused(result: Result<WebSocket<TcpStream>, u16>) -> u16 {
    match result {
        Err(status) => status,
        Ok(_) => panic!("it was let in"),
    }
}

#[test]
fn a_session_from_its_page_to_its_end() {
    let app = App::new();
    let server = app.setup().start();
    let redirect = get(&server, "/server.js/Debug?brk", "");
    assert_eq!((redirect.status, redirect.field("location").unwrap().as_str()), (301, "/server.js/Debug/"));
    let idle = get(&server, "/server.js/debug/?kill", "");
    assert_eq!(idle.text(), "The debugger for the application is not running.");
    let page = get(&server, "/server.js/debug/", "");
    let (cookie, secret) = session(&page);
    assert_eq!(page.field("cache-control").unwrap(), "no-cache");
    assert!(page.text().contains("node.js/v") && page.text().contains(&secret), "{}", page.text());
    assert_eq!(session(&get(&server, "/debug/", "")).1, secret, "one session at a time");

    let mut socket = connect(&server, &secret, "").unwrap();
    let debuggee = evaluate(&mut socket, "process.pid").to_string();
    assert_eq!(evaluate(&mut socket, "globalThis.answer"), 42);
    assert_eq!(refused(connect(&server, &secret, "")), 409, "one client at a time");

    // Who debugs gets the debugged process, everybody else a worker.
    let worker = server.ready_pids()[0].to_string();
    until("the debugged process answers", || {
        get(&server, "/x", &format!("Cookie: a=b; {cookie}; c=d\r\n")).text().starts_with(&debuggee)
    });
    for fields in ["", "Cookie: forebay-debug=wrong\r\n"] {
        assert!(get(&server, "/x", fields).text().starts_with(&worker), "{fields}");
    }
    drop(socket);
    until("another client can come", || connect(&server, &secret, "Origin: devtools://devtools\r\n").is_ok());

    let killed = get(&server, "/server.js/debug/?KILL", "");
    assert_eq!(killed.text(), "The debugger and debugee processes have been killed.");
    let pid: u32 = debuggee.parse().unwrap();
    until("the process is gone", || !is_alive(pid));
    assert_eq!(refused(connect(&server, &secret, "")), 403);
    assert!(get(&server, "/x", &format!("Cookie: {cookie}\r\n")).text().starts_with(&worker));
    server.stop();
}

#[test]
fn it_stops_before_the_first_line() {
    let app = App::new();
    let server = app.setup().start();
    let (_, secret) = session(&get(&server, "/server.js/debug/?brk", ""));
    let mut socket = connect(&server, &secret, "").unwrap();
    assert_eq!(evaluate(&mut socket, "typeof globalThis.answer"), "undefined");
    let go = serde_json::json!({ "id": 1, "method": "Runtime.runIfWaitingForDebugger" });
    socket.send(Message::text(go.to_string())).unwrap();
    until("it runs", || evaluate(&mut socket, "globalThis.answer") == 42);
    drop(socket);
    get(&server, "/server.js/debug/?kill", "");
    server.stop();
}

#[test]
fn strangers_are_refused() {
    let app = App::new();
    let server = app.setup().start();
    for (host, fields) in [("evil.example", ""), ("127.0.0.1", "Origin: http://evil.example\r\n")] {
        let request = format!("GET /server.js/debug/ HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        assert_eq!(server.connect().request(request).status, 403, "{host} {fields}");
    }
    assert_eq!(refused(connect(&server, "", "")), 403, "no session, no secret");
    let (_, secret) = session(&get(&server, "/server.js/debug/", ""));
    let wrong = secret.chars().rev().collect::<String>();
    for secret in ["", "x", &wrong, &secret[1..]] {
        assert_eq!(refused(connect(&server, secret, "")), 403, "{secret}");
    }
    assert_eq!(refused(connect(&server, &secret, "Origin: http://evil.example\r\n")), 403);
    assert_eq!(get(&server, "/server.js/debug/other", "").status, 404);
    server.stop();
}

#[test]
fn it_is_off_unless_asked_for() {
    let app = App::new();
    let server = app.setup().set("debugger.enabled", "false").start();
    assert_eq!(get(&server, "/server.js/debug", "").status, 200);
    assert!(!get(&server, "/server.js/debug/", "").text().contains("Debugger"));
    server.stop();
}
