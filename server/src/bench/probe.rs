//! One request on a connection of its own.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::reply::{Reply, ReplyReader, facts};

/// Time to connect, on the loopback. 1 s.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for the whole response. 10 s.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait before the flag is looked at that ends the wait. 100 ms.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What `server` answers to `request`.
///
/// # Errors
/// Nobody listens there, what comes is no response, it takes too long, or `stop` was set.
pub(super) fn probe(server: SocketAddr, request: &[u8], stop: &AtomicBool) -> io::Result<Reply> {
    let mut reader = ReplyReader::new(facts(request)?);
    let mut stream = TcpStream::connect_timeout(&server, DIAL_TIMEOUT)?;
    stream.set_read_timeout(Some(LOOK_INTERVAL))?;
    stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
    // A server may answer, and close, before it has read everything.
    let sent = stream.write_all(request);
    let deadline = Instant::now() + REPLY_TIMEOUT;
    let mut buffer = vec![0; 16 * 1024];
    while Instant::now() < deadline && !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return reader.on_end(),
            Ok(count) => {
                if let Some(reply) = reader.on_bytes(&buffer[..count])? {
                    return Ok(reply);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(sent.err().unwrap_or(error)),
        }
    }
    Err(ErrorKind::TimedOut.into())
}
