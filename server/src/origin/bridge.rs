//! Between a client's WebSocket and the one of node's inspector: bytes go through as they are, once both have shaken hands.

use std::io;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of an answer's head that the inspector may send. 8 KiB.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What the inspector gets to say which version it is of. 1 s.
const VERSION_MAX: Duration = Duration::from_secs(1);

/// A connection to the inspector that speaks WebSocket.
pub(super) struct Bridge {
    /// The connection.
    pub(super) stream: TcpStream,
    /// What the handshake answers.
    pub(super) accept: HeaderValue,
    /// What came behind the handshake already.
    pub(super) early: Vec<u8>,
}

/// Connects to the inspector at `url`, in the name of a client that has sent these fields.
///
/// # Errors
/// Nobody listens there, or it does not agree.
pub(super) async fn open(url: &str, headers: &HeaderMap) -> io::Result<Bridge> {
    let (authority, path) = parts(url).ok_or(io::ErrorKind::InvalidInput)?;
    let field = |name| headers.get(&name).and_then(|value: &HeaderValue| value.to_str().ok());
    let (Some(key), Some(version)) = (field(SEC_WEBSOCKET_KEY), field(SEC_WEBSOCKET_VERSION)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // No extension is passed on: both sides speak plain frames.
    let hello = format!(
        "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {version}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    stream.write_all(hello.as_bytes()).await?;
    let (head, early) = head(&mut stream).await?;
    let accept = value_of(&head, SEC_WEBSOCKET_ACCEPT.as_str());
    let accept = accept.filter(|_| head.starts_with("HTTP/1.1 101 ")).and_then(|it| HeaderValue::from_str(it).ok());
    Ok(Bridge { stream, accept: accept.ok_or(io::ErrorKind::ConnectionRefused)?, early })
}

/// The version of node, as its inspector says.
pub(super) async fn version(url: &str) -> Option<String> {
    tokio::time::timeout(VERSION_MAX, ask_version(url)).await.ok()?
}

async fn ask_version(url: &str) -> Option<String> {
    let (authority, _) = parts(url)?;
    let mut stream = TcpStream::connect(authority).await.ok()?;
    let ask = format!("GET /json/version HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.ok()?;
    let (head, mut body) = head(&mut stream).await.ok()?;
    let length: usize = value_of(&head, "content-length")?.parse().ok().filter(|length| *length <= HEAD_BYTES_MAX)?;
    while body.len() < length && stream.read_buf(&mut body).await.ok()? > 0 {}
    let said: serde_json::Value = serde_json::from_slice(&body).ok()?;
    said["Browser"].as_str().map(str::to_owned)
}

/// The value of a field in a head.
fn value_of<'h>(head: &'h str, wanted: &str) -> Option<&'h str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next()
}

/// Address and path of `ws://ADDRESS/PATH`; only where that is a loopback address.
fn parts(url: &str) -> Option<(&str, &str)> {
    let (authority, path) = url.strip_prefix("ws://")?.split_once('/')?;
    authority.starts_with("127.0.0.1:").then_some((authority, path))
}

async fn head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let early = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), early));
        }
        if bytes.len() > HEAD_BYTES_MAX || stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
