//! What is published about a slot beyond its door: whose place it is, and how it fares there.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};

use forebay_core::id::WorkerId;

use super::Bulletin;
use crate::status::Cause;

/// How a slot fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nobody is wanted there, or nobody yet.
    #[default]
    Unwanted,
    /// A process is on its way to being ready.
    Starting,
    /// Its process is ready.
    Ready,
    /// The last start has failed, and the next one has not begun.
    Failed(Cause),
}

impl Condition {
    /// The same for a process that listens on a port of its own.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        match self {
            Self::Failed(Cause::NeverListened) => Self::Failed(Cause::ListenedElsewhere),
            Self::Unwanted | Self::Starting | Self::Ready | Self::Failed(_) => self,
        }
    }
}

/// A slot's place among the workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Station {
    /// The worker's number, from 0: what the application is told, and what session cookies name.
    pub number: u16,
    /// How it fares.
    pub condition: Condition,
}

impl Station {
    fn pack(self) -> u32 {
        let condition = match self.condition {
            Condition::Unwanted => 0,
            Condition::Starting => 1,
            Condition::Ready => 2,
            Condition::Failed(cause) => 3 | u32::from(cause as u8) << 8,
        };
        u32::from(self.number) << 16 | condition
    }

    fn unpack(word: u32) -> Self {
        let condition = match (word as u8, Cause::from_number((word >> 8) as u8)) {
            (1, _) => Condition::Starting,
            (2, _) => Condition::Ready,
            (3, Some(cause)) => Condition::Failed(cause),
            _ => Condition::Unwanted,
        };
        Self { number: (word >> 16) as u16, condition }
    }
}

/// [`Station`] as it is published.
#[derive(Debug, Default)]
pub(super) struct Board(AtomicU32);

impl Bulletin {
    /// Publishes a slot's station. Supervisor only.
    pub fn set_station(&self, worker: WorkerId, station: Station) {
        self.slot(worker).board.0.store(station.pack(), Release);
    }

    /// What is published about a slot's station.
    #[must_use]
    pub fn station(&self, worker: WorkerId) -> Station {
        Station::unpack(self.slot(worker).board.0.load(Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stations_survive_packing() {
        let all = [Condition::Unwanted, Condition::Starting, Condition::Ready, Condition::Failed(Cause::NodeMissing)];
        for condition in all.into_iter().chain([Condition::Failed(Cause::DebugRedirect)]) {
            let station = Station { number: u16::MAX, condition };
            assert_eq!(Station::unpack(station.pack()), station);
        }
        assert_eq!(Station::unpack(0), Station::default());
    }
}
