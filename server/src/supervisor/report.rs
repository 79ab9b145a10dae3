//! What the supervisor says in the log: one line for each transition, and the whole story for a failed start.

use std::time::{Duration, SystemTime};

use forebay_core::id::WorkerId;
use forebay_core::time::Timestamp;
use forebay_core::worker::journey::Span;
use forebay_core::worker::{Exit, Journey, Report, State};
use tracing::{error, info, warn};

use crate::app_log::errors::{Failure, excerpt};
use crate::bulletin::Feed;

/// What is known about a worker when something is to be said about it.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Who.
    pub worker: WorkerId,
    /// Now.
    pub now: Timestamp,
    /// Its process.
    pub journey: &'a Journey,
    /// The state after the transition.
    pub state: State,
    /// Until the next start, when one is due.
    pub delay: Duration,
    /// Failures in a row.
    pub failures: u32,
    /// Whether the start before failed in the same way.
    pub is_repeated: bool,
    /// Where it is pinned.
    pub cpu: Option<usize>,
    /// Its requests in flight at that moment.
    pub in_flight: u32,
    /// Its upgraded connections at that moment.
    pub tunnels: u32,
    /// How it is fed frames, if it is.
    pub feed: Option<Feed>,
    /// What it did wrong, when it is recycled.
    pub why: &'a str,
}

impl Facts<'_> {
    fn next(&self) -> String {
        match self.state {
            State::Backoff => format!(", next start in {}", Span(self.delay)),
            State::Down
            | State::Starting
            | State::Ready
            | State::Draining
            | State::Stuck
            | State::Stopping
            | State::Failed => String::new(),
        }
    }

    fn exit(&self) -> String {
        self.journey.exit().map_or_else(|| "still there".to_string(), |exit| exit.to_string())
    }

    fn pid(&self) -> String {
        self.journey.pid().map_or_else(|| "no pid".to_string(), |pid| format!("pid {pid}"))
    }

    /// How requests reach it.
    fn way(&self) -> String {
        let Some(feed) = self.feed else { return "http".into() };
        feed.version.map_or_else(|| "frames".into(), |version| format!("frames, node {version}"))
    }

    fn attempt(&self) -> String {
        let in_a_row = if self.failures > 1 { format!(", failure {} in a row", self.failures) } else { String::new() };
        format!("{in_a_row}{}", self.next())
    }
}

/// Says it.
pub fn report(what: Report, facts: &Facts<'_>) {
    let (w, pid) = (facts.worker, facts.pid());
    let uptime = Span(facts.journey.uptime(facts.now));
    match what {
        Report::Ready => {
            let cpu = facts.cpu.map_or_else(|| "not pinned".to_string(), |cpu| format!("cpu {cpu}"));
            let took = Span(facts.journey.start_time().unwrap_or_default());
            info!(target: "forebay", "worker {w} ready: {pid}, {}, {cpu}, {took}", facts.way());
        }
        Report::SpawnFailed | Report::ExitedEarly | Report::NeverListened => {
            let (attempt, journey) = (facts.attempt(), facts.journey);
            if facts.is_repeated {
                error!(target: "forebay", "worker {w} failed to start{attempt}: as before, {}", journey.summary());
            } else {
                error!(target: "forebay", "worker {w} failed to start{attempt}: {}", journey.render());
            }
        }
        Report::Crashed => {
            let hint = facts.journey.hint().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
            let (exit, next, in_flight) = (facts.exit(), facts.next(), facts.in_flight);
            // Nobody asked for it, so it is started again like any other; but nothing went wrong in it.
            let did = if facts.journey.exit() == Some(Exit::Code(0)) { "ended by itself" } else { "crashed" };
            warn!(target: "forebay", "worker {w} {did}: {pid}, {exit}, up {uptime}, {in_flight} in flight{next}{hint}");
        }
        Report::Recycled => {
            let (why, in_flight) = (facts.why, facts.in_flight);
            warn!(target: "forebay", "worker {w} is started again: {pid} {why}, {in_flight} in flight, up {uptime}");
        }
        Report::Stuck => {
            let stuck = facts.journey.stuck().cloned().unwrap_or_default();
            let (silence, in_flight) = (Span(stuck.silence), facts.in_flight);
            error!(
                target: "forebay",
                "worker {w} hangs: {pid} has not turned its event loop for {silence}, {in_flight} in flight, up {uptime}; \
                 it is killed{}",
                stuck.render()
            );
        }
        Report::Stopped => {
            info!(target: "forebay", "worker {w} stopped: {pid}, {}, up {uptime}{}", facts.exit(), facts.next());
        }
        Report::Refused => {
            warn!(target: "forebay", "worker {w} not ready: {pid} is there but does not listen any more, up {uptime}");
        }
        Report::Draining => {
            let (in_flight, tunnels) = (facts.in_flight, facts.tunnels);
            info!(target: "forebay", "worker {w} draining: {pid}, {in_flight} in flight, {tunnels} upgraded");
        }
        Report::DrainCut => {
            let (in_flight, tunnels) = (facts.in_flight, facts.tunnels);
            warn!(
                target: "forebay",
                "worker {w} drained too long: {in_flight} in flight and {tunnels} upgraded connections are cut"
            );
        }
        Report::Killed => {
            warn!(target: "forebay", "worker {w} killed: {pid} did not end in time after SIGTERM");
        }
    }
}

/// What is written down for good of a process that failed, with the last it said on stderr; none if it did not fail.
pub fn failure(what: Report, facts: &Facts<'_>, last: Option<String>) -> Option<Failure> {
    let (journey, stderr) = (facts.journey, last.unwrap_or_default());
    let (cause, mut details) = excerpt(&stderr);
    let end = || format!("{}, {}", cause.unwrap_or("crashed"), facts.exit());
    let stuck;
    let what = match (what, journey.exit()) {
        (Report::Crashed | Report::ExitedEarly, exit) if exit != Some(Exit::Code(0)) => end(),
        // Asked to end, it threw: with these codes node ends then.
        (Report::Stopped, Some(Exit::Code(1 | 6 | 7))) if cause.is_some() => end(),
        (Report::Stuck, _) => {
            let found = journey.stuck().cloned().unwrap_or_default();
            stuck = found.render();
            details = &stuck;
            format!("hangs, its event loop has not turned for {}", Span(found.silence))
        }
        (Report::SpawnFailed | Report::NeverListened, _) => journey.summary(),
        _ => return None,
    };
    let details = if facts.is_repeated { "as before" } else { details };
    Some(Failure {
        at: SystemTime::now(),
        worker: format!("worker {}", facts.worker),
        pid: journey.pid(),
        what: format!("{what}, up {}", Span(journey.uptime(facts.now))),
        details: details.to_owned(),
    })
}

/// Lets something be said once in a while, and counts what was not said.
#[derive(Debug, Default)]
pub struct Throttle {
    until: Timestamp,
    unsaid: u64,
}

impl Throttle {
    /// Between two lines.
    pub const QUIET: Duration = Duration::from_secs(10);

    /// Whether it may be said now, and how often it was not said since the last time.
    pub fn poll(&mut self, now: Timestamp) -> Option<u64> {
        if now < self.until {
            self.unsaid += 1;
            return None;
        }
        self.until = now + Self::QUIET;
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_counts_what_it_keeps_back() {
        let at = |s: u64| Timestamp::from_nanos(s * 1_000_000_000);
        let mut throttle = Throttle::default();
        let said: Vec<_> = [0, 1, 9, 10, 11, 20, 40].map(|s| throttle.poll(at(s))).to_vec();
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1), Some(0)]);
    }
}
