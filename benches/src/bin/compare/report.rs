//! Medians over rounds, as a table with ratios and as JSON.

use serde_json::{Value, json};

use crate::drive::{Round, Scenario};
use crate::peers::Peer;
use crate::process::Usage;

/// One round of one contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    cpu_us: f64,
    node_us: f64,
    ticks_us: f64,
    rps: f64,
    p50_ms: f64,
    p99_ms: f64,
    resident_mib: f64,
    failed: u64,
}

impl Sample {
    /// From what was used before and after a round.
    pub(crate) fn new(before: Usage, after: Usage, round: Round) -> Self {
        let requests = round.requests.max(1) as f64;
        Self {
            cpu_us: after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / requests,
            node_us: after.node.saturating_sub(before.node).as_secs_f64() * 1e6 / requests,
            ticks_us: after.ticks.saturating_sub(before.ticks).as_secs_f64() * 1e6 / requests,
            rps: round.requests as f64 / round.seconds.max(0.001),
            p50_ms: round.p50_ms,
            p99_ms: round.p99_ms,
            resident_mib: after.resident_bytes as f64 / f64::from(1 << 20),
            failed: round.failed,
        }
    }
}

/// All rounds of one contender in one scenario.
pub(crate) struct Row {
    /// Whose.
    pub(crate) peer: Peer,
    /// Round by round.
    pub(crate) samples: Vec<Sample>,
}

impl Row {
    fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        let mut values: Vec<f64> = self.samples.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        match values.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => values[n / 2],
            n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
        }
    }

    fn failed(&self) -> u64 {
        self.samples.iter().map(|sample| sample.failed).sum()
    }
}

/// Prints one scenario's medians; `Forebay / it` compares CPU time per request.
pub(crate) fn print(scenario: Scenario, rounds: usize, seconds: u64, rows: &[Row]) {
    let (name, path, connections) = scenario.terms();
    println!("\n{name}: {path} on {connections} connection(s), medians of {rounds} round(s) of {seconds} s");
    println!(
        "{:12} {:>11} {:>7} {:>8} {:>13} {:>9} {:>8} {:>8} {:>8} {:>7}",
        "", "CPU us/req", "range", "in node", "forebay / it", "req/s", "p50 ms", "p99 ms", "RSS MiB", "failed"
    );
    let ours = rows.iter().find(|row| row.peer == Peer::Forebay).map(|row| row.median(|s| s.cpu_us));
    for row in rows {
        let cpu = row.median(|s| s.cpu_us);
        let ratio =
            ours.filter(|_| row.peer != Peer::Forebay).map_or(String::new(), |ours| format!("{:.2}", ours / cpu));
        let low = row.samples.iter().map(|s| s.cpu_us).fold(f64::INFINITY, f64::min);
        let high = row.samples.iter().map(|s| s.cpu_us).fold(0.0, f64::max);
        println!(
            "{:12} {:11.2} {:>7} {:8.2} {:>13} {:9.0} {:8.3} {:8.3} {:8.0} {:7}",
            row.peer.name(),
            cpu,
            format!("+-{:.0}%", (high - low) / 2.0 / cpu * 100.0),
            row.median(|s| s.node_us),
            ratio,
            row.median(|s| s.rps),
            row.median(|s| s.p50_ms),
            row.median(|s| s.p99_ms),
            row.median(|s| s.resident_mib),
            row.failed()
        );
    }
}

/// The same for machines, every round included.
pub(crate) fn to_json(scenario: Scenario, rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let rounds: Vec<Value> = row.samples.iter().map(sample_json).collect();
        json!({
            "peer": row.peer.name(),
            "cpu_us": row.median(|s| s.cpu_us),
            "node_cpu_us": row.median(|s| s.node_us),
            "cpu_us_from_ticks": row.median(|s| s.ticks_us),
            "requests_per_second": row.median(|s| s.rps),
            "p50_ms": row.median(|s| s.p50_ms),
            "p99_ms": row.median(|s| s.p99_ms),
            "resident_mib": row.median(|s| s.resident_mib),
            "failed": row.failed(),
            "rounds": rounds,
        })
    };
    let (name, path, connections) = scenario.terms();
    let peers: Vec<Value> = rows.iter().map(row).collect();
    json!({ "scenario": name, "path": path, "connections": connections, "peers": peers })
}

fn sample_json(sample: &Sample) -> Value {
    json!({
        "cpu_us": sample.cpu_us,
        "node_cpu_us": sample.node_us,
        "cpu_us_from_ticks": sample.ticks_us,
        "requests_per_second": sample.rps,
        "p50_ms": sample.p50_ms,
        "p99_ms": sample.p99_ms,
        "resident_mib": sample.resident_mib,
        "failed": sample.failed,
    })
}
