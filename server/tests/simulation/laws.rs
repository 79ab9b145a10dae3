//! The book that everybody in a world writes into, and the laws that are checked as they write.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use forebay::bulletin::{Bulletin, Door, Notice};
use forebay_core::buf::{ChunkSize, Pool, Queue};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::time::Timestamp;

use crate::plan::{Plan, now};

/// What may pass at most between two signs of progress of an exchange, in virtual time. Every limit of a plan is a few
/// seconds at most, and so are the pauses of workers.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One request as the workers saw it.
#[derive(Debug, Default)]
struct Asked {
    method: &'static str,
    /// How often a worker read its head, and the whole of it.
    heads: u32,
    wholes: u32,
    /// How often the client was answered.
    answers: u32,
}

/// What happened in a world.
pub(crate) struct Book {
    pub(crate) plan: Plan,
    pub(crate) bulletin: Arc<Bulletin>,
    pub(crate) pools: Vec<Pool>,
    /// Faults are over: workers do as they should.
    pub(crate) calm: Cell<bool>,
    /// The world is about to end.
    pub(crate) over: Cell<bool>,
    /// Clients that have not finished.
    pub(crate) clients: Cell<u64>,
    /// What each of them does now.
    pub(crate) doing: RefCell<BTreeMap<u64, String>>,
    last_id: Cell<u64>,
    asked: RefCell<BTreeMap<u64, Asked>>,
    /// Since when which process is not open any more, and how many requests its slot had been given then.
    closed: RefCell<BTreeMap<(u16, u32), (Timestamp, u64)>>,
    violations: RefCell<Vec<String>>,
    tally: RefCell<BTreeMap<String, u64>>,
    away_most: Cell<usize>,
    /// By shard: connections of workers that speak frames, and those of them that are welcome and open.
    pub(crate) pipes: Vec<(Cell<u64>, Cell<u64>)>,
    /// Faults of frames that workers have committed.
    pub(crate) reports: RefCell<BTreeSet<(u16, u32, &'static str)>>,
    /// By slot: requests given to all processes before this one, and those that came to this one.
    pub(crate) come: RefCell<BTreeMap<u16, (u64, u64)>>,
}

impl Book {
    pub(crate) fn new(plan: Plan, bulletin: Arc<Bulletin>) -> Self {
        let pipes = (0..plan.shards).map(|_| Default::default()).collect();
        Self {
            pools: (0..plan.shards).map(|_| Pool::new(1 << 20)).collect(),
            clients: Cell::new(plan.clients),
            plan,
            bulletin,
            calm: Cell::default(),
            over: Cell::default(),
            doing: RefCell::default(),
            last_id: Cell::default(),
            asked: RefCell::default(),
            closed: RefCell::default(),
            violations: RefCell::default(),
            tally: RefCell::default(),
            away_most: Cell::default(),
            pipes,
            reports: RefCell::default(),
            come: RefCell::default(),
        }
    }

    /// Counts something, so that a test can say what its seeds have reached.
    pub(crate) fn count(&self, what: impl Display) {
        *self.tally.borrow_mut().entry(what.to_string()).or_default() += 1;
    }

    pub(crate) fn violate(&self, law: u8, what: impl Display) {
        let mut violations = self.violations.borrow_mut();
        if violations.len() < 20 {
            violations.push(format!("law {law} at {:?}: {what}", now().since(Timestamp::ZERO)));
        }
    }

    pub(crate) fn close(&self) -> (Vec<String>, BTreeMap<String, u64>) {
        self.count("worlds");
        let mut tally = self.tally.take();
        tally.insert("~most bytes away".into(), self.away_most.get() as u64);
        (self.violations.take(), tally)
    }

    /// A new request.
    pub(crate) fn ask(&self, method: &'static str) -> u64 {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        self.asked.borrow_mut().insert(id, Asked { method, ..Asked::default() });
        id
    }

    /// A client got a final response to a request.
    pub(crate) fn answered(&self, id: u64) {
        self.check_bounds();
        let mut asked = self.asked.borrow_mut();
        let Some(it) = asked.get_mut(&id) else { return self.violate(4, format!("request {id} was never made")) };
        it.answers += 1;
        if it.answers > 1 {
            self.violate(3, format!("request {id} was answered {} times", it.answers));
        }
    }

    /// A worker has read the head of a request over HTTP. True if it is the first to.
    pub(crate) fn arrived(&self, id: u64, method: &str, worker: WorkerId, generation: Generation) -> bool {
        // Counted in while it was open, then dialled, written and carried there.
        let lag = self.plan.limits.dial_timeout + self.plan.travel() * 2 + Duration::from_millis(50);
        if let Some((since, _)) = self.closed.borrow().get(&(worker.0, generation.0))
            && now().since(*since) > lag
        {
            let late = now().since(*since);
            self.violate(5, format!("request {id} reached {worker}-{} {late:?} after it closed", generation.0));
        }
        self.reached(id, method, worker)
    }

    /// A request has reached a worker. True if it is the first time.
    pub(crate) fn reached(&self, id: u64, method: &str, worker: WorkerId) -> bool {
        self.check_bounds();
        if let Some((_, come)) = self.come.borrow_mut().get_mut(&worker.0) {
            *come += 1;
        }
        let mut asked = self.asked.borrow_mut();
        let Some(it) = asked.get_mut(&id) else {
            self.violate(4, format!("a worker was asked for {id}"));
            return false;
        };
        it.heads += 1;
        if it.method != method {
            self.violate(4, format!("{} {id} reached a worker as {method}", it.method));
        }
        let is_first = it.heads == 1;
        if it.heads > u32::from(self.plan.limits.attempts_max) {
            self.violate(6, format!("request {id} was tried {} times", it.heads));
        }
        if it.heads > 1 {
            self.count("seen again");
        }
        is_first
    }

    /// A worker has read a request to its end.
    pub(crate) fn read_whole(&self, id: u64) {
        let mut asked = self.asked.borrow_mut();
        let Some(it) = asked.get_mut(&id) else { return };
        it.wholes += 1;
        // A reset that comes from nowhere does not say what a reset says on a Unix socket: such worlds are excused.
        if it.wholes > 1 && it.method == "POST" && self.plan.config.faults.reset == 0 {
            self.violate(6, format!("request {id} is not idempotent and was read {} times", it.wholes));
        }
    }

    /// What was received is the beginning of what was sent.
    pub(crate) fn same(&self, what: impl Display, received: &[u8], sent: &[u8]) {
        if !sent.starts_with(received) {
            let at = received.iter().zip(sent).take_while(|(a, b)| a == b).count();
            let around = &received[at.saturating_sub(20)..(at + 40).min(received.len())];
            let (got, most) = (received.len(), sent.len());
            let text = String::from_utf8_lossy(around);
            self.violate(4, format!("{what}: {got} bytes of {most}, other bytes from {at}: {text:?}"));
        }
    }

    /// Publishes a notice, and remembers what shards may count on from then on.
    pub(crate) fn publish(&self, worker: WorkerId, generation: Generation, door: Door) {
        let home = worker.0 % u16::try_from(self.plan.shards).unwrap();
        self.bulletin.publish(worker, Notice { generation, home, door });
        if door != Door::Open {
            let entry = (now(), self.bulletin.requests(worker));
            self.closed.borrow_mut().entry((worker.0, generation.0)).or_insert(entry);
        }
    }

    /// While a slot is not open, nothing is counted into it.
    pub(crate) fn check_closed(&self, worker: WorkerId, generation: Generation) {
        if let Some((_, given)) = self.closed.borrow().get(&(worker.0, generation.0))
            && self.bulletin.requests(worker) != *given
        {
            self.violate(5, format!("{worker}-{} was given requests while it was closed", generation.0));
        }
    }

    pub(crate) fn check_bounds(&self) {
        let limits = &self.plan.limits;
        for slot in 0..self.plan.slots {
            let in_flight = self.bulletin.in_flight(WorkerId(slot));
            if in_flight > limits.in_flight_max {
                self.violate(7, format!("{in_flight} in flight in worker {slot}"));
            }
        }
        for (shard, pool) in self.pools.iter().enumerate() {
            let waiting = self.bulletin.stats(shard).waiting.load(Relaxed);
            if waiting > u64::from(limits.queue_max) {
                self.violate(7, format!("{waiting} wait in shard {shard}"));
            }
            let (away, clients) = (pool.stats().away_bytes(), self.bulletin.stats(shard).connections.load(Relaxed));
            let bound = usize::try_from(clients).unwrap() * self.exchange_bytes_max() + self.pipe_bytes_max(shard);
            self.away_most.set(self.away_most.get().max(away));
            if away > bound {
                let chunks = pool.stats().away;
                self.violate(
                    7,
                    format!("{away} bytes are away ({chunks:?}) in shard {shard} for {clients} clients, not {bound}"),
                );
            }
        }
    }

    /// Bytes of chunks that one exchange may hold: in each direction a queue that waits and one that is written, what
    /// is held for another attempt, and large chunks: one read a direction, and the last slice of each of the three.
    fn exchange_bytes_max(&self) -> usize {
        let limits = &self.plan.limits;
        let waits = 4 * limits.window_bytes as usize + limits.replay_bytes_max as usize;
        let last = 5 * (ChunkSize::Large.allocation() + ChunkSize::Medium.allocation());
        Queue::PINNED_PER_BYTE_MAX * waits + last
    }

    /// Upgraded connections as the shards count them; they are not part of what is left.
    pub(crate) fn tunnels(&self) -> u64 {
        (0..self.plan.shards).map(|shard| self.bulletin.stats(shard).tunnels.load(Relaxed)).sum()
    }

    /// Nobody wants anything any more: everything is home.
    pub(crate) fn check_rest(&self, when: &str) {
        let left = self.bulletin.left();
        let tunnels: u32 = (0..self.plan.slots).map(|slot| self.bulletin.tunnels(WorkerId(slot))).sum();
        let counted = self.tunnels();
        if (left.in_flight, left.waiting, left.connections, tunnels, counted) != (0, 0, 0, 0, 0) {
            self.violate(7, format!("{when}: {left:?}, {tunnels} tunnels, {counted} counted by shards"));
        }
        for (shard, pool) in self.pools.iter().enumerate() {
            let (away, pipes) = (pool.stats().away, self.pipes[shard].1.get());
            if away != self.away_at_rest(shard) {
                self.violate(7, format!("{when}: chunks of shard {shard} with {pipes} pipes are not home: {away:?}"));
            }
        }
    }
}
