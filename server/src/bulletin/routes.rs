//! Which slots serve which route, and the one behind which there is no worker.

use std::ops::Range;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam::utils::CachePadded;
use forebay_core::id::WorkerId;

use super::{Bulletin, Gate};

/// The slots that serve one route, and how many of them are in use.
pub(super) struct Route {
    pub(super) slots: Range<u16>,
    pub(super) used: AtomicU16,
}

impl Bulletin {
    /// The same with one route and one slot more, behind all workers, for the [origin](crate::origin).
    #[must_use]
    pub fn with_origin(mut self) -> Self {
        let (slot, route) = (self.slots(), self.routes.len());
        self.slots = self.slots.into_iter().chain([CachePadded::default()]).collect();
        self.routes.push(Route { slots: slot..slot + 1, used: AtomicU16::new(slot + 1) });
        self.origin = u16::try_from(route).ok();
        self
    }

    /// The origin's route, where there is one.
    #[must_use]
    pub fn origin(&self) -> Option<u16> {
        self.origin
    }

    /// What keeps requests from the application.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The slots in use that serve route `route`.
    #[must_use]
    pub fn route(&self, route: usize) -> Range<u16> {
        let Route { slots, used } = &self.routes[route];
        slots.start..used.load(Relaxed)
    }

    /// All slots that route `route` has room for.
    #[must_use]
    pub fn room(&self, route: usize) -> Range<u16> {
        self.routes[route].slots.clone()
    }

    /// Says that only the first `count` slots of a route are in use: the others must be shut and stay so. A shard that
    /// learns of it late looks at some slots in vain, or not yet at new ones. Supervisor only.
    pub fn set_used(&self, route: usize, count: u16) {
        let Route { slots, used } = &self.routes[route];
        used.store(slots.start.saturating_add(count).min(slots.end), Relaxed);
    }

    /// The slots in use by workers, over all routes.
    pub fn in_use(&self) -> impl Iterator<Item = WorkerId> {
        let origin = self.origin.map(usize::from);
        (0..self.routes.len())
            .filter(move |&route| Some(route) != origin)
            .flat_map(|route| self.route(route))
            .map(WorkerId)
    }

    /// How many routes there are.
    #[must_use]
    pub fn routes(&self) -> usize {
        self.routes.len()
    }
}
