//! Which slots serve which route, how many of them are in use, and the one behind which there is no worker.

use std::ops::Range;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam::utils::CachePadded;
use forebay_core::id::WorkerId;

use super::{Bulletin, Gate};

/// Slots of each worker of an application: one that serves, and one in which its successor is brought to readiness.
/// Worker n has the slots 2n and 2n + 1, so that those of few workers lie together however long the table is.
pub const SLOTS_PER_WORKER: u16 = 2;

/// Workers that a table has room for at least, so that a reload can start more of them than there were. A slot that is not
/// in use costs some hundred bytes a shard and is never looked at.
pub const WORKERS_ROOM: u16 = 64;

/// The slots that serve one route, and how many of them are in use.
pub(super) struct Route {
    slots: Range<u16>,
    used: AtomicU16,
}

impl Route {
    /// With all of its slots in use.
    pub(super) fn new(slots: Range<u16>) -> Self {
        Self { used: AtomicU16::new(slots.end), slots }
    }
}

impl Bulletin {
    /// The same with two routes of one slot each more, behind all workers: for the [origin](crate::origin), and for a
    /// process that somebody debugs.
    #[must_use]
    pub fn with_origin(mut self) -> Self {
        (self.origin, self.debuggee) = (self.add_route(), self.add_route());
        self
    }

    fn add_route(&mut self) -> Option<u16> {
        let (slot, route) = (self.slots(), self.routes.len());
        self.slots = std::mem::take(&mut self.slots).into_iter().chain([CachePadded::default()]).collect();
        self.routes.push(Route::new(slot..slot + 1));
        u16::try_from(route).ok()
    }

    /// The origin's route, where there is one.
    #[must_use]
    pub fn origin(&self) -> Option<u16> {
        self.origin
    }

    /// The route of the process that somebody debugs, where there can be one.
    #[must_use]
    pub fn debuggee(&self) -> Option<u16> {
        self.debuggee
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
        let others = [self.origin, self.debuggee].map(|route| route.map(usize::from));
        let routes = (0..self.routes.len()).filter(move |&route| !others.contains(&Some(route)));
        routes.flat_map(|route| self.route(route)).map(WorkerId)
    }

    /// How many routes there are.
    #[must_use]
    pub fn routes(&self) -> usize {
        self.routes.len()
    }
}
