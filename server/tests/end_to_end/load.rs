//! A load generator: keep-alive connections, one thread each, that count what became of every request.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::Client;
use super::wait::until;

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Answered as expected.
    pub(crate) good: usize,
    /// Response begun and broken off, which nobody could have prevented.
    pub(crate) cut: usize,
    /// Everything else.
    pub(crate) failed: usize,
    /// The longest that one took.
    pub(crate) slowest: Duration,
    /// What the first failures looked like.
    pub(crate) examples: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { good, cut, failed, slowest, examples } = self;
        write!(f, "{good} good, {cut} cut, {failed} failed, slowest {} ms", slowest.as_millis())?;
        examples.iter().try_for_each(|example| write!(f, "\n  {example}"))
    }
}

/// A load that runs until it is stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// `request` gives the bytes of a connection's nth request and what its response's body has to contain.
    pub(crate) fn start(
        address: SocketAddr,
        connections: usize,
        request: impl Fn(usize) -> (String, String) + Clone + Send + 'static,
    ) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..connections).map(|_| {
            let (stop, good, request) = (Arc::clone(&stop), Arc::clone(&good), request.clone());
            thread::spawn(move || one(address, &stop, &good, request))
        });
        let threads = threads.collect();
        Self { stop, good, threads }
    }

    /// Waits until `count` more requests were answered.
    pub(crate) fn goes_on(&self, count: usize) {
        let goal = self.good.load(Relaxed) + count;
        until(&format!("{count} more requests are answered"), || self.good.load(Relaxed) >= goal);
    }

    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Relaxed);
        let mut sum = Tally::default();
        for thread in self.threads {
            let one = thread.join().unwrap();
            sum.good += one.good;
            sum.cut += one.cut;
            sum.failed += one.failed;
            sum.slowest = sum.slowest.max(one.slowest);
            sum.examples.extend(one.examples);
        }
        sum.examples.truncate(8);
        sum
    }
}

fn one(
    address: SocketAddr,
    stop: &AtomicBool,
    good: &AtomicUsize,
    request: impl Fn(usize) -> (String, String),
) -> Tally {
    use std::io::Write as _;
    let mut tally = Tally::default();
    let mut client = None;
    for n in 0.. {
        if stop.load(Relaxed) {
            break;
        }
        let began = Instant::now();
        let (bytes, expected) = request(n);
        let mut open = match client.take().map_or_else(|| Client::try_connect(address), Ok) {
            Ok(open) => open,
            Err(error) => {
                tally.fail(format!("request {n}: cannot connect: {error}"));
                continue;
            }
        };
        // An error here shows again when the response is read.
        let _error = open.stream.write_all(bytes.as_bytes());
        match open.try_response(false) {
            Ok(response) if response.status == 200 && response.text().contains(&expected) => {
                tally.good += 1;
                good.fetch_add(1, Relaxed);
                let closes = response.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
                client = (!closes).then_some(open);
            }
            Ok(response) => tally.fail(format!("request {n}: {} {}", response.head, response.text())),
            Err(broken) if broken.begun => tally.cut += 1,
            Err(broken) => tally.fail(format!("request {n}: {broken}")),
        }
        tally.slowest = tally.slowest.max(began.elapsed());
    }
    tally
}

impl Tally {
    fn fail(&mut self, example: String) {
        self.failed += 1;
        if self.examples.len() < 4 {
            self.examples.push(example);
        }
    }
}
