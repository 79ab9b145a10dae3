//! Finds out whether a worker listens, by connecting to it.

use std::time::Duration;

use forebay_core::time::Timestamp;
use forebay_transports::Endpoint;

/// When to try a starting worker's endpoint: every 10 ms at first, growing to 100 ms.
#[derive(Debug)]
pub struct Probe {
    next: Timestamp,
    delay: Duration,
}

impl Probe {
    const DELAY_MIN: Duration = Duration::from_millis(10);
    const DELAY_MAX: Duration = Duration::from_millis(100);

    /// Tries from now on.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { next: now + Self::DELAY_MIN, delay: Self::DELAY_MIN }
    }

    /// When to try next.
    #[must_use]
    pub fn next(&self) -> Timestamp {
        self.next
    }

    /// Tries, if it is time to.
    pub fn poll(&mut self, now: Timestamp, endpoint: &Endpoint) -> bool {
        if now < self.next {
            return false;
        }
        self.delay = (self.delay * 5 / 4).min(Self::DELAY_MAX);
        self.next = now + self.delay;
        endpoint.listens()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_slow_down() {
        let endpoint = Endpoint::new("/no/such/endpoint");
        let mut probe = Probe::new(Timestamp::ZERO);
        let mut now = Timestamp::ZERO;
        let mut gaps = Vec::new();
        for _ in 0..20 {
            gaps.push(probe.next().since(now));
            now = probe.next();
            assert!(!probe.poll(now, &endpoint));
        }
        assert_eq!(gaps[0], Duration::from_millis(10));
        assert_eq!(gaps[19], Duration::from_millis(100));
        assert!(gaps.is_sorted());
    }
}
