//! The metrics endpoint: the bulletin's counters as OpenMetrics text on a loopback address, `GET /metrics`.
//!
//! Its own thread serves one scraper at a time, each within [`EXCHANGE_MAX`], so that it can neither pile up nor delay a
//! shard. Counters are read one by one while shards go on counting: a scrape is no snapshot, but nothing in it ever
//! runs backwards.

mod text;
mod vitals;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::bulletin::Bulletin;

/// Time one scraper gets for request and response. 5 s: Prometheus itself gives up after 10 s.
const EXCHANGE_MAX: Duration = Duration::from_secs(5);

/// Bytes of a scraper's request head. 8 KiB is many times what any sends.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Everything that is told to a scraper.
#[derive(Clone)]
pub struct Metrics {
    bulletin: Arc<Bulletin>,
    /// Slots of each worker; at a reload two slots are one worker for a while.
    slots_each: u16,
    started: Instant,
}

impl Metrics {
    /// Metrics of what `bulletin` counts. Slot s is worker `s / slots_each`: at a reload, two slots are one worker for a
    /// while, and their numbers add up.
    #[must_use]
    pub fn new(bulletin: Arc<Bulletin>, slots_each: u16) -> Self {
        Self { bulletin, slots_each: slots_each.max(1), started: Instant::now() }
    }

    /// Listens on `address` and serves from a thread of its own until the process ends. Returns where it listens, which
    /// is of interest for port 0.
    ///
    /// # Errors
    /// The address cannot be listened on, or no thread can be made: for the operator to put right.
    pub fn serve(self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address)?;
        let bound = listener.local_addr()?;
        thread::Builder::new().name("metrics".to_owned()).spawn(move || self.accept(&listener))?;
        Ok(bound)
    }

    fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept() {
                // What goes wrong with one scraper is its own business.
                Ok((mut stream, _)) => drop(self.exchange(&mut stream)),
                Err(error) => {
                    tracing::warn!("metrics: cannot accept a scraper: {error}");
                    // Out of descriptors, most likely: they come back.
                    thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }

    fn exchange(&self, stream: &mut TcpStream) -> io::Result<()> {
        let deadline = Instant::now() + EXCHANGE_MAX;
        let head = read_head(stream, deadline)?;
        let response = self.respond(&head);
        stream.set_write_timeout(Some(left(deadline)?))?;
        stream.write_all(&response)?;
        stream.shutdown(std::net::Shutdown::Write)
    }

    fn respond(&self, head: &[u8]) -> Vec<u8> {
        let line = head.split(|&b| b == b'\r' || b == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
        let path = target.split('?').next().unwrap_or_default();
        match (is_http, path == "/metrics", method) {
            (false, ..) => plain("400 Bad Request", "", "not an HTTP/1.1 request\n"),
            (true, false, _) => plain("404 Not Found", "", "metrics are at /metrics\n"),
            (true, true, "GET" | "HEAD") => {
                let body = self.text();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    text::CONTENT_TYPE,
                    body.len(),
                );
                if method == "HEAD" { head.into_bytes() } else { (head + &body).into_bytes() }
            }
            (true, true, _) => plain("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "only GET\n"),
        }
    }
}

fn plain(status: &str, field: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{field}Content-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn read_head(stream: &mut TcpStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut part)? {
            0 => break,
            n => head.extend_from_slice(&part[..n]),
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use forebay_core::id::{Generation, WorkerId};
    use forebay_core::pipe::Stats;
    use forebay_transports::Endpoint;

    use super::*;
    use crate::bulletin::{Door, Notice, ShardStats};

    fn metrics() -> Metrics {
        let endpoints = Box::new(|worker, _| Endpoint::new(format!("{worker}")));
        let bulletin = Arc::new(Bulletin::new(std::iter::once(0..4).collect(), 2, endpoints));
        for slot in [WorkerId(0), WorkerId(1)] {
            bulletin.publish(slot, Notice { generation: Generation(1), home: 0, door: Door::Open });
            assert!(bulletin.enter(slot, 10).is_some());
        }
        bulletin.stats(0).observe(200, Duration::from_micros(90));
        bulletin.stats(1).observe(200, Duration::from_millis(3));
        bulletin.stats(1).observe(503, Duration::from_secs(100));
        ShardStats::add(&bulletin.stats(1).shed[0], 1);
        bulletin.count_restart(WorkerId(3));
        let stats = Stats {
            utilisation: 2500,
            delay_max_us: 1500,
            heap_used: 1,
            heap_total: 2,
            external: 3,
            array_buffers: 4,
            rss: 5,
            gc_pause_us: 2_000_000,
            gc_count: 6,
            handles: 7,
            outbound: 8,
            in_flight: 9,
        };
        // The first worker is the one in slot 1; what its slot heard twice adds up where it is a sum.
        bulletin.on_dialled(WorkerId(1), Generation(1), 4711, None);
        bulletin.set_vitals(WorkerId(1), Generation(1), &stats);
        bulletin.set_vitals(WorkerId(1), Generation(1), &stats);
        Metrics::new(bulletin, 2)
    }

    #[test]
    fn the_page() {
        let text = metrics().text();
        let volatile = |line: &&str| !line.contains("memory") && !line.contains("uptime") && !line.contains("build");
        let page: Vec<_> = text.lines().filter(volatile).collect();
        insta::assert_snapshot!(page.join("\n"));
        assert!(text.contains("\nforebay_build_info{version=\"") && text.ends_with("# EOF\n"));
        assert!(text.contains("\nprocess_resident_memory_bytes "));
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn only_metrics_are_served() {
        let address = metrics().serve("127.0.0.1:0".parse().unwrap()).unwrap();
        let status = |request: &str| ask(address, request).lines().next().unwrap_or_default().to_owned();
        let page = ask(address, "GET /metrics?x HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text"), "{page}");
        assert!(page.ends_with("# EOF\n"));
        assert!(ask(address, "HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found");
        assert_eq!(status("POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
        assert_eq!(status("nonsense\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    }

    #[test]
    fn a_scraper_that_sends_too_much_is_left() {
        let address = metrics().serve("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let _broken = stream.write_all(&vec![b'a'; 4 * HEAD_BYTES_MAX]);
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        assert!(answer.is_empty());
        assert!(ask(address, "GET /metrics HTTP/1.1\r\n\r\n").ends_with("# EOF\n"));
    }
}
