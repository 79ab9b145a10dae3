//! What rounds came to: one number a round, medians and spread over them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::contender::Kind;
use super::load::Outcome;
use super::process::Tree;
use super::reply::Reply;
use crate::spawn::{self, Machine, Usage};

/// Clocks that are read before and after a round.
pub(super) struct Clocks {
    contender: Usage,
    own: Duration,
    machine: Machine,
}

impl Clocks {
    /// What they show now.
    pub(super) fn read(tree: &Tree) -> Self {
        Self { contender: tree.usage(), own: spawn::own_cpu(), machine: spawn::machine() }
    }
}

/// One round of one contender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Requests a second that were answered.
    pub(super) rps: f64,
    /// CPU time of the contender's process tree per request, in microseconds.
    pub(super) cpu_us: f64,
    /// Median latency in milliseconds.
    pub(super) p50_ms: f64,
    /// The latency below which 99 % were, in milliseconds.
    pub(super) p99_ms: f64,
    /// Resident memory of the tree.
    pub(super) rss_mib: f64,
    /// Requests that failed.
    pub(super) failed: u64,
    /// CPU time of the load generator per request, in microseconds.
    pub(super) generator_us: f64,
    /// How busy the load generator was, of one vCPU.
    pub(super) generator_share: f64,
    /// Share of the machine's CPU time that was neither the contender's nor ours, nor idle.
    pub(super) others_share: f64,
}

impl Sample {
    /// From what the clocks showed before and after a round.
    pub(super) fn new(before: &Clocks, after: &Clocks, outcome: &Outcome) -> Self {
        let seconds = outcome.elapsed.as_secs_f64().max(1e-3);
        let requests = outcome.requests.max(1) as f64;
        let cpu = after.contender.cpu.saturating_sub(before.contender.cpu).as_secs_f64();
        let own = after.own.saturating_sub(before.own).as_secs_f64();
        let busy = after.machine.busy.saturating_sub(before.machine.busy).as_secs_f64();
        let idle = after.machine.idle.saturating_sub(before.machine.idle).as_secs_f64();
        let latency_ms = |share: f64| outcome.latency_us.value_at_quantile(share) as f64 / 1e3;
        Self {
            rps: outcome.requests as f64 / seconds,
            cpu_us: cpu * 1e6 / requests,
            p50_ms: latency_ms(0.5),
            p99_ms: latency_ms(0.99),
            rss_mib: after.contender.resident_bytes as f64 / f64::from(1 << 20),
            failed: outcome.failed(),
            generator_us: own * 1e6 / requests,
            generator_share: own / seconds,
            others_share: ((busy - cpu - own) / (busy + idle).max(1e-3)).max(0.0),
        }
    }
}

/// All rounds of one contender.
pub(super) struct Row {
    /// Whose.
    pub(super) kind: Kind,
    /// Round by round.
    pub(super) samples: Vec<Sample>,
    /// What went wrong, over all rounds.
    pub(super) failures: BTreeMap<String, u64>,
    /// What it answered at first, one answer after another.
    pub(super) replies: Vec<Reply>,
    /// Whether it listens where PORT says.
    pub(super) heeds_port: bool,
    /// Why it was left out.
    pub(super) skipped: Option<String>,
}

impl Row {
    /// Nothing measured yet.
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            samples: Vec::new(),
            failures: BTreeMap::new(),
            replies: Vec::new(),
            heeds_port: true,
            skipped: None,
        }
    }

    /// The median over the rounds.
    pub(super) fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        let mut values: Vec<f64> = self.samples.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        match values.len() {
            0 => 0.0,
            n if n % 2 == 1 => values[n / 2],
            n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
        }
    }

    /// Half the distance between the lowest and the highest round, as a share of the median; none from one round.
    pub(super) fn spread(&self, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        let low = self.samples.iter().map(&of).fold(f64::INFINITY, f64::min);
        let high = self.samples.iter().map(&of).fold(0.0, f64::max);
        let median = self.median(of);
        (self.samples.len() > 1 && median > 0.0).then(|| (high - low) / 2.0 / median)
    }

    /// Requests that failed, over all rounds.
    pub(super) fn failed(&self) -> u64 {
        self.samples.iter().map(|sample| sample.failed).sum()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Rows with these requests a second and microseconds, round by round.
    pub(in crate::bench) fn row(kind: Kind, rounds: &[(f64, f64)]) -> Row {
        let sample = |&(rps, cpu_us): &(f64, f64)| Sample {
            rps,
            cpu_us,
            p50_ms: 1.25,
            p99_ms: 10.5,
            rss_mib: 64.2,
            failed: 0,
            generator_us: 4.0,
            generator_share: 0.5,
            others_share: 0.01,
        };
        let reply = Reply { status: 200, body_bytes: 5, keep_alive: true };
        Row { samples: rounds.iter().map(sample).collect(), replies: vec![reply; 2], ..Row::new(kind) }
    }

    #[test]
    fn medians_and_spread() {
        let three = row(Kind::Bare, &[(90.0, 1.0), (100.0, 2.0), (130.0, 9.0)]);
        assert_eq!((three.median(|s| s.rps), three.median(|s| s.cpu_us)), (100.0, 2.0));
        assert_eq!(three.spread(|s| s.rps), Some(0.2));
        assert_eq!(row(Kind::Bare, &[(10.0, 1.0), (20.0, 1.0)]).median(|s| s.rps), 15.0);
        assert_eq!(row(Kind::Bare, &[(10.0, 1.0)]).spread(|s| s.rps), None);
        assert_eq!(row(Kind::Bare, &[]).median(|s| s.rps), 0.0);
    }
}
