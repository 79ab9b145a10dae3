//! The only state that control plane and data plane share: a worker table to read, counters to write.
//!
//! The supervisor publishes, slot by slot, which process is there and whether it may be given requests. Shards read
//! that without locks, count what they have in flight there, and report what they notice into a bounded queue.
//!
//! The one race that matters is a request that enters while its worker is being closed: [`Bulletin::enter`] counts
//! first and looks second, the supervisor publishes first and reads the count second, both sequentially consistent.
//! So either the shard sees the closed door, or the supervisor sees the request in flight.

mod event;
mod footprint;
mod gate;
mod live;
mod routes;
mod station;
mod turns;
mod vitals;

use std::ops::Range;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;
use forebay_core::drain::Left;
use forebay_core::id::{Generation, WorkerId};
use forebay_core::pipe::Stats;
use forebay_transports::Endpoint;

pub use event::Event;
pub use footprint::Footprint;
pub use gate::{Gate, SESSION_COOKIE, is_same};
use routes::Route;
pub use routes::{SLOTS_PER_WORKER, WORKERS_ROOM};
pub use station::{Condition, Station};
use vitals::Feeding;
pub use vitals::{Feed, Version, Vitals};

/// Whether a slot's process may be given requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Door {
    /// Nobody there, or not ready.
    Shut = 0,
    /// Ready.
    Open = 1,
    /// Finishing what it has.
    Draining = 2,
}

/// What is published about one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which of the slot's processes.
    pub generation: Generation,
    /// The shard whose own worker this is.
    pub home: u16,
    /// Whether it may be given requests.
    pub door: Door,
}

impl Notice {
    fn pack(self) -> u64 {
        u64::from(self.generation.0) << 32 | u64::from(self.home) << 8 | self.door as u64
    }

    fn unpack(word: u64) -> Self {
        Self {
            generation: Generation((word >> 32) as u32),
            home: (word >> 8) as u16,
            door: match word as u8 {
                1 => Door::Open,
                2 => Door::Draining,
                _ => Door::Shut,
            },
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    notice: AtomicU64,
    in_flight: AtomicU32,
    tunnels: AtomicU32,
    requests: AtomicU64,
    restarts: AtomicU64,
    failures: AtomicU64,
    vitals: Vitals,
    feeding: Feeding,
    board: station::Board,
    footprint: Footprint,
}

/// What the server as a whole is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Serving.
    Serving = 0,
    /// No new clients; every response closes its connection; what is in flight is finished.
    Draining = 1,
    /// Shards end now, whatever is in flight.
    Stopping = 2,
}

/// Why a request was answered by us with 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shed {
    /// `queue_max` requests were waiting already.
    QueueFull,
    /// Waited `queue_timeout` for a worker with room.
    QueueTimeout,
    /// Waited `ready_wait_timeout` without any worker becoming ready.
    NoWorker,
    /// `connections_max` clients were connected.
    Connections,
    /// The server is stopping.
    Stopping,
}

impl Shed {
    /// All reasons, in the order of [`ShardStats::shed`].
    pub const ALL: [Self; 5] = [Self::QueueFull, Self::QueueTimeout, Self::NoWorker, Self::Connections, Self::Stopping];

    /// The word used in the response, the access log and the metrics.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::NoWorker => "no_worker",
            Self::Connections => "connections",
            Self::Stopping => "stopping",
        }
    }
}

/// Upper bounds of the latency histogram's buckets in microseconds; a last bucket takes the rest.
pub const LATENCY_BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 60_000_000,
];

/// What one shard counts. It is the only writer, so a count is a load and a store, without a locked instruction.
#[derive(Debug, Default)]
pub struct ShardStats {
    /// Clients accepted.
    pub accepted: AtomicU64,
    /// Clients connected now.
    pub connections: AtomicU64,
    /// Responses by first digit of their status, index 0 for exchanges that ended without one.
    pub responses: [AtomicU64; 6],
    /// Requests answered with 503 by us, by reason, in the order of [`Shed::ALL`].
    pub shed: [AtomicU64; 5],
    /// Requests refused for what they are (4xx, 501, 505 by us).
    pub rejected: AtomicU64,
    /// Attempts repeated on another connection or worker.
    pub retries: AtomicU64,
    /// Connections made to workers.
    pub dials: AtomicU64,
    /// Requests that wait for a worker now.
    pub waiting: AtomicU64,
    /// Upgraded connections now.
    pub tunnels: AtomicU64,
    /// Bytes from clients.
    pub bytes_in: AtomicU64,
    /// Bytes to clients.
    pub bytes_out: AtomicU64,
    /// Exchanges by time from head received to response written, see [`LATENCY_BOUNDS_US`].
    pub latency: [AtomicU64; LATENCY_BOUNDS_US.len() + 1],
    /// Sum of those times in microseconds.
    pub latency_sum_us: AtomicU64,
    /// Access log lines dropped because the log could not keep up.
    pub log_lines_dropped: AtomicU64,
}

impl ShardStats {
    /// Adds `n` to one of this shard's own counters.
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes `n` from one of this shard's own gauges.
    pub fn sub(gauge: &AtomicU64, n: u64) {
        gauge.store(gauge.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    /// Counts one finished exchange.
    pub fn observe(&self, status: u16, took: Duration) {
        Self::add(&self.responses[usize::from(status / 100).min(5)], 1);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_US.partition_point(|&bound| bound < us);
        Self::add(&self.latency[bucket], 1);
        Self::add(&self.latency_sum_us, us);
    }
}

/// Makes the endpoint of one slot's process.
pub type Endpoints = Box<dyn Fn(WorkerId, Generation) -> Endpoint + Send + Sync>;

/// The shared state. One per server, behind an `Arc`.
pub struct Bulletin {
    slots: Box<[CachePadded<Slot>]>,
    routes: Vec<Route>,
    /// The route whose one slot is no worker but the origin.
    origin: Option<u16>,
    /// The route whose one slot is the process that somebody debugs.
    debuggee: Option<u16>,
    gate: Gate,
    endpoints: Endpoints,
    shards: Box<[CachePadded<ShardStats>]>,
    phase: AtomicU8,
    /// Milliseconds; 0 is never.
    stuck_after: AtomicU64,
    events: ArrayQueue<Event>,
    live: live::Laid,
    own: Footprint,
    turns: turns::Turns,
}

impl Bulletin {
    /// Events that wait for the supervisor at most; more are dropped, they repeat.
    const EVENTS_MAX: usize = 256;

    /// A table in which route i is served by the slots `routes[i]`, all of them in use, and `shards` shards count.
    #[must_use]
    pub fn new(routes: Vec<Range<u16>>, shards: usize, endpoints: Endpoints) -> Self {
        let slots = routes.iter().map(|slots| slots.end).max().unwrap_or(0);
        Self {
            slots: (0..slots).map(|_| CachePadded::default()).collect(),
            routes: routes.into_iter().map(Route::new).collect(),
            origin: None,
            debuggee: None,
            gate: Gate::default(),
            endpoints,
            shards: (0..shards).map(|_| CachePadded::default()).collect(),
            phase: AtomicU8::new(Phase::Serving as u8),
            stuck_after: AtomicU64::new(0),
            events: ArrayQueue::new(Self::EVENTS_MAX),
            live: live::Laid::new(shards),
            own: Footprint::default(),
            turns: turns::Turns::default(),
        }
    }

    /// Where that process listens.
    #[must_use]
    pub fn endpoint(&self, worker: WorkerId, generation: Generation) -> Endpoint {
        (self.endpoints)(worker, generation)
    }

    /// The slot, and the process in it, that listens at `path`; `generation` is what that process was told it is, 0 if
    /// nothing.
    #[must_use]
    pub fn whose(&self, path: &str, generation: Generation) -> Option<(WorkerId, Generation)> {
        self.in_use().find_map(|worker| {
            let generation = if generation.0 == 0 { self.notice(worker).generation } else { generation };
            (self.endpoint(worker, generation).path() == std::path::Path::new(path)).then_some((worker, generation))
        })
    }

    /// Publishes what is in a slot. Supervisor only.
    pub fn publish(&self, worker: WorkerId, notice: Notice) {
        self.slot(worker).notice.store(notice.pack(), SeqCst);
    }

    /// What is published about a slot.
    #[must_use]
    pub fn notice(&self, worker: WorkerId) -> Notice {
        Notice::unpack(self.slot(worker).notice.load(Acquire))
    }

    /// Requests in flight in a slot's process, over all shards.
    #[must_use]
    pub fn in_flight(&self, worker: WorkerId) -> u32 {
        self.slot(worker).in_flight.load(SeqCst)
    }

    /// Upgraded connections of a slot's process, over all shards; they are not in flight any more.
    #[must_use]
    pub fn tunnels(&self, worker: WorkerId) -> u32 {
        self.slot(worker).tunnels.load(SeqCst)
    }

    /// Requests ever given to a slot's processes.
    #[must_use]
    pub fn requests(&self, worker: WorkerId) -> u64 {
        self.slot(worker).requests.load(Relaxed)
    }

    /// A slot's process ended unasked after it had been ready, and is started again. Supervisor only.
    pub fn count_restart(&self, worker: WorkerId) {
        self.slot(worker).restarts.fetch_add(1, Relaxed);
    }

    /// A slot's process could not be started, or ended before it was ready. Supervisor only.
    pub fn count_failure(&self, worker: WorkerId) {
        self.slot(worker).failures.fetch_add(1, Relaxed);
    }

    /// How often a slot's processes were ready and ended unasked.
    #[must_use]
    pub fn restarts(&self, worker: WorkerId) -> u64 {
        self.slot(worker).restarts.load(Relaxed)
    }

    /// How often a slot's processes did not become ready.
    #[must_use]
    pub fn failures(&self, worker: WorkerId) -> u64 {
        self.slot(worker).failures.load(Relaxed)
    }

    /// Publishes what a slot's process said of itself.
    pub fn set_vitals(&self, worker: WorkerId, generation: Generation, stats: &Stats) {
        self.slot(worker).vitals.store(generation, stats);
    }

    /// A slot's process has dialled in to a shard, to be fed frames.
    pub fn on_dialled(&self, worker: WorkerId, generation: Generation, pid: u32, version: Option<Version>) {
        self.slot(worker).feeding.on_dialled(generation, pid, version);
    }

    /// Such a connection is over.
    pub fn on_hung_up(&self, worker: WorkerId, generation: Generation) {
        self.slot(worker).feeding.on_hung_up(generation);
    }

    /// How a slot's process is fed frames; none if it is not.
    #[must_use]
    pub fn feed(&self, worker: WorkerId, generation: Generation) -> Option<Feed> {
        self.slot(worker).feeding.of(generation)
    }

    /// A slot's process is fed over HTTP from here on, by all shards; whether that is news.
    pub fn demote(&self, worker: WorkerId, generation: Generation) -> bool {
        self.slot(worker).feeding.demote(generation)
    }

    /// Whether a slot's process was demoted.
    #[must_use]
    pub fn is_demoted(&self, worker: WorkerId, generation: Generation) -> bool {
        self.slot(worker).feeding.is_demoted(generation)
    }

    /// For how long an event loop may stand still before the supervisor is to hear of it; none for ever.
    #[must_use]
    pub fn stuck_after(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.stuck_after.load(Relaxed))).filter(|wait| !wait.is_zero())
    }

    /// Says how long that is. Supervisor only.
    pub fn set_stuck_after(&self, wait: Option<Duration>) {
        let ms = wait.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        self.stuck_after.store(ms, Relaxed);
    }

    /// What a slot's process last said of itself.
    #[must_use]
    pub fn vitals(&self, worker: WorkerId) -> &Vitals {
        &self.slot(worker).vitals
    }

    /// Counts one request into an open slot with fewer than `in_flight_max` in flight; none if it is not open or full.
    /// Every success is paired with one [`leave`](Bulletin::leave).
    #[must_use]
    pub fn enter(&self, worker: WorkerId, in_flight_max: u32) -> Option<Generation> {
        let slot = self.slot(worker);
        let before = slot.in_flight.fetch_add(1, SeqCst);
        let notice = Notice::unpack(slot.notice.load(SeqCst));
        if before >= in_flight_max || notice.door != Door::Open {
            slot.in_flight.fetch_sub(1, SeqCst);
            return None;
        }
        slot.requests.fetch_add(1, Relaxed);
        Some(notice.generation)
    }

    /// The request is over.
    pub fn leave(&self, worker: WorkerId) {
        self.slot(worker).in_flight.fetch_sub(1, SeqCst);
    }

    /// The request became an upgraded connection: counted apart, until [`leave_tunnel`](Bulletin::leave_tunnel).
    pub fn into_tunnel(&self, worker: WorkerId) {
        let slot = self.slot(worker);
        slot.tunnels.fetch_add(1, SeqCst);
        slot.in_flight.fetch_sub(1, SeqCst);
    }

    /// The upgraded connection is over.
    pub fn leave_tunnel(&self, worker: WorkerId) {
        self.slot(worker).tunnels.fetch_sub(1, SeqCst);
    }

    /// One shard's counters.
    #[must_use]
    pub fn stats(&self, shard: usize) -> &ShardStats {
        &self.shards[shard]
    }

    /// How many shards count here.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// What clients still want, over all shards and workers. Upgraded connections want nothing that could be finished:
    /// they end when their worker is told to stop, and it can say goodbye first.
    #[must_use]
    pub fn left(&self) -> Left {
        let sum =
            |count: fn(&ShardStats) -> &AtomicU64| -> u64 { self.shards.iter().map(|s| count(s).load(Relaxed)).sum() };
        let others = [self.origin, self.debuggee].into_iter().flatten();
        let others = others.map(|route| WorkerId(self.route(usize::from(route)).start));
        Left {
            in_flight: self.in_use().chain(others).map(|worker| u64::from(self.in_flight(worker))).sum(),
            waiting: sum(|stats| &stats.waiting),
            connections: sum(|stats| &stats.connections).saturating_sub(sum(|stats| &stats.tunnels)),
        }
    }

    /// How many slots there are, in use or not.
    #[must_use]
    pub fn slots(&self) -> u16 {
        u16::try_from(self.slots.len()).unwrap_or(u16::MAX)
    }

    /// What the server is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Stopping,
        }
    }

    /// Says what the server is doing from now on. Supervisor only.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Release);
    }

    /// Tells the supervisor; dropped when it does not keep up.
    pub fn report(&self, event: Event) {
        let _full = self.events.push(event);
    }

    /// The oldest event that was not taken yet. Supervisor only.
    #[must_use]
    pub fn take_event(&self) -> Option<Event> {
        self.events.pop()
    }

    fn slot(&self, worker: WorkerId) -> &Slot {
        &self.slots[usize::from(worker.0)]
    }
}

#[cfg(test)]
mod tests;
