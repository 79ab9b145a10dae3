//! A load generator: some keep-alive connections, one request in flight on each, all on the calling thread.
//!
//! It polls and reads without allocating per request, so that on a machine it shares with the server it takes little.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use forebay::bench::reply::{Reply, ReplyReader, facts};

/// Bytes of one read. 256 KiB.
const READ_BYTES: usize = 256 * 1024;

/// Time without any answer after which a run is given up. 10 s.
const STALL: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// How long a run lasts. What is in flight at its end is still awaited and counted.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// So many requests.
    Requests(u64),
    /// So long.
    Elapsed(Duration),
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Responses that arrived whole.
    pub requests: u64,
    /// How many of them had another status than 2xx.
    pub not_2xx: u64,
    /// Time from the first request to the last response.
    pub elapsed: Duration,
    /// Time from request to response, in microseconds, in ascending order.
    pub latencies_us: Vec<u32>,
}

impl Outcome {
    /// The latency below which `share` (0 to 1) of the requests were, in microseconds.
    #[must_use]
    pub fn percentile_us(&self, share: f64) -> u32 {
        let last = self.latencies_us.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is a length")]
        let at = (last as f64 * share).round() as usize;
        self.latencies_us.get(at).copied().unwrap_or(0)
    }
}

struct Client {
    stream: TcpStream,
    replies: ReplyReader,
    /// Bytes of the request that were written; none while no request is in flight.
    written: Option<usize>,
    since: Instant,
}

/// Connections to one server, for one request repeated.
pub struct Load {
    request: Vec<u8>,
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

impl Load {
    /// Connects `connections` times.
    ///
    /// # Errors
    /// The server does not accept, or the request is not one.
    pub fn connect(server: SocketAddr, request: &[u8], connections: usize) -> io::Result<Self> {
        let facts = facts(request)?;
        let client = |_| {
            let stream = TcpStream::connect(server)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(Client { stream, replies: ReplyReader::new(facts), written: None, since: Instant::now() })
        };
        let clients = (0..connections).map(client).collect::<io::Result<_>>()?;
        Ok(Self { request: request.to_vec(), clients, buffer: vec![0; READ_BYTES] })
    }

    /// Sends requests on all connections as long as `until` says, each as soon as the one before it is answered.
    ///
    /// # Errors
    /// A connection broke, a response is not one, or nothing arrived for a long time.
    pub fn run(&mut self, until: Until) -> io::Result<Outcome> {
        let began = Instant::now();
        let mut outcome = Outcome::default();
        let mut started = 0;
        let mut goes_on = |now: Instant| {
            started += 1;
            match until {
                Until::Requests(count) => started <= count,
                Until::Elapsed(time) => now - began < time,
            }
        };
        for client in &mut self.clients {
            if goes_on(began) {
                client.begin(&self.request, began)?;
            }
        }
        let mut ready = Vec::with_capacity(self.clients.len());
        while wait(&self.clients, self.request.len(), &mut ready)? {
            for &(index, flags) in &ready {
                let client = &mut self.clients[index];
                if flags.contains(PollFlags::OUT) {
                    client.write(&self.request)?;
                }
                if !flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                    continue;
                }
                if let Some(status) = client.read(&mut self.buffer)? {
                    let now = Instant::now();
                    outcome.note(status, now - client.since);
                    client.written = None;
                    if goes_on(now) {
                        client.begin(&self.request, now)?;
                    }
                }
            }
        }
        outcome.elapsed = began.elapsed();
        outcome.latencies_us.sort_unstable();
        Ok(outcome)
    }
}

impl Outcome {
    fn note(&mut self, status: u16, took: Duration) {
        self.requests += 1;
        self.not_2xx += u64::from(!(200..300).contains(&status));
        self.latencies_us.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }
}

impl Client {
    fn begin(&mut self, request: &[u8], now: Instant) -> io::Result<()> {
        self.since = now;
        self.written = Some(0);
        self.write(request)
    }

    fn write(&mut self, request: &[u8]) -> io::Result<()> {
        while let Some(written) = self.written.filter(|&n| n < request.len()) {
            match self.stream.write(&request[written..]) {
                Ok(count) => self.written = Some(written + count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<u16>> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    match self.replies.on_bytes(&buffer[..count])? {
                        Some(Reply { keep_alive: false, .. }) => {
                            return Err(io::Error::new(ErrorKind::InvalidData, "the server closes the connection"));
                        }
                        Some(reply) => return Ok(Some(reply.status)),
                        None => {}
                    }
                    if count < buffer.len() {
                        return Ok(None);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits for connections with something to do; false when no request is in flight any more.
fn wait(clients: &[Client], request_len: usize, ready: &mut Vec<(usize, PollFlags)>) -> io::Result<bool> {
    ready.clear();
    let mut indexes = Vec::with_capacity(clients.len());
    let mut polled = Vec::with_capacity(clients.len());
    for (index, client) in clients.iter().enumerate() {
        let Some(written) = client.written else { continue };
        // A server may answer while the request is still being sent.
        let wanted = if written < request_len { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        polled.push(PollFd::new(&client.stream, wanted));
        indexes.push(index);
    }
    if polled.is_empty() {
        return Ok(false);
    }
    if poll(&mut polled, Some(&STALL))? == 0 {
        return Err(io::Error::new(ErrorKind::TimedOut, "the server has stopped answering"));
    }
    let woken = indexes.iter().zip(&polled).filter(|(_, fd)| !fd.revents().is_empty());
    ready.extend(woken.map(|(&index, fd)| (index, fd.revents())));
    Ok(true)
}
