//! Coarse deadlines of a shard's connections: set with a store, looked at together a few times a second.
//!
//! Every wait of a connection is a time-out of seconds. A timer per wait would cost a queue operation at each step of
//! each request; here each connection has one entry, and a sweep over all of them costs about a nanosecond each.
//! A deadline is noticed up to [`TICK`] late, never early.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use forebay_core::time::Timestamp;

/// Time between two sweeps. 100 ms.
pub(super) const TICK: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Entry {
    deadline: Timestamp,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
    now: Timestamp,
}

/// The deadlines of one shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers(Rc<RefCell<Table>>);

impl Timers {
    /// An entry for one connection, without a deadline yet.
    pub(super) fn register(&self) -> Timer {
        let mut table = self.0.borrow_mut();
        let entry = Entry { deadline: Timestamp::NEVER, waker: None };
        let index = if let Some(index) = table.free.pop() {
            table.entries[index as usize] = entry;
            index
        } else {
            table.entries.push(entry);
            u32::try_from(table.entries.len() - 1).expect("fewer than 2^32 connections")
        };
        Timer { timers: self.clone(), index }
    }

    /// Moves the coarse clock to `now` and wakes those whose deadline has come.
    pub(super) fn sweep(&self, now: Timestamp) {
        let mut table = self.0.borrow_mut();
        table.now = now;
        for entry in &mut table.entries {
            if entry.deadline <= now
                && let Some(waker) = &entry.waker
            {
                waker.wake_by_ref();
            }
        }
    }

    /// Wakes everybody, to look at something else that changed.
    pub(super) fn wake_all(&self) {
        for entry in &self.0.borrow().entries {
            if let Some(waker) = &entry.waker {
                waker.wake_by_ref();
            }
        }
    }

    /// The coarse clock: at most [`TICK`] behind the engine's.
    pub(super) fn now(&self) -> Timestamp {
        self.0.borrow().now
    }
}

/// One connection's deadline.
#[derive(Debug)]
pub(super) struct Timer {
    timers: Timers,
    index: u32,
}

impl Timer {
    /// Sets the deadline to `wait` from now, instead of the one before.
    pub(super) fn set(&self, wait: Duration) {
        let mut table = self.timers.0.borrow_mut();
        // The clock may be a tick behind: never early.
        let deadline = table.now + TICK + wait;
        table.entries[self.index as usize].deadline = deadline;
    }

    /// Sets the deadline to a point that was computed from [`Timers::now`].
    pub(super) fn set_at(&self, deadline: Timestamp) {
        self.timers.0.borrow_mut().entries[self.index as usize].deadline = deadline;
    }

    /// Removes the deadline.
    pub(super) fn clear(&self) {
        self.set_at(Timestamp::NEVER);
    }

    /// Ready once the deadline has come, until another is set.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut table = self.timers.0.borrow_mut();
        let now = table.now;
        let entry = &mut table.entries[self.index as usize];
        if entry.deadline <= now {
            return Poll::Ready(());
        }
        if !entry.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            entry.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut table = self.timers.0.borrow_mut();
        table.entries[self.index as usize] = Entry { deadline: Timestamp::NEVER, waker: None };
        table.free.push(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_at_the_deadline_and_never_before() {
        let (timers, count) = (Timers::default(), Arc::new(Count(AtomicUsize::new(0))));
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        let wakes = || count.0.load(Ordering::Relaxed);
        let timer = timers.register();
        timer.set(Duration::from_secs(1));
        assert!(timer.poll(&mut cx).is_pending());
        timers.sweep(Timestamp::ZERO + Duration::from_secs(1));
        assert_eq!((wakes(), timer.poll(&mut cx)), (0, Poll::Pending));
        timers.sweep(Timestamp::ZERO + Duration::from_secs(1) + TICK);
        assert_eq!((wakes(), timer.poll(&mut cx)), (1, Poll::Ready(())));
        timer.clear();
        assert!(timer.poll(&mut cx).is_pending());
        timers.wake_all();
        assert_eq!(wakes(), 2);
        drop(timer);
        timers.wake_all();
        let again = timers.register();
        assert_eq!((wakes(), again.index), (2, 0));
    }
}
