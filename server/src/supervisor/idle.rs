//! What is done while nobody wants anything.

use forebay_core::id::WorkerId;
use forebay_core::worker::State;

use super::slot::Slot;
use super::{Stage, Supervisor};

impl Supervisor {
    /// Pages workers out that nobody has wanted anything of for long enough.
    pub(super) fn poll_page_out(&mut self) {
        let Some(after) = self.config.workers.page_out_after else { return };
        let slots = || self.bulletin.route(0).map(WorkerId);
        let requests = slots().map(|slot| self.bulletin.requests(slot)).fold(0, u64::wrapping_add);
        let is_busy = slots().any(|slot| self.bulletin.in_flight(slot) > 0 || self.bulletin.tunnels(slot) > 0);
        let is_busy = is_busy || !matches!(self.stage, Stage::Serving);
        if self.page_out.poll(self.now(), requests, is_busy, after) {
            let ready = self.slots.iter().filter(|slot| slot.life.state() == State::Ready);
            let residents = ready.flat_map(Slot::residents).collect();
            self.page_out.start(residents, after);
        }
    }
}
