//! A worker that costs the shard what node would, without node: HTTP/1.1 over a Unix socket, a thread a connection.
//!
//! `GET /big` is answered with 1 MiB of known length, a request with a body with that body in chunks as they came,
//! anything else with a greeting under the head that node writes.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use forebay_core::http1::{BodyDecoder, Flavour, Framing, HeadScanner, RequestHead, Scan, Side, judge_request};

/// Bytes of the large response's body. 1 MiB.
pub(crate) const BIG_BYTES: usize = 1 << 20;

const READ_BYTES: usize = 64 * 1024;

const GREETING: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    Connection: keep-alive\r\nKeep-Alive: timeout=65\r\nContent-Length: 11\r\n\r\nhello world";

const ECHO_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\
    Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=65\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

/// Listens at `path` on a thread of its own, for as long as the process lives.
///
/// # Errors
/// The socket cannot be made.
pub(crate) fn start(path: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    let big = format!("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: {BIG_BYTES}\r\n\r\n");
    let big: Vec<u8> = big.bytes().chain(std::iter::repeat_n(b'x', BIG_BYTES)).collect();
    let accept = move || {
        for stream in listener.incoming().flatten() {
            let big = big.clone();
            // A connection that breaks is the shard's to notice.
            thread::spawn(move || serve(&stream, &big));
        }
    };
    thread::Builder::new().name("worker".into()).spawn(accept)?;
    Ok(())
}

fn serve(mut stream: &UnixStream, big: &[u8]) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut len, mut scanner) = (0, HeadScanner::default());
    loop {
        let Ok(Scan::Complete { head_len }) = scanner.scan(&buffer[..len], READ_BYTES) else {
            match stream.read(&mut buffer[len..])? {
                0 => return Ok(()),
                count => len += count,
            }
            continue;
        };
        let head = RequestHead::parse(&buffer[..head_len], 200).map_err(|bad| io::Error::other(bad.reason))?;
        let facts = judge_request(&head).map_err(|bad| io::Error::other(bad.reason))?;
        let answer = if head.target == b"/big" { big } else { GREETING };
        drop(head);
        if facts.body == Framing::Chunked {
            echo(stream, &mut buffer, head_len..len)?;
        } else {
            stream.write_all(answer)?;
        }
        // The next request is sent once this one is answered.
        (len, scanner) = (0, HeadScanner::default());
    }
}

/// Sends a chunked body back, chunk for chunk; `had` is what of it was read with the head.
fn echo(mut stream: &UnixStream, buffer: &mut [u8], had: std::ops::Range<usize>) -> io::Result<()> {
    stream.write_all(ECHO_HEAD)?;
    let mut body = BodyDecoder::new(Framing::Chunked, Flavour::Verbatim, Side::Request);
    let mut had = had;
    loop {
        let mut rest = &buffer[had];
        while !rest.is_empty() && !body.is_done() {
            let run = body.decode(rest).map_err(|bad| io::Error::other(bad.reason))?;
            stream.write_all(&rest[run.forward])?;
            rest = &rest[run.consumed..];
        }
        if body.is_done() {
            return Ok(());
        }
        had = match stream.read(buffer)? {
            0 => return Ok(()),
            count => 0..count,
        };
    }
}
