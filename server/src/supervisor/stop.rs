//! The end of the server, step by step: drain, ask workers to end, kill them.

use std::time::Duration;

use forebay_core::drain::{Left, Processes, Shutdown, Step};
use forebay_core::worker::Want;
use tracing::{error, info, warn};

use super::{Outcome, Stage, Supervisor};
use crate::bulletin::Phase;

/// What requests that waited to the last get to be answered. 500 ms.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

impl Supervisor {
    /// Begins to stop: clients get what they wait for first.
    pub(super) fn stop(&mut self) {
        let left = self.bulletin.left();
        if self.outcome == Outcome::Stopped {
            let (in_flight, waiting, connections) = (left.in_flight, left.waiting, left.connections);
            info!(
                target: "forebay",
                "stopping: {in_flight} requests in flight, {waiting} waiting, {connections} clients connected"
            );
        }
        self.abandon_reload();
        self.replacements.clear();
        self.bulletin.set_phase(Phase::Draining);
        let shutdown = Shutdown::new(self.now(), self.config.workers.drain_timeout);
        self.stage = Stage::Stopping(shutdown, Step::Drain);
    }

    /// The next step, when it is time for that.
    pub(super) fn poll_stop(&mut self) {
        let (now, left) = (self.now(), self.bulletin.left());
        let up = self.slots.iter().filter(|slot| slot.life.state().is_up());
        let killed = up.clone().filter(|slot| slot.is_killed()).count();
        let up = up.count();
        let Stage::Stopping(shutdown, before) = &mut self.stage else { return };
        let step = shutdown.poll(now, left, Processes { up, killed });
        let before = std::mem::replace(before, step);
        if step == before {
            return;
        }
        if before == Step::Drain && left != Left::default() {
            let (in_flight, waiting, connections) = (left.in_flight, left.waiting, left.connections);
            warn!(
                target: "forebay",
                "no more time: {in_flight} requests in flight, {waiting} waiting and {connections} clients are cut"
            );
        }
        if step == Step::End && up > 0 {
            error!(target: "forebay", "{up} workers cannot be killed: ending without them");
            self.outcome = Outcome::Failed;
        }
        let want = match step {
            Step::Drain => return,
            Step::Stop => Want::Stop,
            Step::Kill | Step::End => Want::Kill,
        };
        for i in 0..self.slots.len() {
            self.with(i, |slot, tools| slot.want(want, tools));
        }
    }

    /// Whether the last step was taken.
    /// Requests that waited for a worker to the last are answered: there is none to come. Shards would end before.
    pub(super) fn let_shards_answer(&self) {
        let until = self.now() + LAST_ANSWERS;
        let has_waiting = self.bulletin.left().waiting > 0;
        while has_waiting && self.bulletin.left() != Left::default() && self.now() < until {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match &self.stage {
            Stage::Stopping(_, step) => *step == Step::End,
            Stage::Serving | Stage::Reloading(_) => false,
        }
    }
}
