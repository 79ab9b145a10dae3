//! Looks at the memory of processes once a second, while the debug header tells of it.

use std::time::Duration;

use super::Supervisor;
use crate::spawn::memory;

/// Time between two looks. 1 s: each is a small file of `/proc` a process.
const EVERY: Duration = Duration::from_secs(1);

impl Supervisor {
    pub(super) fn poll_footprints(&mut self) {
        if !self.config.response.debug_header || self.now() < self.look_at {
            return;
        }
        self.look_at = self.now() + EVERY;
        let own = std::process::id();
        self.bulletin.set_footprint(None, own, memory(own));
        for slot in &self.slots[..self.used] {
            // Where the worker is a shell or npm, the process that serves is the one that has dialled in.
            let feed = self.bulletin.feed(slot.id, slot.life.generation());
            if let Some(pid) = feed.map(|feed| feed.pid).or_else(|| slot.pid()) {
                self.bulletin.set_footprint(Some(slot.id), pid, memory(pid));
            }
        }
    }
}
