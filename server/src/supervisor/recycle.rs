//! Replaces one worker that did wrong, without a moment in which its place is empty.
//!
//! Another process is brought to readiness in the spare slot of the same number; then the two change places and the old
//! one drains. Where that cannot be (a reload is under way, the process had hardly begun to serve) it finishes what it
//! has and is started again in its own slot, after the delay that its failures have earned.

use forebay_core::worker::{State, Want};
use tracing::{error, info, warn};

use super::{Stage, Supervisor};
use crate::bulletin::SLOTS_PER_WORKER;

/// A worker for which another process is brought to readiness.
pub(super) struct Replacement {
    number: usize,
    why: String,
}

impl Supervisor {
    /// The worker in a slot is not to be trusted any more.
    pub(super) fn recycle(&mut self, i: usize, why: String) {
        let number = i / usize::from(SLOTS_PER_WORKER);
        if self.replacements.iter().any(|replacement| replacement.number == number) {
            return;
        }
        let (now, spare) = (self.now(), self.spare(number));
        let life = &self.slots[i].life;
        // A process that served for less than that would be replaced as fast as processes start.
        let in_peace = matches!(self.stage, Stage::Serving)
            && self.serving(number) == i
            && life.want() == Want::Run
            && life.has_recovered(now)
            && self.slots[spare].life.state() == State::Down;
        if !in_peace {
            return self.with(i, |slot, tools| slot.on_broken(why, tools));
        }
        let (worker, next) = (self.slots[i].id, self.slots[spare].id);
        warn!(target: "forebay", "worker {worker} {why}; worker {next} is started in its place");
        self.bulletin.count_restart(worker);
        let settings = self.slots[i].settings.clone();
        self.slots[spare].set(settings);
        self.replacements.push(Replacement { number, why });
        self.with(spare, |slot, tools| slot.want(Want::Trial, tools));
    }

    /// Lets those that are ready serve.
    pub(super) fn poll_replacements(&mut self) {
        for Replacement { number, why } in std::mem::take(&mut self.replacements) {
            let (old, new) = (self.serving(number), self.spare(number));
            let (worker, next) = (self.slots[old].id, self.slots[new].id);
            let state = self.slots[new].life.state();
            if state == State::Ready {
                self.with(new, |slot, tools| slot.want(Want::Run, tools));
                self.with(old, |slot, tools| slot.want(Want::Replaced, tools));
                self.lanes[number] = 1 - self.lanes[number];
                info!(target: "forebay", "worker {next} serves in place of {worker}");
            } else if state == State::Failed {
                let story = self.slots[new].journey.summary();
                self.with(new, |slot, tools| slot.want(Want::Stop, tools));
                if self.slots[old].settings.frames_only {
                    error!(target: "forebay", "worker {next} cannot take the place of {worker}: {story}");
                    self.with(old, |slot, tools| slot.on_broken(why, tools));
                } else {
                    // Over HTTP it still serves, which is more than what would follow it.
                    error!(
                        target: "forebay",
                        "worker {next} cannot take the place of {worker}, which stays and is served over HTTP: {story}"
                    );
                }
            } else {
                self.replacements.push(Replacement { number, why });
            }
        }
    }
}
