//! Replaces all workers without a moment in which none serves.
//!
//! Of each worker's two slots in the table, the one that does not serve is brought to readiness while the other serves.
//! Only when all of the new ones are ready are their doors opened and the old ones drained; if one fails, the new ones
//! are killed and the old ones stay, as if nothing had happened. No request is given to a new worker before that, so a failed reload costs none.
//!
//! One reload at a time. Any number that is asked for meanwhile becomes one more, afterwards.

use std::sync::Arc;

use forebay_core::time::Timestamp;
use forebay_core::worker::journey::Span;
use forebay_core::worker::{State, Want};
use tracing::{error, info, warn};

use super::settings::{Settings, needs_restart};
use super::slot::Slot;
use super::{Stage, Supervisor};
use crate::bulletin::SLOTS_PER_WORKER;
use crate::changes::Watch;
use crate::config::Config;
use crate::control_pipe::ControlPipe;
use crate::live::Live;

/// The new ones that are brought to readiness.
pub(super) struct Trial {
    config: Box<Config>,
    began: Timestamp,
    count: usize,
    watch: Watch,
}

impl Trial {
    /// How many.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

impl Supervisor {
    /// Takes the slots of the first `count` workers into use, and as many more as have processes.
    pub(super) fn settle(&mut self, count: usize) {
        let each = usize::from(SLOTS_PER_WORKER);
        let busy = self.slots.iter().rposition(|slot| slot.life.state() != State::Down);
        let used = each * count.max(busy.map_or(0, |i| i / each + 1));
        if used != self.used {
            self.used = used;
            self.bulletin.set_used(0, u16::try_from(used).unwrap_or(u16::MAX));
        }
    }

    /// The slot of a worker's number that serves.
    pub(super) fn serving(&self, number: usize) -> usize {
        number * usize::from(SLOTS_PER_WORKER) + self.lanes[number]
    }

    /// The slot of a worker's number that does not serve.
    pub(super) fn spare(&self, number: usize) -> usize {
        number * usize::from(SLOTS_PER_WORKER) + 1 - self.lanes[number]
    }

    /// The slots that do not serve, by worker's number.
    fn spares(&self) -> Vec<usize> {
        (0..self.lanes.len()).map(|number| self.spare(number)).collect()
    }

    /// A slot that does not serve and still has a process, if any.
    fn busy_spare(&self) -> Option<&Slot> {
        self.spares().into_iter().map(|i| &self.slots[i]).find(|slot| slot.life.state() != State::Down)
    }

    pub(super) fn on_reload(&mut self) {
        if self.has_begun && self.is_busy() {
            self.reload_again = true;
            // Clients who are to be told what is wrong are told now, not after what is under way.
            if self.config.errors.dev_pages {
                let _tried_out_later = self.read_again();
            }
            return;
        }
        self.reload_again = false;
        match self.read_again() {
            Some(config) if self.has_begun => self.try_out(config),
            Some(config) => self.begin(config),
            None => {}
        }
    }

    /// Whether something has to end before a reload can begin; the log says what.
    fn is_busy(&self) -> bool {
        if matches!(self.stage, Stage::Reloading(_)) {
            info!(target: "forebay", "reload asked for again: follows the one that is under way");
            true
        } else if self.is_offline {
            info!(target: "forebay", "reload waits: the application is offline");
            true
        } else if let Some(slot) = self.busy_spare() {
            info!(target: "forebay", "reload waits: worker {} is on its way", slot.id);
            true
        } else {
            false
        }
    }

    fn try_out(&mut self, config: Config) {
        let len = self.lanes.len();
        for key in needs_restart(&self.config, &config, len) {
            warn!(target: "forebay", "reload: {key} has changed, which needs a restart to take effect");
        }
        let count = config.workers.count.clamp(1, len.max(1));
        info!(target: "forebay", "reload: starting {count} new workers ({})", config.launch.title);
        let settings = Arc::new(Settings::new(&config, self.preload.clone(), self.cpus.clone()));
        self.settle(count.max(self.workers_now()));
        // Before any of them has read a file.
        let watch = Watch::new(&config);
        self.open_control_pipe(config.workers.control_pipe);
        self.reloaded = Some(self.now());
        self.stage = Stage::Reloading(Trial { config: Box::new(config), began: self.now(), count, watch });
        for i in self.spares().into_iter().take(count) {
            self.slots[i].set(settings.clone());
            self.with(i, |slot, tools| slot.want(Want::Trial, tools));
        }
    }

    pub(super) fn poll_reload(&mut self) {
        match &self.stage {
            Stage::Reloading(trial) => {
                let spares = self.spares();
                let mut on_trial = spares.iter().take(trial.count).map(|&i| &self.slots[i]);
                let state = |state| move |slot: &Slot| slot.life.state() == state;
                if let Some(failed) = on_trial.clone().find(|slot| state(State::Failed)(slot)) {
                    let (id, story) = (failed.id, failed.journey.summary());
                    error!(target: "forebay", "reload failed, workers stay as they are: worker {id}: {story}");
                    self.abandon_reload();
                } else if on_trial.all(state(State::Ready)) {
                    self.promote();
                }
            }
            Stage::Serving if self.reload_again && !self.is_offline => {
                if self.busy_spare().is_none() {
                    self.on_reload();
                }
            }
            Stage::Serving | Stage::Stopping(..) => {}
        }
    }

    /// The new ones are ready: they serve, the old ones drain.
    fn promote(&mut self) {
        let Stage::Reloading(trial) = std::mem::replace(&mut self.stage, Stage::Serving) else { return };
        for number in 0..trial.count {
            self.with(self.spare(number), |slot, tools| slot.want(Want::Run, tools));
        }
        for number in 0..self.lanes.len() {
            self.with(self.serving(number), |slot, tools| slot.want(Want::Replaced, tools));
            self.lanes[number] = 1 - self.lanes[number];
        }
        self.changes.set(trial.watch);
        self.adopt(*trial.config);
        // Who came after a change that is yet to be tried out goes on waiting for that.
        self.bulletin.gate().hold(self.bulletin.gate().is_held() && self.reload_again);
        let took = Span(self.now().since(trial.began));
        info!(target: "forebay", "reload done: {} new workers serve, after {took}", trial.count);
    }

    /// Works with another configuration from here on.
    pub(super) fn adopt(&mut self, config: Config) {
        self.bulletin.set_stuck_after(config.workers.stuck_after);
        // What needs a restart stays as it is, and is said again at the next reload.
        let runtime_dir = std::mem::take(&mut self.config.workers.runtime_dir);
        let Config { launch, workers, affinity, limits, forwarding, response, errors, site, .. } = config;
        (self.config.launch, self.config.workers) = (launch, workers);
        self.config.workers.runtime_dir = runtime_dir;
        (self.config.affinity, self.config.limits, self.config.forwarding) = (affinity, limits, forwarding);
        (self.config.response, self.config.errors) = (response, errors);
        self.bulletin.set_live(&Arc::new(Live::of(&self.config)));
        self.config.site.rules = site.rules;
        self.site.iter().for_each(|watching| watching.set_rules(self.config.site.rules.clone()));
    }

    /// The new ones go, the old ones stay.
    pub(super) fn abandon_reload(&mut self) {
        self.bulletin.gate().hold(false);
        if !matches!(self.stage, Stage::Reloading(_)) {
            return;
        }
        self.stage = Stage::Serving;
        for i in self.spares() {
            self.with(i, |slot, tools| slot.want(Want::Kill, tools));
        }
    }

    /// Opens the control pipe if it is wanted. Once open it stays, for workers that know it.
    pub(super) fn open_control_pipe(&mut self, is_wanted: bool) {
        if !is_wanted || self.control_pipe.is_some() {
            return;
        }
        match ControlPipe::open(&self.config.workers.runtime_dir, self.commands.0.clone()) {
            Ok(pipe) => self.control_pipe = Some(pipe),
            Err(error) => error!(target: "forebay", "workers.control_pipe: cannot be opened: {error}"),
        }
    }
}
