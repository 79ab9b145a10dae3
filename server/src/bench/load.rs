//! A load generator: some keep-alive connections, one request in flight on each, all on the calling thread.
//!
//! A closed loop: a connection asks again as soon as it is answered, so a slow server is asked less. It waits for all
//! connections at once and neither allocates nor copies per request, so that on a machine that it shares with the
//! server it takes little. A connection that the server closes after a response is opened again; that is no failure.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as Dialled};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use forebay_core::http1::RequestFacts;
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

use super::reply::{Reply, ReplyReader, facts};

/// Bytes of one read. 64 KiB.
const READ_BYTES: usize = 64 * 1024;

/// Time without any answer after which what is in flight counts as failed. 10 s.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Time to connect. 5 s.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait before the flag is looked at that ends a run. 100 ms.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Longest latency that is told apart, in microseconds. 60 s.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Digits of a latency that count.
const LATENCY_DIGITS: u8 = 3;

/// How long a run lasts. What is in flight at its end is still awaited and counted.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// So many requests.
    Requests(u64),
    /// So long.
    Elapsed(Duration),
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Responses that arrived whole.
    pub requests: u64,
    /// What went wrong, and how often: a status that is neither 2xx nor 3xx, or a request without a whole response.
    pub failures: BTreeMap<String, u64>,
    /// Time from the first request to the last response.
    pub elapsed: Duration,
    /// Time from request to response, in microseconds.
    pub latency_us: Histogram<u64>,
}

impl Outcome {
    fn new() -> io::Result<Self> {
        let latency_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, LATENCY_DIGITS)
            .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error.to_string()))?;
        Ok(Self { requests: 0, failures: BTreeMap::new(), elapsed: Duration::ZERO, latency_us })
    }

    /// How many requests failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn note(&mut self, reply: &Reply, took: Duration) {
        self.requests += 1;
        self.latency_us.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LATENCY_US_MAX));
        if !reply.is_good() {
            self.fail(format!("status {}", reply.status));
        }
    }

    fn fail(&mut self, why: String) {
        *self.failures.entry(why).or_default() += 1;
    }
}

/// A run under way: what it came to so far, and whether another request may begin.
struct Run {
    outcome: Outcome,
    until: Until,
    began: Instant,
    started: u64,
    in_flight: usize,
}

impl Run {
    fn goes_on(&self, now: Instant) -> bool {
        match self.until {
            Until::Requests(count) => self.started < count,
            Until::Elapsed(time) => now - self.began < time,
        }
    }
}

struct Client {
    /// None before the first request and after a close.
    stream: Option<TcpStream>,
    reader: ReplyReader,
    /// Bytes of the request that were written.
    written: usize,
    /// When the request in flight began.
    since: Option<Instant>,
}

/// Connections to one server, for one request repeated.
pub struct Load {
    server: SocketAddr,
    request: Vec<u8>,
    poll: Poll,
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

impl Load {
    /// Connects `connections` times.
    ///
    /// # Errors
    /// The server does not accept, or the request is not one.
    pub fn connect(server: SocketAddr, request: &[u8], connections: usize) -> io::Result<Self> {
        let (facts, poll) = (facts(request)?, Poll::new()?);
        let client = |index| Client::connect(server, facts, index, poll.registry());
        let clients = (0..connections).map(client).collect::<io::Result<_>>()?;
        Ok(Self { server, request: request.to_vec(), poll, clients, buffer: vec![0; READ_BYTES] })
    }

    /// Sends requests on all connections as long as `until` says and `stop` does not, each as soon as the one before it
    /// is answered.
    ///
    /// # Errors
    /// The system refuses to wait. What goes wrong with a request is counted instead.
    pub fn run(&mut self, until: Until, stop: &AtomicBool) -> io::Result<Outcome> {
        let began = Instant::now();
        let mut run = Run { outcome: Outcome::new()?, until, began, started: 0, in_flight: 0 };
        let mut events = Events::with_capacity(self.clients.len().max(1));
        for index in 0..self.clients.len() {
            self.begin(index, began, &mut run);
        }
        let mut heard = began;
        while run.in_flight > 0 && !stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, Some(LOOK_INTERVAL)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if events.is_empty() {
                if heard.elapsed() > STALL_TIMEOUT {
                    break;
                }
                continue;
            }
            heard = Instant::now();
            for event in &events {
                let index = event.token().0;
                if event.is_writable()
                    && let Err(error) = self.clients[index].write(&self.request)
                {
                    self.broken(index, &error, &mut run);
                    continue;
                }
                // A connection without a request in flight has nothing to say but that it ends.
                if event.is_readable() || event.is_error() {
                    self.receive(index, &mut run);
                }
            }
        }
        for client in self.clients.iter_mut().filter(|client| client.since.is_some()) {
            client.close();
            if !stop.load(Ordering::Relaxed) {
                run.outcome.fail(format!("no answer for {} s", STALL_TIMEOUT.as_secs()));
            }
        }
        run.outcome.elapsed = began.elapsed();
        Ok(run.outcome)
    }

    fn begin(&mut self, index: usize, now: Instant, run: &mut Run) {
        let client = &mut self.clients[index];
        if !run.goes_on(now) {
            return;
        }
        run.started += 1;
        // A server that refuses is asked no more on this connection; else we would only count refusals.
        let sent = client.open(self.server, index, self.poll.registry()).and_then(|()| {
            (client.since, client.written) = (Some(now), 0);
            client.write(&self.request)
        });
        match sent {
            Ok(()) => run.in_flight += 1,
            Err(error) => {
                client.close();
                run.outcome.fail(reason(&error));
            }
        }
    }

    fn receive(&mut self, index: usize, run: &mut Run) {
        let client = &mut self.clients[index];
        let Some(since) = client.since else {
            if client.is_closed() {
                client.close();
            }
            return;
        };
        match client.read(&mut self.buffer) {
            Ok(None) => {}
            Ok(Some(reply)) => {
                let now = Instant::now();
                run.outcome.note(&reply, now - since);
                run.in_flight -= 1;
                client.since = None;
                if !reply.keep_alive {
                    client.close();
                }
                self.begin(index, now, run);
            }
            Err(error) => self.broken(index, &error, run),
        }
    }

    fn broken(&mut self, index: usize, error: &io::Error, run: &mut Run) {
        self.clients[index].close();
        run.outcome.fail(reason(error));
        run.in_flight -= 1;
        self.begin(index, Instant::now(), run);
    }
}

/// An error in a few words that are the same each time.
fn reason(error: &io::Error) -> String {
    if error.raw_os_error().is_some() { error.kind().to_string() } else { error.to_string() }
}

impl Client {
    fn connect(server: SocketAddr, facts: RequestFacts, index: usize, registry: &Registry) -> io::Result<Self> {
        let mut client = Self { stream: None, reader: ReplyReader::new(facts), written: 0, since: None };
        client.open(server, index, registry)?;
        Ok(client)
    }

    fn open(&mut self, server: SocketAddr, index: usize, registry: &Registry) -> io::Result<()> {
        if self.stream.is_some() {
            return Ok(());
        }
        let dialled = Dialled::connect_timeout(&server, DIAL_TIMEOUT)?;
        dialled.set_nodelay(true)?;
        dialled.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(dialled);
        registry.register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        Ok(())
    }

    fn close(&mut self) {
        (self.stream, self.since) = (None, None);
        self.reader.reset();
    }

    fn is_closed(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return true };
        !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    fn write(&mut self, request: &[u8]) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.since.is_some()) else { return Ok(()) };
        while self.written < request.len() {
            match stream.write(&request[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<Reply>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        loop {
            match stream.read(buffer) {
                Ok(0) => return self.reader.on_end().map(Some),
                Ok(count) => {
                    if let Some(reply) = self.reader.on_bytes(&buffer[..count])? {
                        return Ok(Some(reply));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
