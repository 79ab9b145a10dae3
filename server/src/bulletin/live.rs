//! Where the supervisor lays out changed settings for the shards.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use super::Bulletin;
use crate::live::Live;

/// One place for each shard. What lies there and was not taken gives way to what is newer.
#[derive(Debug)]
pub(super) struct Laid(Box<[ArrayQueue<Arc<Live>>]>);

impl Laid {
    pub(super) fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| ArrayQueue::new(1)).collect())
    }
}

impl Bulletin {
    /// Lays out what the shards are to work by from now on. Supervisor only.
    pub fn set_live(&self, live: &Arc<Live>) {
        for place in &self.live.0 {
            let _older = place.force_push(Arc::clone(live));
        }
    }

    /// What was laid out for a shard since it last asked.
    #[must_use]
    pub fn take_live(&self, shard: usize) -> Option<Arc<Live>> {
        self.live.0[shard].pop()
    }
}
