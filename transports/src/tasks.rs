//! The tasks of a thread, so that those left over can be dropped when its engine ends.
//!
//! monoio cannot do that: a task that waits for an operation, the operation and the ring own each other in a circle.
//! compio can, but frees buffers while the kernel may still fill them. So each task that has been polled is entered here, by its address, and [`end_all`] drops the futures in place and
//! wakes the tasks, which then find that they are over.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::marker::PhantomPinned;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::Engine;
use crate::task::Contained;

/// How long an engine that ends waits for what it has cancelled.
const SETTLE: Duration = Duration::from_millis(2);

/// The place of a task that is not entered.
const NOWHERE: usize = usize::MAX;

thread_local! {
    /// Never dropped: what a program that panicked leaves behind would look for this while it goes.
    static TASKS: RefCell<ManuallyDrop<Places>> =
        const { RefCell::new(ManuallyDrop::new(Places { tasks: Vec::new(), free: Vec::new() })) };
    /// Set while the engine ends: tasks that were never polled are dropped rather than started.
    static ENDING: Cell<bool> = const { Cell::new(false) };
}

/// Tasks by place; a place is used again once its task is gone.
struct Places {
    tasks: Vec<Option<Entry>>,
    free: Vec<usize>,
}

#[derive(Clone)]
struct Entry {
    address: NonNull<dyn End>,
    /// Keeps the task's memory: what the future drops may hold the only other waker.
    waker: Waker,
}

trait End {
    /// Drops the future that is inside, if there still is one.
    fn end(self: Pin<&mut Self>);
}

/// A task as it is handed to a runtime: contained, and entered while it lives.
pub(crate) struct Task<F: Future<Output = ()> + 'static> {
    contained: Contained<F>,
    place: usize,
    /// Others hold its address.
    _pinned: PhantomPinned,
}

impl<F: Future<Output = ()> + 'static> Task<F> {
    pub(crate) const fn new(task: F) -> Self {
        Self { contained: Contained::new(task), place: NOWHERE, _pinned: PhantomPinned }
    }

    fn contained(self: Pin<&mut Self>) -> Pin<&mut Contained<F>> {
        // SAFETY: the field is pinned with `self`: nothing moves it out.
        unsafe { self.map_unchecked_mut(|this| &mut this.contained) }
    }

    fn enter(self: Pin<&mut Self>, waker: &Waker) {
        // SAFETY: nothing is moved: the address is taken and the place is noted.
        let this = unsafe { self.get_unchecked_mut() };
        let address: NonNull<dyn End> = NonNull::from(&mut *this);
        this.place = TASKS.with_borrow_mut(|places| {
            let place = places.free.pop().unwrap_or_else(|| {
                places.tasks.push(None);
                places.tasks.len() - 1
            });
            places.tasks[place] = Some(Entry { address, waker: waker.clone() });
            place
        });
    }
}

impl<F: Future<Output = ()> + 'static> Future for Task<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.place == NOWHERE {
            if ENDING.get() {
                self.contained().end();
                return Poll::Ready(());
            }
            self.as_mut().enter(cx.waker());
        }
        self.contained().poll(cx)
    }
}

impl<F: Future<Output = ()> + 'static> End for Task<F> {
    fn end(self: Pin<&mut Self>) {
        self.contained().end();
    }
}

impl<F: Future<Output = ()> + 'static> Drop for Task<F> {
    fn drop(&mut self) {
        if self.place == NOWHERE {
            return;
        }
        // The waker is dropped after the borrow: it may be the last, and free the task.
        let entry = TASKS.with_borrow_mut(|places| {
            places.free.push(self.place);
            places.tasks.get_mut(self.place).and_then(Option::take)
        });
        drop(entry);
    }
}

/// Drops the futures of all tasks, and waits until the runtime has ended the tasks themselves. Run by the program
/// itself, not by a task. From now on no new task starts on this thread, until [`start`].
pub(crate) async fn end_all<E: Engine>() {
    ENDING.set(true);
    let mut place = 0;
    while let Some(entry) = TASKS.with_borrow(|places| places.tasks.get(place).cloned()) {
        place += 1;
        if let Some(Entry { mut address, waker }) = entry {
            // SAFETY: a task is at its address until it is dropped, and leaves its place then; the waker keeps it. None
            // is being polled: the caller is not a task.
            let task = unsafe { address.as_mut() };
            // SAFETY: it was pinned when it was polled, and so it stays.
            unsafe { Pin::new_unchecked(task) }.end();
            waker.wake();
        }
    }
    // What the tasks had in flight was cancelled with them: the kernel gives the buffers back, and closes.
    E::sleep_until(E::now() + SETTLE).await;
}

/// Lets tasks start on this thread.
pub(crate) fn start() {
    ENDING.set(false);
}
