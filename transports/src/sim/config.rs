//! What may go wrong in a world, how often, and how large its buffers are.

use std::time::Duration;

use super::Random;

/// A world's rules.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes that fit into one direction of a connection before writes wait, on the way and unread together.
    pub buffer_bytes: usize,
    /// Connections that wait to be accepted on a listener or at a worker before dialling waits.
    pub backlog: usize,
    /// The longest a byte travels where nothing is wrong; each segment takes a random time up to it.
    pub latency_max: Duration,
    /// What may go wrong.
    pub faults: Faults,
    /// Virtual time after which `run` panics, for programs that never become idle.
    pub time_max: Duration,
}

/// What may go wrong, each as a probability in thousandths for every occasion.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A write accepts, or a read brings, fewer bytes than it could.
    pub partial: u16,
    /// An operation that could complete at once lets others run first.
    pub pause: u16,
    /// A segment, and all after it in its direction, takes up to [`stall_max`](Faults::stall_max) longer.
    pub stall: u16,
    /// The longest stall.
    pub stall_max: Duration,
    /// A read or write finds the connection reset, for both ends.
    pub reset: u16,
    /// A dial is refused although a worker listens.
    pub dial_refused: u16,
    /// A dial does not get an answer before its deadline.
    pub dial_hangs: u16,
    /// An accept fails: the client is gone, or no descriptor is free.
    pub accept: u16,
}

impl Default for Config {
    /// The calm world: nothing is late, short or wrong.
    fn default() -> Self {
        Self {
            buffer_bytes: 64 * 1024,
            backlog: 128,
            latency_max: Duration::ZERO,
            faults: Faults::default(),
            time_max: Duration::from_secs(3600),
        }
    }
}

impl Config {
    /// Everything goes wrong, often.
    #[must_use]
    pub fn hostile() -> Self {
        Self {
            buffer_bytes: 4096,
            backlog: 8,
            latency_max: Duration::from_millis(5),
            faults: Faults {
                partial: 300,
                pause: 200,
                stall: 20,
                stall_max: Duration::from_secs(5),
                reset: 5,
                dial_refused: 50,
                dial_hangs: 20,
                accept: 50,
            },
            ..Self::default()
        }
    }

    /// A random subset of the hostile world's faults with random probabilities and buffer sizes: worlds in which only
    /// some things go wrong reach states that a world of constant failure never does.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut random = Random::new(seed).derive(0xC0);
        let mut config = Self::hostile();
        config.buffer_bytes = 1 << (8 + random.below(11));
        config.backlog = 1 + random.below(128);
        config.latency_max = Duration::from_micros(1 << random.below(16));
        let faults = &mut config.faults;
        for permille in [
            &mut faults.partial,
            &mut faults.pause,
            &mut faults.stall,
            &mut faults.reset,
            &mut faults.dial_refused,
            &mut faults.dial_hangs,
            &mut faults.accept,
        ] {
            let kept = random.chance(500);
            let scaled = random.below(usize::from(*permille) * 2 + 1);
            *permille = if kept { u16::try_from(scaled).unwrap_or(1000) } else { 0 };
        }
        config
    }
}
