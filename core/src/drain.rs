//! When a drain is over, and what comes next at shutdown.
//!
//! Pure decisions over counts and deadlines that are handed in. [`Drain`] is for one worker that is replaced,
//! [`Shutdown`] for the whole server.

use core::time::Duration;

use crate::time::Timestamp;

/// What a worker still has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests in flight.
    pub in_flight: u32,
    /// Upgraded connections.
    pub tunnels: u32,
}

impl Load {
    /// Whether there is nothing left.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Whether a worker may be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not yet; ask again when the load changed, or at this time.
    Wait(Timestamp),
    /// It has nothing left.
    Done,
    /// It has this left, and no time for it.
    Cut(Load),
}

/// One worker's drain. Requests and upgraded connections have deadlines of their own, because a WebSocket may well
/// live for ever.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    requests_until: Timestamp,
    tunnels_until: Timestamp,
}

impl Drain {
    /// A drain that begins now.
    #[must_use]
    pub fn new(now: Timestamp, requests: Duration, tunnels: Duration) -> Self {
        Self { requests_until: now + requests, tunnels_until: now + tunnels }
    }

    /// Whether the worker may be stopped.
    #[must_use]
    pub fn poll(&self, now: Timestamp, load: Load) -> Verdict {
        if load.is_none() {
            return Verdict::Done;
        }
        let waits = [(load.in_flight, self.requests_until), (load.tunnels, self.tunnels_until)];
        match waits.into_iter().filter(|&(left, until)| left > 0 && now < until).map(|(_, until)| until).min() {
            Some(until) => Verdict::Wait(until),
            None => Verdict::Cut(load),
        }
    }
}

/// What clients still want from the server, over all shards and workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Requests in flight in workers.
    pub in_flight: u64,
    /// Requests that wait for a worker.
    pub waiting: u64,
    /// Clients connected, upgraded connections not counted.
    pub connections: u64,
}

/// The workers' processes that exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    /// All of them.
    pub up: usize,
    /// Those among them that were killed and have yet to vanish.
    pub killed: usize,
}

/// What the server does on its way out. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// No new clients; what is in flight is finished.
    Drain,
    /// Workers are asked to end, and killed when they do not.
    Stop,
    /// Workers are killed.
    Kill,
    /// No worker is left: shards end, then the server.
    End,
}

/// The way out: stop accepting, wait for what is in flight, SIGTERM, SIGKILL, end.
#[derive(Clone, Debug)]
pub struct Shutdown {
    step: Step,
    began: Timestamp,
    until: Timestamp,
    /// Since when there is nobody left but those who were killed.
    killed_since: Option<Timestamp>,
    quiet_since: Option<Timestamp>,
}

impl Shutdown {
    /// Nothing must be left for this long before the drain counts as over: a shard that has not yet seen that the
    /// server drains may be accepting a client whom nobody counted.
    pub const SETTLE: Duration = Duration::from_millis(250);

    /// What a killed process gets to vanish before the server ends without it (uninterruptible sleep, a dead NFS).
    pub const VANISH: Duration = Duration::from_secs(5);

    /// A shutdown that begins now and gives clients at most `drain`. How long workers have until they are killed is
    /// their life cycles' to say.
    #[must_use]
    pub fn new(now: Timestamp, drain: Duration) -> Self {
        Self { step: Step::Drain, began: now, until: now + drain, killed_since: None, quiet_since: None }
    }

    /// Time since it began.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.began)
    }

    /// Asked again: no more patience.
    pub fn on_asked_again(&mut self) {
        self.step = self.step.max(Step::Kill);
    }

    /// What is to be done now.
    pub fn poll(&mut self, now: Timestamp, left: Left, processes: Processes) -> Step {
        if self.step == Step::Drain {
            self.quiet_since = if left == Left::default() { self.quiet_since.or(Some(now)) } else { None };
            let settled = self.quiet_since.is_some_and(|since| now.since(since) >= Self::SETTLE);
            if settled || now >= self.until {
                self.step = Step::Stop;
            }
        }
        if self.step >= Step::Stop {
            let Processes { up, killed } = processes;
            self.killed_since = if killed == up { self.killed_since.or(Some(now)) } else { None };
            let is_given_up = self.killed_since.is_some_and(|since| now.since(since) >= Self::VANISH);
            if up == 0 || is_given_up {
                self.step = Step::End;
            }
        }
        self.step
    }

    /// When the drain ends whatever is left.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_drain_waits_for_requests_and_tunnels_apart() {
        let drain = Drain::new(at(0), Duration::from_secs(30), Duration::from_secs(300));
        let load = |in_flight, tunnels| Load { in_flight, tunnels };
        let table = [
            (0, load(0, 0), Verdict::Done),
            (0, load(1, 0), Verdict::Wait(at(30))),
            (29, load(1, 1), Verdict::Wait(at(30))),
            (30, load(1, 0), Verdict::Cut(load(1, 0))),
            (30, load(1, 1), Verdict::Wait(at(300))),
            (30, load(0, 1), Verdict::Wait(at(300))),
            (300, load(0, 1), Verdict::Cut(load(0, 1))),
            (300, load(0, 0), Verdict::Done),
        ];
        for (now, load, expected) in table {
            assert_eq!(drain.poll(at(now), load), expected, "{load:?} at {now} s");
        }
    }

    #[test]
    fn a_drain_without_time_is_over_at_once() {
        let drain = Drain::new(at(5), Duration::ZERO, Duration::ZERO);
        let load = Load { in_flight: 1, tunnels: 1 };
        assert_eq!(drain.poll(at(5), load), Verdict::Cut(load));
    }

    /// So many processes, none of them killed.
    fn alive(up: usize) -> Processes {
        Processes { up, killed: 0 }
    }

    #[test]
    fn shutdown_takes_its_steps_in_order() {
        let mut shutdown = Shutdown::new(at(0), Duration::from_secs(30));
        let busy = Left { connections: 1, ..Left::default() };
        assert_eq!(shutdown.poll(at(0), Left::default(), alive(2)), Step::Drain, "must settle first");
        assert_eq!(shutdown.poll(at(1), busy, alive(2)), Step::Drain, "not quiet any more");
        assert_eq!(shutdown.poll(at(2), Left::default(), alive(2)), Step::Drain);
        assert_eq!(shutdown.poll(at(3), Left::default(), alive(2)), Step::Stop);
        assert_eq!(shutdown.poll(at(3), busy, alive(1)), Step::Stop, "steps are not taken back");
        assert_eq!(shutdown.poll(at(4), busy, alive(0)), Step::End);
    }

    #[test]
    fn shutdown_does_not_wait_longer_than_allowed() {
        let mut shutdown = Shutdown::new(at(0), Duration::from_secs(30));
        let busy = Left { in_flight: 1, ..Left::default() };
        assert_eq!(shutdown.poll(at(29), busy, alive(1)), Step::Drain);
        assert_eq!(shutdown.poll(at(30), busy, alive(1)), Step::Stop);
    }

    #[test]
    fn a_worker_that_cannot_be_killed_does_not_hold_up_the_end() {
        let mut shutdown = Shutdown::new(at(0), Duration::ZERO);
        let (one, both) = (Processes { up: 2, killed: 1 }, Processes { up: 2, killed: 2 });
        assert_eq!(shutdown.poll(at(1), Left::default(), one), Step::Stop);
        assert_eq!(shutdown.poll(at(100), Left::default(), one), Step::Stop, "one of them may still end by itself");
        assert_eq!(shutdown.poll(at(101), Left::default(), both), Step::Stop, "it has as long as any other");
        assert_eq!(shutdown.poll(at(105), Left::default(), both), Step::Stop);
        assert_eq!(shutdown.poll(at(106), Left::default(), both), Step::End);
    }

    #[test]
    fn asking_again_kills() {
        let mut shutdown = Shutdown::new(at(0), Duration::from_secs(30));
        shutdown.on_asked_again();
        let waiting = Left { waiting: 1, ..Left::default() };
        assert_eq!(shutdown.poll(at(0), waiting, alive(1)), Step::Kill);
        assert_eq!(shutdown.poll(at(0), waiting, Processes { up: 1, killed: 1 }), Step::Kill);
        assert_eq!(shutdown.poll(at(5), waiting, Processes { up: 1, killed: 1 }), Step::End, "it cannot be killed");
        shutdown.on_asked_again();
        assert_eq!(shutdown.poll(at(5), Left::default(), alive(0)), Step::End);
    }
}
