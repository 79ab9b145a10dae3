//! The figures for people and for machines.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::contender::Kind;
use super::sample::{Row, Sample};

/// What was measured, and how it came out.
pub(super) struct Report {
    /// The application in a few words.
    pub(super) title: String,
    /// The request in words: `GET /`.
    pub(super) asked: String,
    /// Connections of the load generator.
    pub(super) connections: usize,
    /// Seconds of a round.
    pub(super) seconds: u64,
    /// Rounds of each contender.
    pub(super) rounds: usize,
    /// The version of node.
    pub(super) node: String,
    /// vCPUs that may be used.
    pub(super) cpus: usize,
    /// Processes of the cluster and of Forebay.
    pub(super) processes: usize,
    /// Who, with all rounds.
    pub(super) rows: Vec<Row>,
    /// What a reader has to know beside.
    pub(super) notes: Vec<String>,
}

type Figure = fn(&Sample) -> f64;

const RPS: Figure = |sample| sample.rps;
const CPU: Figure = |sample| sample.cpu_us;

impl Report {
    fn row(&self, kind: Kind) -> Option<&Row> {
        self.rows.iter().find(|row| row.kind == kind && !row.samples.is_empty())
    }

    /// A contender's median beside another's.
    fn ratio(&self, row: &Row, to: Kind, of: Figure) -> Option<f64> {
        let reference = self.row(to).map(|row| row.median(of)).filter(|&median| median > 0.0)?;
        (!row.samples.is_empty()).then(|| row.median(of) / reference)
    }

    /// The table.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{}: {} on {} connection(s), medians of {} round(s) of {} s\nnode {}, {} vCPU(s), cluster and Forebay with {} \
             process(es)\n\n",
            self.title, self.asked, self.connections, self.rounds, self.seconds, self.node, self.cpus, self.processes
        );
        let _infallible = writeln!(
            text,
            "{:12} {:>10} {:>5} {:>6} {:>9} {:>11} {:>5} {:>6} {:>9} {:>8} {:>8} {:>7} {:>6}",
            "",
            "requests/s",
            "",
            "x node",
            "x cluster",
            "CPU us/req",
            "",
            "x node",
            "x cluster",
            "p50 ms",
            "p99 ms",
            "RSS MiB",
            "failed"
        );
        for row in &self.rows {
            text.push_str(&self.line(row));
        }
        text.push('\n');
        if let Some(verdict) = self.verdict() {
            let _infallible = writeln!(text, "{verdict}");
        }
        if let Some(generator) = self.rows.iter().map(|row| row.median(|s| s.generator_us)).reduce(f64::max) {
            let _infallible = writeln!(
                text,
                "The load generator ran on the same machine, for up to {generator:.1} us a request, which are not counted."
            );
        }
        for note in &self.notes {
            let _infallible = writeln!(text, "note: {note}");
        }
        text
    }

    fn line(&self, row: &Row) -> String {
        if let Some(why) = &row.skipped {
            return format!("{:12} not measured: {why}\n", row.kind.name());
        }
        let ratio = |to, of| self.ratio(row, to, of).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let spread = |of: Figure| row.spread(of).map_or(String::new(), |share| format!("±{:.0}%", share * 100.0));
        format!(
            "{:12} {:10.0} {:>5} {:>6} {:>9} {:11.1} {:>5} {:>6} {:>9} {:8.2} {:8.2} {:7.0} {:6}\n",
            row.kind.name(),
            row.median(RPS),
            spread(RPS),
            ratio(Kind::Bare, RPS),
            ratio(Kind::Cluster, RPS),
            row.median(CPU),
            spread(CPU),
            ratio(Kind::Bare, CPU),
            ratio(Kind::Cluster, CPU),
            row.median(|s| s.p50_ms),
            row.median(|s| s.p99_ms),
            row.median(|s| s.rss_mib),
            row.failed(),
        )
    }

    /// What the better one of Forebay's transports comes to.
    fn verdict(&self) -> Option<String> {
        let ours = [Kind::Http, Kind::Pipe].into_iter().filter_map(|kind| self.row(kind));
        let best = ours.min_by(|a, b| a.median(CPU).total_cmp(&b.median(CPU)))?;
        let beside = |to: Kind| {
            let (rps, cpu) = (self.ratio(best, to, RPS)?, self.ratio(best, to, CPU)?);
            Some(format!("{rps:.2} x the requests/s and {cpu:.2} x the CPU time per request of {}", to.name()))
        };
        let both: Vec<String> = [Kind::Bare, Kind::Cluster].into_iter().filter_map(beside).collect();
        (!both.is_empty()).then(|| format!("{}: {}.", best.kind.name(), both.join(",\n              ")))
    }

    /// The same for machines, with every round.
    pub(super) fn json(&self) -> Value {
        let contenders: Vec<Value> = self.rows.iter().map(|row| self.row_json(row)).collect();
        json!({
            "application": self.title,
            "request": self.asked,
            "connections": self.connections,
            "seconds": self.seconds,
            "rounds": self.rounds,
            "node": self.node,
            "vcpus": self.cpus,
            "processes": self.processes,
            "contenders": contenders,
            "notes": self.notes,
        })
    }

    fn row_json(&self, row: &Row) -> Value {
        if let Some(why) = &row.skipped {
            return json!({ "name": row.kind.key(), "skipped": why });
        }
        let rounds: Vec<Value> = row.samples.iter().map(sample_json).collect();
        json!({
            "name": row.kind.key(),
            "requests_per_second": row.median(RPS),
            "requests_per_second_spread": row.spread(RPS),
            "requests_per_second_ratio": { "node": self.ratio(row, Kind::Bare, RPS), "cluster": self.ratio(row, Kind::Cluster, RPS) },
            "cpu_us_per_request": row.median(CPU),
            "cpu_us_per_request_spread": row.spread(CPU),
            "cpu_us_per_request_ratio": { "node": self.ratio(row, Kind::Bare, CPU), "cluster": self.ratio(row, Kind::Cluster, CPU) },
            "p50_ms": row.median(|s| s.p50_ms),
            "p99_ms": row.median(|s| s.p99_ms),
            "rss_mib": row.median(|s| s.rss_mib),
            "failed": row.failed(),
            "failures": row.failures,
            "each_round": rounds,
        })
    }
}

fn sample_json(sample: &Sample) -> Value {
    json!({
        "requests_per_second": sample.rps,
        "cpu_us_per_request": sample.cpu_us,
        "p50_ms": sample.p50_ms,
        "p99_ms": sample.p99_ms,
        "rss_mib": sample.rss_mib,
        "failed": sample.failed,
        "generator_us_per_request": sample.generator_us,
        "generator_share": sample.generator_share,
        "others_share": sample.others_share,
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::tests::row;
    use super::*;

    fn report() -> Report {
        let mut pipe = Row::new(Kind::Pipe);
        pipe.skipped = Some("it is not there".into());
        Report {
            title: "app.js".into(),
            asked: "GET /".into(),
            connections: 64,
            seconds: 4,
            rounds: 3,
            node: "20.20.2".into(),
            cpus: 2,
            processes: 2,
            rows: vec![
                row(Kind::Bare, &[(9_700.0, 101.0), (9_800.0, 100.0), (9_900.0, 99.0)]),
                row(Kind::Cluster, &[(19_000.0, 102.0), (19_600.0, 101.0), (18_500.0, 103.0)]),
                row(Kind::Http, &[(12_000.0, 120.0), (12_250.0, 110.0), (12_500.0, 125.0)]),
                pipe,
            ],
            notes: vec!["the machine is busy".into()],
        }
    }

    #[test]
    fn the_table() {
        insta::assert_snapshot!(report().text());
    }

    #[test]
    fn the_same_for_machines() {
        let json = report().json();
        assert_eq!(json["contenders"][2]["requests_per_second_ratio"]["node"], 1.25);
        assert_eq!(json["contenders"][2]["cpu_us_per_request"], 120.0);
        assert_eq!(json["contenders"][3]["skipped"], "it is not there");
        assert_eq!(json["contenders"][1]["each_round"].as_array().map(Vec::len), Some(3));
    }
}
