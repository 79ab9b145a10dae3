//! The first set of workers: where requests go to each in turn, they wait until all of it is ready.

use std::time::Duration;

use forebay_core::id::WorkerId;
use forebay_core::time::Timestamp;

use super::Supervisor;
use crate::bulletin::{Bulletin, Condition};
use crate::config::Dispatch;

/// How long the others are waited for once one worker is ready. 5 s: they were started together.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the first set is still on its way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Assembly {
    /// It is; nobody is ready.
    Gathering,
    /// It is; somebody has been ready since then.
    Waiting(Timestamp),
    /// It is complete, or nobody waits for it.
    Done,
}

impl Assembly {
    /// Before the first shard runs.
    pub(super) fn begin(dispatch: Dispatch, bulletin: &Bulletin) -> Self {
        bulletin.set_assembled(dispatch == Dispatch::Local);
        match dispatch {
            Dispatch::RoundRobin => Self::Gathering,
            Dispatch::Local => Self::Done,
        }
    }
}

impl Supervisor {
    /// Looks whether the set is complete: ready, or failed.
    pub(super) fn poll_assembly(&mut self) {
        if matches!(self.assembly, Assembly::Done) {
            return;
        }
        let conditions = || self.bulletin.route(0).map(|slot| self.bulletin.station(WorkerId(slot)).condition);
        let is_ready = conditions().any(|condition| condition == Condition::Ready);
        let is_starting = conditions().any(|condition| condition == Condition::Starting);
        let is_any = conditions().any(|condition| condition != Condition::Unwanted);
        self.assembly = match self.assembly {
            _ if is_any && !is_starting => Assembly::Done,
            Assembly::Gathering if is_ready => Assembly::Waiting(self.now()),
            Assembly::Waiting(since) if self.now().since(since) >= PATIENCE => Assembly::Done,
            before @ (Assembly::Gathering | Assembly::Waiting(_) | Assembly::Done) => before,
        };
        if matches!(self.assembly, Assembly::Done) {
            self.bulletin.set_assembled(true);
        }
    }
}
