//! A small deterministic source of numbers; statistical quality is all that is asked of it.

use std::time::Duration;

/// A stream of numbers that its seed determines.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent stream for `purpose`, derived from this stream's seed without drawing from it.
    #[must_use]
    pub const fn derive(&self, purpose: u64) -> Self {
        Self { state: mix(self.state ^ mix(purpose.wrapping_add(1))) }
    }

    /// Any number.
    pub const fn any(&mut self) -> u64 {
        // A Weyl sequence (step: 2^64 over the golden ratio, made odd) visits every state; mixing hides its order.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number below `bound`; zero if that is zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.any()) * bound as u128;
        // The high half of the product is below `bound`, so it fits.
        usize::try_from(product >> 64).unwrap_or(0)
    }

    /// True in `permille` of 1000 cases.
    pub fn chance(&mut self, permille: u16) -> bool {
        // Nothing is drawn where there is nothing to decide: turning one fault off keeps the others' course.
        permille > 0 && self.below(1000) < usize::from(permille)
    }

    /// A duration from zero up to `most`, in microseconds.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        let micros = usize::try_from(most.as_micros()).unwrap_or(usize::MAX - 1);
        Duration::from_micros(self.below(micros + 1) as u64)
    }
}

/// A bijection of 64 bits in which every input bit changes about half of the output's.
pub(super) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x = (x ^ (x >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^ (x >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_covers_its_range_evenly_and_never_leaves_it() {
        let mut random = Random::new(7);
        let mut seen = [0u32; 10];
        for _ in 0..10_000 {
            seen[random.below(10)] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn derived_streams_differ_and_repeat() {
        let root = Random::new(1);
        let draw = |mut r: Random| [r.any(), r.any(), r.any()];
        assert_eq!(draw(root.derive(1)), draw(root.derive(1)));
        assert_ne!(draw(root.derive(1)), draw(root.derive(2)));
        assert_ne!(draw(root.derive(1)), draw(Random::new(2).derive(1)));
    }
}
