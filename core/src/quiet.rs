//! Waits until something that comes in bursts is over: files that are being copied, say.

use core::time::Duration;

use crate::time::Timestamp;

/// Over when nothing has come for a while, or when it has gone on for too long.
#[derive(Clone, Copy, Debug)]
pub struct Quiet {
    pause: Duration,
    patience: Duration,
    /// When the first and the last of a burst came.
    burst: Option<(Timestamp, Timestamp)>,
}

impl Quiet {
    /// Bursts end with a pause of this length, and are taken to be over after `patience` in any case.
    #[must_use]
    pub fn new(pause: Duration, patience: Duration) -> Self {
        Self { pause, patience, burst: None }
    }

    /// One of them has come.
    pub fn on_event(&mut self, now: Timestamp) {
        let began = self.burst.map_or(now, |(began, _)| began);
        self.burst = Some((began, now));
    }

    /// When it is over, if nothing else comes; none if there is nothing.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let (began, last) = self.burst?;
        Some((last + self.pause).min(began + self.patience))
    }

    /// Whether a burst is over; once for each.
    pub fn poll(&mut self, now: Timestamp) -> bool {
        let is_over = self.due().is_some_and(|due| now >= due);
        if is_over {
            self.burst = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn quiet() -> Quiet {
        Quiet::new(Duration::from_millis(200), Duration::from_secs(2))
    }

    #[test]
    fn a_burst_is_over_after_a_pause_and_counts_once() {
        let mut quiet = quiet();
        assert_eq!((quiet.due(), quiet.poll(at(5))), (None, false));
        quiet.on_event(at(10));
        quiet.on_event(at(150));
        assert_eq!(quiet.due(), Some(at(350)));
        assert!(!quiet.poll(at(349)) && quiet.poll(at(350)) && !quiet.poll(at(999)));
    }

    #[test]
    fn a_burst_without_end_is_not_waited_for() {
        let mut quiet = quiet();
        for ms in (0..3000).step_by(100) {
            quiet.on_event(at(ms));
            if quiet.poll(at(ms)) {
                return assert_eq!(ms, 2000);
            }
        }
        panic!("it was waited for");
    }
}
