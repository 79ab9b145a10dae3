//! How long a worker that failed waits before it is started again: exponential, with jitter, never for ever.

use core::time::Duration;

/// The restart policy of one slot.
///
/// A process that had been ready for [`RECOVERED_AFTER`](Backoff::RECOVERED_AFTER) counts as recovered: the next one
/// starts at once. Any other failure waits `min`, doubling with each failure in a row up to `max`, less a jitter of
/// up to a quarter so that workers which failed together do not start together. It never gives up: a database that is
/// back after an hour finds the workers trying.
///
/// So the time between two automatic starts is at least ¾ `min` or one second, whichever rule applied, and a slot
/// whose processes always fail early starts at most once per ¾ `max` in the long run.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Being ready for this long makes a process count as recovered.
    pub const RECOVERED_AFTER: Duration = Duration::from_secs(1);
    /// Least delay whatever the configuration says: below it, a broken application would be a fork bomb.
    pub const DELAY_MIN: Duration = Duration::from_millis(10);

    /// A policy that waits `min` first and `max` at most. `min` is raised to [`DELAY_MIN`](Backoff::DELAY_MIN), `max`
    /// to `min`.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.max(Self::DELAY_MIN);
        Self { min, max: max.max(min), failures: 0 }
    }

    /// A process ended without being asked to: the time until the next one starts. `random` is uniform over `u32`.
    pub fn on_failure(&mut self, recovered: bool, random: u32) -> Duration {
        if recovered {
            self.failures = 0;
            return Duration::ZERO;
        }
        let doublings = self.failures.min(30);
        self.failures = self.failures.saturating_add(1);
        let full = self.min.saturating_mul(1 << doublings).min(self.max);
        full - (full / 4).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Forgets all failures: somebody asked for a fresh start.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row without recovery.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn doubles_up_to_its_maximum_and_never_ends() {
        let mut backoff = Backoff::new(MS(100), MS(1000));
        let delays: Vec<_> = (0..6).map(|_| backoff.on_failure(false, 0).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
        for _ in 0..100 {
            assert_eq!(backoff.on_failure(false, 0), MS(1000));
        }
    }

    #[test]
    fn jitter_takes_at_most_a_quarter() {
        let mut backoff = Backoff::new(MS(100), MS(100));
        assert_eq!(backoff.on_failure(false, u32::MAX), MS(75));
        assert_eq!(backoff.on_failure(false, 0), MS(100));
        let half = backoff.on_failure(false, u32::MAX / 2);
        assert!(half > MS(87) && half < MS(88), "{half:?}");
    }

    #[test]
    fn recovery_starts_at_once_and_forgets() {
        let mut backoff = Backoff::new(MS(100), MS(1000));
        backoff.on_failure(false, 0);
        backoff.on_failure(false, 0);
        assert_eq!(backoff.on_failure(true, 0), Duration::ZERO);
        assert_eq!(backoff.on_failure(false, 0), MS(100));
    }

    #[test]
    fn a_zero_minimum_is_no_fork_bomb() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(backoff.on_failure(false, 0), Backoff::DELAY_MIN);
    }
}
