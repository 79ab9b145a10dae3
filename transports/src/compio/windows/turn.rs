//! Fairness between operations that complete at once.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::compio::engine::yield_now;

/// Operations of a thread that may complete at once in a row before other tasks get a turn. A row ends with one that
/// waits, so a busy connection is held back after as many and an idle one never.
const ROW_MAX: u32 = 32;

thread_local! {
    static ROW: Cell<u32> = const { Cell::new(0) };
}

/// Runs an operation; lets others go first when many have completed at once.
pub(super) async fn fair<T>(operation: impl Future<Output = T>) -> T {
    let mut operation = pin!(operation);
    let at_once = poll_fn(|cx| match operation.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    });
    let Some(value) = at_once.await else {
        ROW.set(0);
        return operation.await;
    };
    ROW.set(ROW.get() + 1);
    if ROW.get() >= ROW_MAX {
        ROW.set(0);
        yield_now().await;
    }
    value
}
