//! Takes the application offline and brings it back: no worker runs meanwhile, so that its files can be replaced.
//!
//! The gate is shut by whoever saw the page, before this hears of it: requests that came earlier are finished, later ones
//! are answered with the page. It is opened here, once workers are on their way; requests wait for them.

use forebay_core::worker::Want;
use tracing::info;

use super::{Stage, Supervisor};

impl Supervisor {
    /// The page that takes the application offline is there, or gone.
    pub(super) fn on_offline(&mut self, offline: bool) {
        if self.is_offline == offline || matches!(self.stage, Stage::Stopping(..)) {
            return;
        }
        self.is_offline = offline;
        let page = &self.config.site.offline_page;
        if offline {
            info!(target: "forebay", "offline: {page} is there; workers finish what they have and stop");
            if matches!(self.stage, Stage::Reloading(_)) {
                self.reload_again = true;
                self.abandon_reload();
            }
            self.replacements.clear();
            for i in 0..self.slots.len() {
                self.with(i, |slot, tools| slot.want(Want::Replaced, tools));
            }
        } else {
            info!(target: "forebay", "online: {page} is gone; workers start");
            self.start_workers();
            self.bulletin.gate().set_offline(false);
        }
    }
}
