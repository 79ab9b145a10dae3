//! The virtual clock and what is to happen when.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use forebay_core::time::Timestamp;

use super::link::{Arrival, Link};
use super::world::{self, World};

/// When, and in which order among what happens at the same time.
pub(super) type Key = (Timestamp, u64);

pub(super) enum Event {
    Wake(Waker),
    Arrive { link: Rc<Link>, side: usize, what: Arrival },
}

#[derive(Default)]
pub(super) struct Timers {
    now: Cell<Timestamp>,
    sequence: Cell<u64>,
    events: RefCell<BTreeMap<Key, Event>>,
}

impl Timers {
    pub(super) fn now(&self) -> Timestamp {
        self.now.get()
    }

    pub(super) fn advance_to(&self, now: Timestamp) {
        self.now.set(self.now.get().max(now));
    }

    pub(super) fn schedule(&self, at: Timestamp, event: Event) -> Key {
        let key = (at, self.sequence.get());
        self.sequence.set(key.1 + 1);
        self.events.borrow_mut().insert(key, event);
        key
    }

    pub(super) fn cancel(&self, key: Key) {
        let event = self.events.borrow_mut().remove(&key);
        drop(event);
    }

    /// When the next event is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.events.borrow().first_key_value().map(|(key, _)| key.0)
    }

    /// Takes the next event if it is due.
    pub(super) fn pop_due(&self) -> Option<Event> {
        let mut events = self.events.borrow_mut();
        let entry = events.first_entry()?;
        (entry.key().0 <= self.now.get()).then(|| entry.remove())
    }

    pub(super) fn clear(&self) {
        let events = std::mem::take(&mut *self.events.borrow_mut());
        drop(events);
    }
}

/// Completes at its deadline. May be dropped at any time.
pub(super) struct Sleep {
    deadline: Timestamp,
    timer: Option<(Key, Rc<World>)>,
}

impl Sleep {
    pub(super) const fn until(deadline: Timestamp) -> Self {
        Self { deadline, timer: None }
    }

    fn disarm(&mut self) {
        if let Some((key, world)) = self.timer.take() {
            world.timers.cancel(key);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.disarm();
        let world = world::current();
        if world.timers.now() >= self.deadline {
            return Poll::Ready(());
        }
        // A deadline that never comes must not hide a deadlock.
        if self.deadline != Timestamp::NEVER {
            let key = world.timers.schedule(self.deadline, Event::Wake(cx.waker().clone()));
            self.timer = Some((key, world));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}
