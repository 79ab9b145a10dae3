//! The laws for workers that speak frames.

use forebay::bulletin::Event;
use forebay_core::buf::{ChunkSize, Queue};
use forebay_core::id::{Generation, WorkerId};

use crate::laws::Book;

impl Book {
    /// A worker has dialled in to a shard, or the shard has forgotten it by now.
    pub(crate) fn pipe_is_there(&self, shard: usize, comes: bool) {
        let count = &self.pipes[shard].0;
        count.set(if comes { count.get() + 1 } else { count.get() - 1 });
    }

    /// A worker's connection is welcome, or over.
    pub(crate) fn pipe_is_up(&self, shard: usize, comes: bool) {
        let count = &self.pipes[shard].1;
        count.set(if comes { count.get() + 1 } else { count.get() - 1 });
    }

    /// Whether there is a connection from every slot to every shard.
    pub(crate) fn pipes_are_up(&self) -> bool {
        self.pipes.iter().all(|(_, up)| up.get() == u64::from(self.plan.slots))
    }

    /// A worker is about to commit a fault.
    pub(crate) fn expect_report(&self, worker: WorkerId, generation: Generation, name: &'static str) {
        self.reports.borrow_mut().insert((worker.0, generation.0, name));
    }

    /// What the shards say of workers is true.
    pub(crate) fn hear_reports(&self) {
        while let Some(event) = self.bulletin.take_event() {
            if let Event::Malformed(worker, generation, name) = event {
                self.count(format!("reported {name}"));
                if !self.reports.borrow().contains(&(worker.0, generation.0, name)) {
                    self.violate(4, format!("{worker}-{} is said to have said {name}", generation.0));
                }
            }
        }
    }

    /// Chunks that are in use where nobody wants anything: each connection of a worker has one to be read into.
    pub(crate) fn away_at_rest(&self, shard: usize) -> [usize; 3] {
        [0, usize::try_from(self.pipes[shard].1.get()).unwrap(), 0]
    }

    pub(crate) fn is_home(&self) -> bool {
        self.pools.iter().enumerate().all(|(shard, pool)| pool.stats().away == self.away_at_rest(shard))
    }

    /// Bytes of chunks that connections of workers may hold beside those of exchanges: what is read and what is
    /// written, and requests that nobody waits for any more and the worker has not read.
    pub(crate) fn pipe_bytes_max(&self, shard: usize) -> usize {
        let pipes = usize::try_from(self.pipes[shard].0.get()).unwrap();
        let (medium, large) = (ChunkSize::Medium.allocation(), ChunkSize::Large.allocation());
        let unread = Queue::PINNED_PER_BYTE_MAX * (128 * 1024) + 2 * medium + large;
        pipes * 4 * (medium + large) + if pipes > 0 { self.unread() * unread } else { 0 }
    }

    /// A process begins.
    pub(crate) fn begins(&self, worker: WorkerId) {
        self.come.borrow_mut().insert(worker.0, (self.bulletin.requests(worker), 0));
    }

    /// Requests that were given to processes and have not come there.
    fn unread(&self) -> usize {
        let come = self.come.borrow();
        let unread = |(slot, (before, come)): (&u16, &(u64, u64))| {
            self.bulletin.requests(WorkerId(*slot)).saturating_sub(before + come)
        };
        usize::try_from(come.iter().map(unread).sum::<u64>()).unwrap()
    }

    /// As [`read_whole`](Book::read_whole). Where reads bring less than there is, a kernel's word about what was left
    /// unread is not kept: such worlds are excused.
    pub(crate) fn read_whole_in_frames(&self, id: u64) {
        if self.plan.config.faults.partial == 0 {
            self.read_whole(id);
        }
    }
}
