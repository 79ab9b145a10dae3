//! A client that speaks HTTP/1.1 by hand, so that a test sees the bytes that came.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::response::{Broken, Response, field, status};
use super::wait::PATIENCE;

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends where the other side may have closed already.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The same connection for another thread.
    pub(crate) fn split(&self) -> Self {
        Self { stream: self.stream.try_clone().unwrap(), buffer: Vec::new() }
    }

    /// Makes closing it an RST rather than an orderly end.
    pub(crate) fn resets_on_close(&self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Whether something has come that was not read yet, or the other side has closed.
    pub(crate) fn has_bytes(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        !self.buffer.is_empty() || peeked.is_ok()
    }

    /// Sends as much as the other side takes, until it takes nothing for `pause`; how much that was.
    pub(crate) fn send_until_full(&mut self, bytes: &[u8], pause: Duration) -> usize {
        // Not with a time-out: of a write that was late, Windows does not say how much was sent.
        self.stream.set_nonblocking(true).unwrap();
        let (mut sent, mut progress) = (0, Instant::now());
        while sent < bytes.len() && progress.elapsed() < pause {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => (sent, progress) = (sent + count, Instant::now()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                Err(error) => panic!("after {sent} bytes: {error}"),
            }
        }
        self.stream.set_nonblocking(false).unwrap();
        sent
    }

    /// Ends the sending direction.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.request(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    pub(crate) fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> Response {
        let body = body.as_ref();
        let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
        // In one piece: a worker that dies has read all of it or nothing.
        self.request([head.as_bytes(), body].concat())
    }

    /// Sends a request and reads its response.
    pub(crate) fn request(&mut self, bytes: impl AsRef<[u8]>) -> Response {
        self.send(bytes);
        self.response()
    }

    /// The next response.
    pub(crate) fn response(&mut self) -> Response {
        self.try_response(false).unwrap_or_else(|broken| panic!("no response: {broken}"))
    }

    /// The next response, to a HEAD request.
    pub(crate) fn response_to_head(&mut self) -> Response {
        self.try_response(true).unwrap_or_else(|broken| panic!("no response: {broken}"))
    }

    /// The head of the next response, informational ones not skipped; the body can be read afterwards.
    pub(crate) fn head(&mut self) -> Response {
        let head = self.take_head().unwrap_or_else(|broken| panic!("no head: {broken}"));
        Response { status: status(&head), head, ..Response::default() }
    }

    pub(crate) fn try_response(&mut self, to_head: bool) -> Result<Response, Broken> {
        let mut early = Vec::new();
        let head = loop {
            let head = self.take_head()?;
            match status(&head) {
                100 | 102..=199 => early.push(head),
                _ => break head,
            }
        };
        let status = status(&head);
        let mut response = Response { status, early, head, ..Response::default() };
        let begun = |broken: Broken| Broken { begun: true, ..broken };
        if to_head || matches!(status, 101 | 204 | 304) {
            return Ok(response);
        }
        if field(&response.head, "transfer-encoding").is_some() {
            (response.body, response.trailers) = self.take_chunks().map_err(begun)?;
        } else if let Some(length) = field(&response.head, "content-length") {
            response.body = self.take(length.parse().unwrap()).map_err(begun)?;
        } else {
            response.body = self.rest();
        }
        Ok(response)
    }

    fn take_head(&mut self) -> Result<String, Broken> {
        let head = self.take_until(b"\r\n\r\n")?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    fn take_chunks(&mut self) -> Result<(Vec<u8>, String), Broken> {
        let mut body = Vec::new();
        loop {
            let line = self.take_until(b"\r\n")?;
            let digits = String::from_utf8_lossy(&line).trim().to_owned();
            let size = usize::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("chunk size {digits:?}"));
            if size == 0 {
                break;
            }
            body.extend(self.take(size)?);
            assert_eq!(self.take(2)?, b"\r\n");
        }
        let mut trailers = String::new();
        loop {
            let line = self.take_until(b"\r\n")?;
            if line == b"\r\n" {
                return Ok((body, trailers));
            }
            trailers.push_str(&String::from_utf8_lossy(&line));
        }
    }

    fn take_until(&mut self, end: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut from = 0;
        loop {
            let found = self.buffer[from..].windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                return Ok(self.buffer.drain(..from + at + end.len()).collect());
            }
            from = self.buffer.len().saturating_sub(end.len() - 1);
            self.fill()?;
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, Broken> {
        while self.buffer.len() < count {
            self.fill()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn fill(&mut self) -> Result<(), Broken> {
        let mut piece = [0; 64 * 1024];
        let error = match self.stream.read(&mut piece) {
            Ok(count @ 1..) => {
                self.buffer.extend_from_slice(&piece[..count]);
                return Ok(());
            }
            Ok(_) => None,
            Err(error) => Some(error),
        };
        Err(Broken { part: self.buffer.clone(), begun: false, error })
    }

    /// The next bytes up to and including `end`.
    pub(crate) fn until(&mut self, end: &str) -> String {
        let bytes = self.take_until(end.as_bytes()).unwrap_or_else(|broken| panic!("no {end:?}: {broken}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The next `count` bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        self.take(count).unwrap_or_else(|broken| panic!("fewer than {count} bytes: {broken}"))
    }

    /// Everything until the other side ends or breaks the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        loop {
            if let Err(broken) = self.fill() {
                let late = broken.error.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock);
                assert!(!late, "still open: {broken}");
                return std::mem::take(&mut self.buffer);
            }
        }
    }

    /// Expects that the other side ends or breaks the connection without a further byte.
    pub(crate) fn is_closed(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }
}
