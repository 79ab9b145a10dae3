//! The access log: one line a request, written by a thread of its own.
//!
//! Shards push fixed-size records into a bounded queue: no allocation, no lock, no system call. The writer looks into
//! the queue on its own, every [`REST_IDLE`] at the latest, rather than being woken: a wake-up is a system call of the
//! shard, per request under low load. What it finds it formats, and writes at the latest after [`FLUSH_AFTER`].
//!
//! When the disk or a reader of standard output does not keep up, the queue fills and records are refused: requests
//! are not slowed by their log. Whoever pushes counts what was refused.

mod format;
mod sink;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crossbeam::queue::ArrayQueue;
use forebay_core::id::{RequestId, WorkerId};

use crate::config::AccessLogConfig;
use format::Formatter;
use sink::Sink;

/// Records that wait for the writer at most, about 5 MiB: 80 ms of 100,000 requests a second.
const QUEUE_MAX: usize = 8192;

/// Time the writer rests when there was nothing to write. Also how long a line takes to be formatted at most.
const REST_IDLE: Duration = Duration::from_millis(50);

/// The same while more than a sixteenth of the queue was filled since it last looked.
const REST_BUSY: Duration = Duration::from_millis(2);

/// Time a line waits in memory at most before it is written.
const FLUSH_AFTER: Duration = Duration::from_millis(500);

/// Bytes of lines that are written at once even before that.
const FLUSH_BYTES: usize = 64 * 1024;

/// Bytes of at most `N`, in place; what is beyond is cut off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Inline<const N: usize> {
    bytes: [u8; N],
    length: u16,
    is_cut: bool,
}

impl<const N: usize> Inline<N> {
    /// The first `N` of `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let kept = bytes.len().min(N);
        let mut inline =
            Self { bytes: [0; N], length: u16::try_from(kept).unwrap_or(u16::MAX), is_cut: kept < bytes.len() };
        inline.bytes[..kept].copy_from_slice(&bytes[..kept]);
        inline
    }

    /// What was kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Whether there was more.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl<const N: usize> Default for Inline<N> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl<const N: usize> fmt::Debug for Inline<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.bytes()))
    }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// When its head was complete.
    pub at: SystemTime,
    /// Time from there to the end of its response.
    pub took: Duration,
    /// The client, or what a trusted proxy says it is.
    pub peer: IpAddr,
    /// Method. Empty where the request line was not understood.
    pub method: Inline<16>,
    /// Target as the client sent it.
    pub target: Inline<200>,
    /// Whether it was HTTP/1.0.
    pub is_http10: bool,
    /// Status of the response, 0 if there was none.
    pub status: u16,
    /// Bytes of the response's body as sent.
    pub bytes: u64,
    /// Who answered; none if it was Forebay itself.
    pub worker: Option<WorkerId>,
    /// What went wrong; empty if nothing did: a [`word`](crate::status::Row::word) of the table of causes.
    pub reason: &'static str,
    /// The exchange.
    pub id: RequestId,
    /// `User-Agent`; empty if there was none.
    pub user_agent: Inline<152>,
    /// `Referer`; empty if there was none.
    pub referer: Inline<160>,
}

#[derive(Debug)]
struct Shared {
    queue: ArrayQueue<Record>,
    reopen: AtomicBool,
    stop: AtomicBool,
}

/// Where records go in. Cheap to clone; one for each shard.
#[derive(Clone, Debug)]
pub struct AccessLogHandle(Arc<Shared>);

impl AccessLogHandle {
    /// Hands a record to the writer. False if it does not keep up: then the record is lost, and the caller counts it.
    #[must_use]
    pub fn push(&self, record: Record) -> bool {
        self.0.queue.push(record).is_ok()
    }

    /// Opens the file again at the next opportunity, as SIGHUP asks for. A file that was moved is noticed without.
    pub fn reopen(&self) {
        self.0.reopen.store(true, Release);
    }
}

/// The writer. Dropping it writes what is there and waits for that.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl AccessLog {
    /// Opens the log and starts its writer.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread can be made: for the operator to put right.
    pub fn start(config: &AccessLogConfig) -> io::Result<(AccessLogHandle, Self)> {
        let sink = Sink::open(config.path.clone())?;
        let shared = Arc::new(Shared {
            queue: ArrayQueue::new(QUEUE_MAX),
            reopen: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let writer =
            Writer { shared: Arc::clone(&shared), sink, formatter: Formatter::new(config.format), lines: Vec::new() };
        let thread = thread::Builder::new().name("access log".to_owned()).spawn(move || writer.run())?;
        Ok((AccessLogHandle(Arc::clone(&shared)), Self { shared, thread: Some(thread) }))
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.shared.stop.store(true, Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic; if it did, there is nothing left to write.
            let _panicked = thread.join();
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    sink: Sink,
    formatter: Formatter,
    lines: Vec<u8>,
}

impl Writer {
    fn run(mut self) {
        let mut oldest: Option<Instant> = None;
        loop {
            // Read before the queue: what was pushed before the stop is written.
            let stop = self.shared.stop.load(Acquire);
            let taken = self.take();
            if !self.lines.is_empty() {
                let since = *oldest.get_or_insert_with(Instant::now);
                if stop || since.elapsed() + REST_IDLE >= FLUSH_AFTER {
                    self.flush();
                    oldest = None;
                }
            }
            if self.shared.reopen.swap(false, Acquire) {
                self.flush();
                oldest = None;
                self.sink.reopen();
            }
            if stop {
                return;
            }
            thread::park_timeout(if taken > QUEUE_MAX / 16 { REST_BUSY } else { REST_IDLE });
        }
    }

    /// Formats what is in the queue, no more than it can hold, so that flushing gets its turn.
    fn take(&mut self) -> usize {
        for taken in 0..QUEUE_MAX {
            let Some(record) = self.shared.queue.pop() else { return taken };
            self.formatter.line(&record, &mut self.lines);
            if self.lines.len() >= FLUSH_BYTES {
                self.flush();
            }
        }
        QUEUE_MAX
    }

    fn flush(&mut self) {
        self.sink.write(&self.lines);
        self.lines.clear();
    }
}

#[cfg(test)]
mod tests;
