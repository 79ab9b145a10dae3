//! What is known of processes that ended: the supervisor notes it, pages about failures show it.
//!
//! Both are of the control plane, and both take a lock for a moment.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use forebay_core::id::{Generation, WorkerId};

/// Processes that are remembered. 64: a page is asked for soon after the failure that it explains.
const PROCESSES_MAX: usize = 64;

/// How a process ended, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The slot.
    pub worker: WorkerId,
    /// Which of its processes.
    pub generation: Generation,
    /// What came to pass, in a sentence.
    pub story: String,
    /// The last it wrote to stderr.
    pub stderr: Vec<String>,
}

/// The last processes that ended.
#[derive(Debug, Default)]
pub struct Board(Mutex<VecDeque<Last>>);

impl Board {
    /// Notes the end of a process.
    pub fn note(&self, last: Last) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| (other.worker, other.generation) != (last.worker, last.generation));
        if all.len() == PROCESSES_MAX {
            all.pop_front();
        }
        all.push_back(last);
    }

    /// What is known of a process.
    #[must_use]
    pub fn of(&self, worker: WorkerId, generation: Generation) -> Option<Last> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rfind(|last| (last.worker, last.generation) == (worker, generation)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let board = Board::default();
        let last = |n: u32, story: &str| Last {
            worker: WorkerId(1),
            generation: Generation(n),
            story: story.into(),
            stderr: Vec::new(),
        };
        (0..100).for_each(|n| board.note(last(n, "first")));
        board.note(last(99, "again"));
        assert_eq!(board.of(WorkerId(1), Generation(99)), Some(last(99, "again")));
        assert!(board.of(WorkerId(1), Generation(36)).is_some() && board.of(WorkerId(1), Generation(35)).is_none());
        assert_eq!(board.of(WorkerId(2), Generation(99)), None);
        assert_eq!(board.0.lock().unwrap().len(), PROCESSES_MAX);
    }
}
