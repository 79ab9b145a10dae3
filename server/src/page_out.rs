//! Gives the memory of workers back while nobody wants anything of them.
//!
//! After a time without a request, and again after each such time, the kernel is asked to move their pages out of RAM:
//! `process_madvise(MADV_PAGEOUT)`, or `memory.reclaim` of the control group where that is refused and nobody else is in
//! it; on Windows their working sets are emptied. What is needed again comes back page by page. Anonymous memory, a heap, has to have somewhere to go: without swap
//! (or zswap, zram) only pages of files leave, and of those only what no other process uses.
//!
//! What it deliberately does not do: touch Forebay itself, which is small, or a worker that has something in flight.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use forebay_core::time::Timestamp;
use forebay_core::worker::journey::Span;
use tracing::{info, warn};

use crate::spawn::{Resident, reclaim};

/// Since when nobody wants anything.
#[derive(Clone, Copy, Debug, Default)]
struct Idle {
    since: Timestamp,
    requests: u64,
}

impl Idle {
    /// Whether nothing has been wanted for so long, since it was last said or last wanted. `requests` counts all there
    /// ever were.
    fn poll(&mut self, now: Timestamp, requests: u64, is_busy: bool, after: Duration) -> bool {
        if is_busy || requests != self.requests {
            *self = Self { since: now, requests };
        }
        let is_due = now.since(self.since) >= after;
        if is_due {
            self.since = now;
        }
        is_due
    }
}

/// What the supervisor knows about it.
#[derive(Debug, Default)]
pub struct PageOut {
    idle: Idle,
    /// The one who is at it.
    thread: Option<JoinHandle<Option<&'static str>>>,
    /// What was said last about its not working.
    said: Option<&'static str>,
}

impl PageOut {
    /// Whether it is time to. `requests` counts all there ever were.
    pub fn poll(&mut self, now: Timestamp, requests: u64, is_busy: bool, after: Duration) -> bool {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(Ok(why)) = self.thread.take().map(JoinHandle::join)
        {
            // Once; it is the same every time.
            if let Some(why) = why.filter(|why| self.said != Some(why)) {
                warn!(target: "forebay", "workers.page_out_after: {why}");
            }
            self.said = why.or(self.said);
        }
        self.idle.poll(now, requests, is_busy, after) && self.thread.is_none()
    }

    /// Pages out these processes, on a thread of its own.
    pub(crate) fn start(&mut self, residents: Vec<Resident>, after: Duration) {
        if residents.is_empty() {
            return;
        }
        let work = move || page_out(&residents, after);
        let thread = thread::Builder::new().name("page out".into()).stack_size(256 * 1024).spawn(work);
        self.thread =
            thread.inspect_err(|error| warn!(target: "forebay", "workers.page_out_after: no thread: {error}")).ok();
    }
}

/// Does it; why it did not work, if it did not.
fn page_out(residents: &[Resident], after: Duration) -> Option<&'static str> {
    let resident = || residents.iter().map(Resident::resident_bytes).sum::<u64>();
    let before = resident();
    let mut refused = None;
    for process in residents {
        refused = process.page_out().err().or(refused);
    }
    if refused.is_some() && reclaim(residents, before) {
        refused = None;
    }
    if refused.is_some() {
        return refused;
    }
    let (processes, now, after) = (residents.len(), resident(), Span(after));
    let mb = |bytes: u64| bytes / 1_000_000;
    info!(
        target: "forebay",
        "nothing was wanted for {after}: {processes} process(es) paged out, {} MB resident are {} MB",
        mb(before),
        mb(now)
    );
    (now > before / 10 * 9).then_some(
        "the workers' memory has nowhere to go: without swap only pages of files leave, and of those only what no other \
         process uses",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_time_after_each_such_time_without_a_request() {
        let after = Duration::from_secs(60);
        let at = |s: u64| Timestamp::from_nanos(s * 1_000_000_000);
        let mut idle = Idle::default();
        // Time, requests ever, busy, due.
        for (s, requests, is_busy, due) in [
            (10, 0, false, false),
            (59, 0, false, false),
            (60, 0, false, true),
            (61, 0, false, false),
            (120, 0, false, true),
            (170, 1, false, false),
            (180, 1, false, false),
            (229, 1, true, false),
            (230, 1, false, false),
            (288, 1, false, false),
            (289, 1, false, true),
        ] {
            assert_eq!(idle.poll(at(s), requests, is_busy, after), due, "at {s} s");
        }
    }
}
