//! Whose turn it is, where requests go to each worker in turn.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};

use crossbeam::utils::CachePadded;

use super::Bulletin;

/// The turn, and whether the first set of workers is complete.
#[derive(Debug, Default)]
pub(super) struct Turns {
    next: CachePadded<AtomicU64>,
    is_gathering: AtomicBool,
}

impl Bulletin {
    /// Takes the next turn, over all shards. They begin at 0.
    #[must_use]
    pub fn next_turn(&self) -> u64 {
        self.turns.next.fetch_add(1, Relaxed)
    }

    /// Whether turns may be taken: not while the first set of workers is still on its way, or the first to be ready would
    /// have them all.
    #[must_use]
    pub fn is_assembled(&self) -> bool {
        !self.turns.is_gathering.load(Acquire)
    }

    /// Says whether they may. Supervisor only.
    pub fn set_assembled(&self, is_assembled: bool) {
        self.turns.is_gathering.store(!is_assembled, Release);
    }
}
