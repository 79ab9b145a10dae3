//! Waiting for a level, with a deadline that only a broken server meets.

use std::time::{Duration, Instant};

/// Nothing here takes longer on a machine that works at all, however busy it is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until `level` gives something.
pub(crate) fn until_some<T>(what: &str, mut level: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = level() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Looks again and again until `level` is reached.
pub(crate) fn until(what: &str, mut level: impl FnMut() -> bool) {
    until_some(what, || level().then_some(()));
}
