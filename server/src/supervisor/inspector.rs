//! Finds out what the JavaScript of a process hangs in, from outside.
//!
//! Asked to (SIGUSR1, or its like elsewhere) node opens its inspector on a thread of its own, even while JavaScript never returns to the event loop.
//! There the debugger protocol (JSON over WebSocket) is asked to pause, and says where that was. All of it is bounded
//! by [`CAPTURE_MAX`], and happens on a thread of its own.
//!
//! What it deliberately does not do: let the process go on. Whoever asks is about to kill it.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::logs::InspectorUrl;

/// All of it. 5 s: requests wait meanwhile.
const CAPTURE_MAX: Duration = Duration::from_secs(5);

/// From the signal to the inspector's address. 2 s: it takes some ten milliseconds on a machine with time.
const OPEN_MAX: Duration = Duration::from_secs(2);

/// How often the address is looked for. 10 ms.
const GLANCE: Duration = Duration::from_millis(10);

/// Frames that are told; a recursion without end has thousands.
const FRAMES_MAX: usize = 30;

/// Bytes of the inspector's answer to the upgrade.
const HEAD_BYTES_MAX: usize = 4096;

/// Finds out on a thread of its own where the JavaScript of a process that was asked to
/// [open its inspector](crate::spawn::Process::open_inspector) is, the innermost call
/// first, and hands it over; or why that cannot be known.
///
/// # Errors
///
/// When no thread can be made.
pub fn capture(
    pid: u32,
    from: InspectorUrl,
    hand_over: impl FnOnce(Result<Vec<String>, String>) + Send + 'static,
) -> Result<(), String> {
    let work = move || {
        let began = Instant::now();
        let url = std::iter::from_fn(|| {
            let waits = began.elapsed() < OPEN_MAX;
            waits.then(|| {
                from.look().or_else(|| {
                    thread::sleep(GLANCE);
                    None
                })
            })
        });
        let stack = match url.flatten().next() {
            Some(url) => stack(&url, began + CAPTURE_MAX).map_err(|error| format!("its inspector: {error}")),
            None => Err("its inspector does not open: it is in native code, or handles SIGUSR1 itself".into()),
        };
        hand_over(stack);
    };
    let thread = thread::Builder::new().name(format!("inspect {pid}")).spawn(work);
    thread.map(drop).map_err(|error| format!("no thread to look with: {error}"))
}

/// Asks the inspector at `ws://ADDR:PORT/PATH` to pause, and where that was.
fn stack(url: &str, deadline: Instant) -> io::Result<Vec<String>> {
    let mut socket = connect(url, deadline)?;
    for (id, method) in [(1, "Debugger.enable"), (2, "Debugger.pause")] {
        let ask = json!({ "id": id, "method": method });
        socket.send(Message::text(ask.to_string())).map_err(io::Error::other)?;
    }
    let mut scripts = Scripts::new();
    loop {
        socket.get_ref().set_read_timeout(Some(left(deadline)?))?;
        let message = socket.read().map_err(|error| {
            let late = matches!(&error, tungstenite::Error::Io(error) if is_late(error));
            if late { io::Error::other("it does not pause, perhaps in native code") } else { io::Error::other(error) }
        })?;
        let Message::Text(text) = message else { continue };
        let Ok(event) = serde_json::from_str::<Value>(&text) else { continue };
        let params = &event["params"];
        if event["method"] == "Debugger.paused" {
            return Ok(frames(&params["callFrames"], &scripts));
        }
        if let (Some(id), Some(url)) = (params["scriptId"].as_str(), params["url"].as_str()) {
            scripts.insert(id.to_string(), url.to_string());
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Connects, and speaks WebSocket from there on.
fn connect(url: &str, deadline: Instant) -> io::Result<WebSocket<TcpStream>> {
    let (host, path) =
        url.strip_prefix("ws://").and_then(|rest| rest.split_once('/')).ok_or(io::ErrorKind::InvalidData)?;
    let address: SocketAddr = host.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    // Nobody checks that our key is random, and we do not check the answer to it: both ends are on this machine.
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Zm9yZWJheWluc3BlY3Rvcg==\r\n\r\n"
    )?;
    let mut head = Vec::new();
    let end = loop {
        if let Some(at) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        let mut part = [0; 512];
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut part)? {
            1.. if head.len() > HEAD_BYTES_MAX => return Err(io::ErrorKind::InvalidData.into()),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&part[..count]),
        }
    };
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other("it does not take another debugger"));
    }
    Ok(WebSocket::from_partially_read(stream, head.split_off(end), Role::Client, None))
}

/// Where each script came from, by its id. Frames name their script's place too, but not in every node.
type Scripts = HashMap<String, String>;

/// `name (path:line:column)` for each frame, with numbers from 1.
fn frames(frames: &Value, scripts: &Scripts) -> Vec<String> {
    let frames = frames.as_array().map_or(&[][..], Vec::as_slice);
    let shown = frames.iter().take(FRAMES_MAX).map(|frame| {
        let name = frame["functionName"].as_str().filter(|name| !name.is_empty()).unwrap_or("<anonymous>");
        let known = frame["location"]["scriptId"].as_str().and_then(|id| scripts.get(id));
        let url = known.map_or_else(|| frame["url"].as_str().unwrap_or_default(), String::as_str);
        let number = |key: &str| frame["location"][key].as_u64().unwrap_or(0) + 1;
        let file = url.strip_prefix("file://").unwrap_or(url);
        format!("{name} ({file}:{}:{})", number("lineNumber"), number("columnNumber"))
    });
    let more = frames.len().saturating_sub(FRAMES_MAX);
    shown.chain((more > 0).then(|| format!("… and {more} more"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_like_a_stack() {
        let scripts = Scripts::from([("7".into(), "file:///srv/app/a.js".into())]);
        let frame = |name: &str, id: &str| {
            let location = json!({ "scriptId": id, "lineNumber": 2, "columnNumber": 8 });
            json!({ "functionName": name, "url": "node:internal/timers", "location": location })
        };
        let some = json!([frame("spin", "7"), frame("", "8")]);
        assert_eq!(frames(&some, &scripts), ["spin (/srv/app/a.js:3:9)", "<anonymous> (node:internal/timers:3:9)"]);
        let many: Vec<Value> = (0..40).map(|_| frame("f", "7")).collect();
        let shown = frames(&Value::Array(many), &scripts);
        assert_eq!((shown.len(), shown.last().map(String::as_str)), (31, Some("… and 10 more")));
        assert_eq!(frames(&Value::Null, &scripts), Vec::<String>::new());
    }
}
