//! The memory of processes, for the debug header: refreshed by the supervisor, never asked for by a request.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use forebay_core::id::WorkerId;

use super::Bulletin;
use crate::spawn::Memory;

/// One process. Torn reads between fields do no harm.
#[derive(Debug, Default)]
pub struct Footprint {
    pid: AtomicU32,
    resident_bytes: AtomicU64,
    private_bytes: AtomicU64,
}

impl Footprint {
    fn store(&self, pid: u32, memory: Memory) {
        self.pid.store(pid, Relaxed);
        self.resident_bytes.store(memory.resident_bytes, Relaxed);
        self.private_bytes.store(memory.private_bytes, Relaxed);
    }

    /// Which process, 0 before one was looked at.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.load(Relaxed)
    }

    /// Its memory when it was looked at last.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory { resident_bytes: self.resident_bytes.load(Relaxed), private_bytes: self.private_bytes.load(Relaxed) }
    }
}

impl Bulletin {
    /// Says what a slot's process holds, or with none what this process does. Supervisor only.
    pub fn set_footprint(&self, worker: Option<WorkerId>, pid: u32, memory: Memory) {
        self.footprint(worker).store(pid, memory);
    }

    /// What a slot's process holds; with none, this one.
    #[must_use]
    pub fn footprint(&self, worker: Option<WorkerId>) -> &Footprint {
        worker.map_or(&self.own, |worker| &self.slot(worker).footprint)
    }
}
