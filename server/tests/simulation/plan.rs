//! What a seed stands for: the bounds of the shards, how many of everybody there are, and what goes wrong.

use std::time::Duration;

use forebay_core::limits::Limits;
use forebay_core::time::Timestamp;
use forebay_transports::Engine;
use forebay_transports::sim::{self, Config, Random, Sim};

/// A world to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) shards: usize,
    pub(crate) slots: u16,
    pub(crate) clients: u64,
    pub(crate) limits: Limits,
    pub(crate) config: Config,
    /// Virtual time with faults.
    pub(crate) safety: Duration,
    /// How often a worker misbehaves, in thousandths of its requests.
    pub(crate) mischief: u16,
    /// How often a client does, in thousandths of its connections.
    pub(crate) rudeness: u16,
    /// How often a slot's process meets its fate; 0: they all stay as they are.
    pub(crate) fates: bool,
    /// What the world is like.
    pub(crate) kind: Kind,
    /// How many processes speak frames, in thousandths; 0: shards let nobody dial in.
    pub(crate) frames: u16,
    /// Whether requests wait for such a process.
    pub(crate) frames_only: bool,
}

/// What a world is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything may happen.
    Any,
    /// Nothing goes wrong that would be a reason for a 502 or a 504.
    Benign,
    /// Connections that were kept fail, but no request twice: what may be tried again is answered.
    Forgiving,
    /// The workers' doors are open and they accept nobody.
    Deaf,
    /// The server drains while clients are still busy.
    Drains,
    /// The workers are somebody else's.
    External,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed).derive(0xF0);
        let mut config = Config::random(seed);
        config.time_max = Duration::from_secs(24 * 3600);
        let mut between = |low: u64, high: u64| low + random.below(usize::try_from(high - low + 1).unwrap()) as u64;
        let (head_bytes_max, body_bytes_max) =
            (between(700, 4000) as u32, if between(0, 2) == 0 { 0 } else { between(2_000, 60_000) });
        let limits = Limits {
            head_bytes_max,
            fields_max: 20,
            body_bytes_max,
            chunked_body_bytes_max: body_bytes_max,
            head_timeout: Duration::from_millis(between(100, 2000)),
            body_idle_timeout: Duration::from_millis(between(200, 2000)),
            keep_alive_timeout: Duration::from_millis(between(50, 3000)),
            send_timeout: Duration::from_millis(between(200, 3000)),
            response_start_timeout: Duration::from_millis(between(200, 3000)),
            response_idle_timeout: Duration::from_millis(between(200, 3000)),
            tunnel_idle_timeout: Duration::from_millis(between(500, 5000)),
            connections_max: if between(0, 3) == 0 { between(1, 10) as u32 } else { 1000 },
            in_flight_max: if between(0, 2) == 0 { 1 } else { between(1, 20) as u32 },
            queue_max: if between(0, 2) == 0 { between(0, 3) as u32 } else { 100 },
            queue_timeout: Duration::from_millis(between(50, 3000)),
            ready_wait_timeout: Duration::from_millis(between(50, 3000)),
            dial_timeout: Duration::from_millis(between(50, 1000)),
            attempts_max: between(1, 4) as u8,
            replay_bytes_max: if between(0, 2) == 0 { between(0, 1000) as u32 } else { 64 * 1024 },
            window_bytes: if between(0, 2) == 0 { between(1, 1000) as u32 } else { 1 << between(10, 18) },
            upstream_idle_max: between(0, 4) as u32,
            upstream_idle_timeout: Duration::from_millis(between(100, 5000)),
        };
        let kind = match between(0, 15) {
            0..=2 => Kind::Benign,
            3 => Kind::Deaf,
            4 => Kind::Drains,
            5 => Kind::External,
            6 => Kind::Forgiving,
            _ => Kind::Any,
        };
        let mut plan = Self {
            shards: between(1, 2) as usize,
            slots: between(1, 4) as u16,
            clients: if between(0, 3) == 0 { between(10, 20) } else { between(1, 8) },
            limits,
            config,
            safety: Duration::from_secs(between(5, 90)),
            mischief: [0, 100, 300, 700][between(0, 3) as usize],
            rudeness: [0, 200, 600][between(0, 2) as usize],
            fates: between(0, 3) > 0,
            kind,
            frames: 0,
            frames_only: false,
        };
        plan.draw_frames(seed);
        plan.adapt();
        plan
    }

    /// Apart from all else, so that a world without frames is what it always was.
    fn draw_frames(&mut self, seed: u64) {
        let mut random = Random::new(seed).derive(0xFB);
        self.frames = [0, 0, 500, 1000, 1000][random.below(5)];
        self.frames_only = self.frames == 1000 && random.chance(300);
        if self.frames > 0 {
            // The least that can be announced.
            self.limits.window_bytes = self.limits.window_bytes.max(1024);
        }
    }

    fn adapt(&mut self) {
        if matches!(self.kind, Kind::Benign | Kind::Forgiving) {
            let faults = &mut self.config.faults;
            (faults.stall, faults.reset, faults.accept) = (0, 0, 0);
            (faults.dial_refused, faults.dial_hangs) = (0, 0);
            (self.mischief, self.fates) = (400, false);
            // A worker that sends what nobody takes is slow through no fault of its own.
            self.limits.response_start_timeout = Duration::from_secs(10);
            self.limits.response_idle_timeout = Duration::from_secs(10);
            self.limits.dial_timeout = Duration::from_secs(10);
        }
        match self.kind {
            Kind::Benign => {
                // Nothing has to be tried again: there is nothing to be forgiven.
                self.limits.attempts_max = 1;
                self.limits.window_bytes = self.limits.window_bytes.max(16 * 1024);
                self.config.buffer_bytes = self.config.buffer_bytes.min(16 * 1024);
            }
            Kind::Forgiving => {
                (self.limits.attempts_max, self.limits.replay_bytes_max) = (4, 64 * 1024);
                self.limits.upstream_idle_max = 4;
            }
            Kind::Deaf => (self.config.backlog, self.fates, self.safety) = (1, false, Duration::from_secs(100)),
            Kind::Any | Kind::Drains | Kind::External => {}
        }
    }

    /// The longest time that what was sent may travel.
    pub(crate) fn travel(&self) -> Duration {
        let faults = &self.config.faults;
        self.config.latency_max + if faults.stall > 0 { faults.stall_max } else { Duration::ZERO }
    }
}

/// A number below `bound`, from the world's dice.
pub(crate) fn below(bound: u64) -> u64 {
    if bound == 0 { 0 } else { sim::random() % bound }
}

/// True in `permille` of 1000 cases.
pub(crate) fn chance(permille: u16) -> bool {
    below(1000) < u64::from(permille)
}

/// Sleeps for a random time up to `ms` milliseconds.
pub(crate) async fn nap(ms: u64) {
    Sim::sleep_until(Sim::now() + Duration::from_micros(below(ms * 1000 + 1))).await;
}

pub(crate) async fn sleep(wait: Duration) {
    Sim::sleep_until(Sim::now() + wait).await;
}

pub(crate) fn now() -> Timestamp {
    Sim::now()
}
