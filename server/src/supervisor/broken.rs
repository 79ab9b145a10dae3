//! A configuration of iisnode's that cannot be used, where clients are to be told so: no reload, but a page for every
//! request, until it can.

use std::sync::Arc;

use tracing::{error, info};

use super::settings::Settings;
use super::{Stage, Supervisor};
use crate::changes::Watch;
use crate::config::Config;

impl Supervisor {
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
}
