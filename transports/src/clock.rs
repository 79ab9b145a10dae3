//! The machine's monotonic clock as [`Timestamp`]s: one origin for all threads of the process.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use forebay_core::time::Timestamp;

/// The farthest a runtime's timer is set ahead; whoever sleeps longer is woken in between and sleeps on.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 3600);

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Nanoseconds since this process first asked.
pub(crate) fn now() -> Timestamp {
    let origin = origin();
    Timestamp::ZERO + Instant::now().saturating_duration_since(origin)
}

/// When to wake for `deadline`: its instant, or [`SLEEP_MAX`] from now where that is earlier.
pub(crate) fn wake_instant(deadline: Timestamp) -> Instant {
    let now = now();
    origin() + now.since(Timestamp::ZERO) + deadline.since(now).min(SLEEP_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_threads_share_an_origin_and_far_deadlines_do_not_overflow() {
        let before = now();
        let other = std::thread::spawn(now).join().unwrap();
        assert!(before <= other && other <= now());
        assert!(wake_instant(Timestamp::NEVER) <= Instant::now() + SLEEP_MAX);
        assert!(wake_instant(Timestamp::ZERO) <= Instant::now());
    }
}
