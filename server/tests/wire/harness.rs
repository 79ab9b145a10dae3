//! A front, a client and a scripted worker: raw bytes in and out, each wait with a deadline.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// How long anything may take before the test fails. 10 s: never reached but by a fault.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// `forebay front` with one port before one socket.
pub(crate) struct Front {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Front {
    /// Starts it on a free port. Nobody listens on its socket yet.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts it with a configuration file.
    pub(crate) fn start_with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("forebay.toml");
        std::fs::write(&file, config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(env!("CARGO_BIN_EXE_forebay"))
            .args(["front", "--no-forwarded", "--listen", &format!("127.0.0.1:{port}"), "--to"])
            .arg(folder.path().join("{port}.sock"))
            .arg("--config")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let told = log.by_ref().map_while(Result::ok).any(|line| line.contains("front for 1 endpoint"));
        assert!(told, "the front did not start");
        // Whoever does not read lets the writer wait.
        thread::spawn(move || log.for_each(drop));
        Self { process, port, folder }
    }

    /// Where it and its workers have their sockets.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A client.
    pub(crate) fn connect(&self) -> Wire<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Wire { stream, buffer: Vec::new() }
    }

    /// A worker that listens from now on, until it is dropped.
    pub(crate) fn worker(&self) -> Worker {
        let path = self.folder.path().join(format!("{}.sock", self.port));
        let listener = UnixListener::bind(&path).unwrap();
        let (send, accepted) = channel();
        let stop = listener.try_clone().unwrap();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                stream.set_write_timeout(Some(DEADLINE)).unwrap();
                if send.send(Wire { stream, buffer: Vec::new() }).is_err() {
                    return;
                }
            }
        });
        Worker { accepted, stop, path }
    }

    /// A client and a worker, the request already there.
    pub(crate) fn exchange(&self, worker: &Worker, request: &str) -> (Wire<TcpStream>, Wire<UnixStream>) {
        let mut client = self.connect();
        client.send(request);
        let mut upstream = worker.accept();
        upstream.until("\r\n\r\n");
        (client, upstream)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

/// A listening worker.
pub(crate) struct Worker {
    accepted: Receiver<Wire<UnixStream>>,
    stop: UnixListener,
    path: std::path::PathBuf,
}

impl Worker {
    /// The next connection of the front.
    pub(crate) fn accept(&self) -> Wire<UnixStream> {
        self.accepted.recv_timeout(DEADLINE).expect("a connection to the worker")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Wakes the thread that accepts; the socket is gone with it.
        let _broken = rustix::net::shutdown(&self.stop, rustix::net::Shutdown::Both);
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// One end of a connection, with what was read and not yet looked at.
pub(crate) struct Wire<S> {
    stream: S,
    buffer: Vec<u8>,
}

/// What both kinds of streams can do.
pub(crate) trait Stream: Read + Write {
    fn end(&self);
    fn waits(&self, wait: bool);
}

impl Stream for TcpStream {
    fn end(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
    fn waits(&self, wait: bool) {
        self.set_nonblocking(!wait).unwrap();
    }
}

impl Stream for UnixStream {
    fn end(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
    fn waits(&self, wait: bool) {
        self.set_nonblocking(!wait).unwrap();
    }
}

impl<S: Stream> Wire<S> {
    /// Sends it in one write.
    pub(crate) fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).unwrap();
    }

    /// As [`send`](Self::send); false once the other end does not take it.
    pub(crate) fn try_send(&mut self, bytes: &str) -> bool {
        match self.stream.write_all(bytes.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the other end neither reads nor closes"),
            outcome => outcome.is_ok(),
        }
    }

    /// Ends this direction.
    pub(crate) fn end(&self) {
        self.stream.end();
    }

    /// Reads up to and including `mark`.
    pub(crate) fn until(&mut self, mark: &str) -> String {
        loop {
            let found = self.buffer.windows(mark.len()).position(|window| window == mark.as_bytes());
            if let Some(at) = found {
                let rest = self.buffer.split_off(at + mark.len());
                return String::from_utf8(std::mem::replace(&mut self.buffer, rest)).unwrap();
            }
            assert!(self.more(), "the end before {mark:?}, after {:?}", self.buffer.escape_ascii().to_string());
        }
    }

    /// The next bytes are these.
    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: &str) {
        while self.buffer.len() < bytes.len() && bytes.as_bytes().starts_with(&self.buffer) && self.more() {}
        let rest = self.buffer.split_off(bytes.len().min(self.buffer.len()));
        assert_eq!(String::from_utf8_lossy(&std::mem::replace(&mut self.buffer, rest)), bytes);
    }

    /// Reads to the end.
    pub(crate) fn until_end(&mut self) -> String {
        while self.more() {}
        String::from_utf8(std::mem::take(&mut self.buffer)).unwrap()
    }

    /// Nothing more comes, and the connection ends.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.until_end(), "");
    }

    /// Nothing more comes, and the connection is broken off: who has read a part does not take it for the whole.
    #[track_caller]
    pub(crate) fn expect_reset(&mut self) {
        let end = self.stream.read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!((end, self.buffer.len()), (Err(ErrorKind::ConnectionReset), 0));
    }

    /// Nothing has come and the connection is open. Says nothing about later.
    #[track_caller]
    pub(crate) fn expect_quiet(&mut self) {
        self.stream.waits(false);
        let read = self.stream.read(&mut [0; 1]).map_err(|error| error.kind());
        self.stream.waits(true);
        assert_eq!((read, self.buffer.len()), (Err(ErrorKind::WouldBlock), 0));
    }

    /// Nothing comes for a while.
    #[track_caller]
    pub(crate) fn expect_quiet_for(&mut self, patience: Duration)
    where
        S: std::os::fd::AsFd,
    {
        let mut polled = [rustix::event::PollFd::new(&self.stream, rustix::event::PollFlags::IN)];
        let nanoseconds = i64::from(patience.subsec_nanos());
        let patience = rustix::time::Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: nanoseconds };
        assert_eq!((rustix::event::poll(&mut polled, Some(&patience)), self.buffer.len()), (Ok(0), 0));
    }

    /// Waits until something has come, without taking it.
    pub(crate) fn into_unread(self) -> S
    where
        S: std::os::fd::AsFd,
    {
        let mut polled = [rustix::event::PollFd::new(&self.stream, rustix::event::PollFlags::IN)];
        let deadline = rustix::time::Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut polled, Some(&deadline)), Ok(1));
        self.stream
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 65536];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}, after {:?}", self.buffer.escape_ascii().to_string()),
        }
    }
}
