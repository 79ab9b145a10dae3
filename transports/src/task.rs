//! A task whose panic ends it alone.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Polls a task until it completes or panics; a panic is logged, and the task is over.
///
/// A wrapper of its own rather than a future combinator: it adds one byte to a task and allocates nothing.
pub(crate) struct Contained<F>(Option<F>);

impl<F: Future<Output = ()>> Contained<F> {
    pub(crate) const fn new(task: F) -> Self {
        Self(Some(task))
    }

    fn field(self: Pin<&mut Self>) -> Pin<&mut Option<F>> {
        // SAFETY: the field is pinned with `self`: it is only polled in place and dropped in place, never moved out.
        unsafe { self.map_unchecked_mut(|this| &mut this.0) }
    }

    /// Drops the task, where it is; a panic in a destructor is contained as well. Polled again, it is over.
    pub(crate) fn end(self: Pin<&mut Self>) {
        let mut field = self.field();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| field.set(None))) {
            log(&*panic);
        }
    }
}

impl<F: Future<Output = ()>> Future for Contained<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut field = self.as_mut().field();
        let polled = catch_unwind(AssertUnwindSafe(|| match field.as_mut().as_pin_mut() {
            Some(task) => task.poll(cx),
            None => Poll::Ready(()),
        }));
        match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => {}
            Err(panic) => log(&*panic),
        }
        self.end();
        Poll::Ready(())
    }
}

fn log(panic: &(dyn Any + Send)) {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)");
    tracing::error!(panic = message, "a task panicked and was ended; this is a bug in forebay, please report it");
}
