//! What a reader has to know beside the figures before believing them.

use super::contender::Kind;
use super::sample::Row;

/// Share of the machine's CPU time beyond which other programs count as a disturbance.
const OTHERS_SHARE_MAX: f64 = 0.10;

/// Share of a vCPU beyond which the load generator may be what limits requests per second.
const GENERATOR_SHARE_MAX: f64 = 0.90;

/// Difference between rounds beyond which a warning is due.
const SPREAD_MAX: f64 = 0.10;

/// A warning if other programs are busy with so much of the machine before anything starts.
pub(super) fn busy(share: f64) -> Option<String> {
    (share > OTHERS_SHARE_MAX).then(|| {
        format!("the machine is busy: other programs use {} % of its CPU time; figures will be noisy", percent(share))
    })
}

/// Everything that the rows give cause to say.
pub(super) fn about(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(rows.iter().filter_map(failures));
    notes.extend(port(rows));
    notes.extend(answers(rows));
    notes.extend(noise(rows));
    notes
}

fn failures(row: &Row) -> Option<String> {
    let (why, _) = row.failures.iter().max_by_key(|(_, count)| **count)?;
    let others = match row.failures.len() {
        1 => String::new(),
        n => format!(", and {} other reason(s)", n - 1),
    };
    Some(format!("{}: {} request(s) failed: {why}{others}", row.kind.name(), row.failed()))
}

fn port(rows: &[Row]) -> Option<String> {
    let ignores = rows.iter().any(|row| !row.heeds_port);
    ignores.then(|| {
        "the application ignores PORT: bare node and cluster were measured on the port that it chose itself".to_owned()
    })
}

fn answers(rows: &[Row]) -> Vec<String> {
    let Some(bare) = rows.iter().find(|row| row.kind == Kind::Bare) else { return Vec::new() };
    let Some(reference) = bare.replies.first() else { return Vec::new() };
    let varies = bare.replies.iter().any(|reply| reply.body_bytes != reference.body_bytes);
    let mut notes = Vec::new();
    for row in rows.iter().filter(|row| row.kind != Kind::Bare) {
        let Some(reply) = row.replies.first() else { continue };
        let name = row.kind.name();
        if reply.status != reference.status {
            notes.push(format!("{name} answers with status {}, bare node with {}", reply.status, reference.status));
        } else if reply.body_bytes != reference.body_bytes && !varies {
            let (it, bare) = (reply.body_bytes, reference.body_bytes);
            notes.push(format!("{name} answers with {it} bytes, bare node with {bare}: is it the same work?"));
        }
    }
    notes
}

fn noise(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    let samples = || rows.iter().flat_map(|row| &row.samples);
    let others = samples().map(|sample| sample.others_share).fold(0.0, f64::max);
    if others > OTHERS_SHARE_MAX {
        notes.push(format!("in one round other programs used {} % of the machine's CPU time", percent(others)));
    }
    let limited: Vec<&str> = rows
        .iter()
        .filter(|row| row.median(|sample| sample.generator_share) > GENERATOR_SHARE_MAX)
        .map(|row| row.kind.name())
        .collect();
    if !limited.is_empty() {
        let who = limited.join(", ");
        notes.push(format!(
            "the load generator had no time to spare: its limit, not theirs, are the requests/s of {who}"
        ));
    }
    let spread =
        |row: &Row| [row.spread(|s| s.rps), row.spread(|s| s.cpu_us)].into_iter().flatten().fold(0.0, f64::max);
    let widest = rows.iter().map(spread).fold(0.0, f64::max);
    if widest > SPREAD_MAX {
        notes.push(format!(
            "rounds differ by up to ±{} %: smaller differences mean nothing; more or longer rounds help",
            percent(widest)
        ));
    }
    notes
}

fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::reply::Reply;
    use super::super::sample::tests::row;
    use super::*;

    fn rows() -> Vec<Row> {
        Kind::ALL.iter().map(|&kind| row(kind, &[(100.0, 10.0), (101.0, 10.1), (102.0, 10.2)])).collect()
    }

    #[test]
    fn nothing_is_said_without_cause() {
        assert_eq!(about(&rows()), Vec::<String>::new());
        assert_eq!(busy(0.05), None);
        assert!(busy(0.5).unwrap().contains("50 %"));
    }

    #[test]
    fn each_cause_is_said() {
        let mut rows = rows();
        rows[0].heeds_port = false;
        rows[1].replies = vec![Reply { status: 404, body_bytes: 5, keep_alive: true }];
        rows[2].replies = vec![Reply { status: 200, body_bytes: 6, keep_alive: true }];
        rows[2].failures.insert("status 503".into(), 7);
        rows[2].samples[0].failed = 7;
        rows[3].samples[1].others_share = 0.25;
        rows[3].samples.iter_mut().for_each(|sample| sample.generator_share = 0.97);
        rows[3].samples[0].rps = 70.0;
        let expected = [
            "forebay http: 7 request(s) failed: status 503",
            "the application ignores PORT: bare node and cluster were measured on the port that it chose itself",
            "node cluster answers with status 404, bare node with 200",
            "forebay http answers with 6 bytes, bare node with 5: is it the same work?",
            "in one round other programs used 25 % of the machine's CPU time",
            "the load generator had no time to spare: its limit, not theirs, are the requests/s of forebay pipe",
            "rounds differ by up to ±16 %: smaller differences mean nothing; more or longer rounds help",
        ];
        assert_eq!(about(&rows), expected);
    }

    #[test]
    fn lengths_that_vary_by_themselves_are_no_difference() {
        let mut rows = rows();
        rows[0].replies[1].body_bytes = 4;
        rows[2].replies[0].body_bytes = 6;
        assert_eq!(about(&rows), Vec::<String>::new());
    }
}
