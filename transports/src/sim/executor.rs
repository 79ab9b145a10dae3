//! Tasks of a world, polled one at a time in an order that the seed chooses.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::Random;

/// The program itself; spawned tasks count from one.
pub(super) const MAIN: u64 = 0;

type Task = (Pin<Box<dyn Future<Output = ()>>>, Waker);

/// Tasks that were woken since the executor last looked. Wakers must be `Send`, hence the lock; it is never contended.
type Woken = Arc<Mutex<Vec<u64>>>;

#[derive(Default)]
pub(super) struct Executor {
    tasks: RefCell<BTreeMap<u64, Task>>,
    spawned: Cell<u64>,
    woken: Woken,
    /// Runnable tasks, in no particular order, and the same as a set.
    ready: RefCell<(Vec<u64>, BTreeSet<u64>)>,
    panics: Cell<usize>,
}

struct TaskWaker {
    id: u64,
    woken: Woken,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.id);
    }
}

impl Executor {
    pub(super) fn waker(&self, id: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { id, woken: Arc::clone(&self.woken) }))
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let id = self.spawned.get() + 1;
        self.spawned.set(id);
        let waker = self.waker(id);
        waker.wake_by_ref();
        self.tasks.borrow_mut().insert(id, (Box::pin(task), waker));
    }

    /// Tasks that ended by a panic.
    pub(super) fn panics(&self) -> usize {
        self.panics.get()
    }

    /// Chooses a runnable task.
    pub(super) fn next(&self, random: &mut Random) -> Option<u64> {
        let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
        let mut ready = self.ready.borrow_mut();
        let (order, set) = &mut *ready;
        order.extend(woken.into_iter().filter(|id| set.insert(*id)));
        if order.is_empty() {
            return None;
        }
        let id = order.swap_remove(random.below(order.len()));
        set.remove(&id);
        Some(id)
    }

    /// Polls a spawned task; one that has ended is ignored.
    pub(super) fn poll(&self, id: u64) {
        let Some((mut future, waker)) = self.tasks.borrow_mut().remove(&id) else { return };
        let mut cx = Context::from_waker(&waker);
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => {
                self.tasks.borrow_mut().insert(id, (future, waker));
            }
            Ok(Poll::Ready(())) => self.end((future, waker)),
            Err(_) => {
                self.note_panic();
                self.end((future, waker));
            }
        }
    }

    /// Drops all tasks, and those that they spawn while they are dropped.
    pub(super) fn clear(&self) {
        loop {
            let Some((_, task)) = self.tasks.borrow_mut().pop_first() else { return };
            self.end(task);
        }
    }

    fn end(&self, task: Task) {
        if catch_unwind(AssertUnwindSafe(|| drop(task))).is_err() {
            self.note_panic();
        }
    }

    fn note_panic(&self) {
        self.panics.set(self.panics.get() + 1);
        tracing::error!("a simulated task panicked and was ended");
    }
}
