//! What cannot be served as it is configured: a configuration of iisnode's that is wrong, where clients are to be told so
//! by a page for every request until it is right; and a program that does not exist.

use std::sync::Arc;

use forebay_core::worker::Want;
use tracing::{error, info};

use super::settings::Settings;
use super::{Outcome, Stage, Supervisor};
use crate::changes::Watch;
use crate::config::{Config, Statuses};

impl Supervisor {
    /// Starts the workers, unless clients are to be told that there is no configuration to start them with.
    pub(super) fn begin_or_tell(&mut self) {
        if let Some(why) = self.config.broken.take() {
            return self.on_broken(why);
        }
        self.has_begun = true;
        self.open_control_pipe(self.config.workers.control_pipe);
        self.start_workers();
    }

    /// Reads the configuration again; none if it cannot be used, which has been told then.
    pub(super) fn read_again(&mut self) -> Option<Config> {
        match (self.reload)() {
            Err(why) => {
                error!(target: "forebay", "reload failed, workers stay as they are: {why}");
                self.bulletin.gate().hold(false);
                None
            }
            Ok(Config { broken: Some(why), .. }) => {
                self.on_broken(why);
                None
            }
            Ok(config) => {
                if self.bulletin.gate().is_broken() {
                    info!(target: "forebay", "the configuration can be used again");
                    // What waits for workers of before would be answered with what was before.
                    self.bulletin.gate().hold(true);
                    self.bulletin.gate().set_broken(None);
                }
                Some(config)
            }
        }
    }

    /// Starts the workers of a server that had no configuration to start them with.
    pub(super) fn begin(&mut self, config: Config) {
        let settings = Arc::new(Settings::new(&config, self.preload.clone(), self.cpus.clone()));
        self.slots.iter_mut().for_each(|slot| slot.set(settings.clone()));
        self.changes.set(Watch::new(&config));
        self.open_control_pipe(config.workers.control_pipe);
        self.adopt(config);
        self.has_begun = true;
        self.bulletin.gate().hold(false);
        if !self.is_offline {
            self.start_workers();
        }
    }

    /// Every request is answered with what is wrong, from now on.
    pub(super) fn on_broken(&mut self, why: String) {
        error!(target: "forebay", "the configuration cannot be used, requests are answered with that: {why}");
        self.bulletin.gate().set_broken(Some(why));
        self.bulletin.gate().hold(false);
        if matches!(self.stage, Stage::Reloading(_)) {
            self.abandon_reload();
        }
        self.reload_again = false;
    }

    /// A program that does not exist will not exist a second later either: before anything was ever ready that is a
    /// mistake in the configuration, and the operator is better served by an exit code than by a loop.
    pub(super) fn poll_hopeless(&mut self) {
        // In iisnode's way clients are told, and a reload may mend it.
        let tells_clients = self.config.errors.statuses == Statuses::Iisnode;
        if self.ever_ready || tells_clients || !matches!(self.stage, Stage::Serving) {
            return;
        }
        if let Some(slot) = self.slots.iter().find(|slot| slot.life.want() == Want::Run && slot.permanent.is_some()) {
            error!(target: "forebay", "cannot start: {}", slot.journey.summary());
            self.outcome = Outcome::Failed;
            self.stop();
            if let Stage::Stopping(shutdown, _) = &mut self.stage {
                shutdown.on_asked_again();
            }
        }
    }
}
