//! One round of load on one contender: by wrk where it is installed, else by this program's own generator.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use forebay_benches::load::{Load, Until};

use crate::peers::find_program;

/// Bytes of the echoed upload.
const UPLOAD_BYTES: usize = 64 * 1024;

/// What is asked for, on how many connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// A greeting, on 1 connection.
    #[value(name = "plain-1")]
    Plain1,
    /// A greeting, on 8 connections.
    #[value(name = "plain-8")]
    Plain8,
    /// A greeting, on 64 connections.
    #[value(name = "plain-64")]
    Plain64,
    /// A greeting, on 256 connections.
    #[value(name = "plain-256")]
    Plain256,
    /// About 10 KB of JSON, made anew for each request, on 64 connections.
    Json,
    /// A response of 1 MiB, on 8 connections.
    Big,
    /// An upload of 64 KiB that is sent back, on 8 connections.
    Echo,
}

impl Scenario {
    /// All of them.
    pub(crate) const ALL: [Self; 7] =
        [Self::Plain1, Self::Plain8, Self::Plain64, Self::Plain256, Self::Json, Self::Big, Self::Echo];

    /// Its name, path and connections.
    pub(crate) const fn terms(self) -> (&'static str, &'static str, usize) {
        match self {
            Self::Plain1 => ("plain-1", "/", 1),
            Self::Plain8 => ("plain-8", "/", 8),
            Self::Plain64 => ("plain-64", "/", 64),
            Self::Plain256 => ("plain-256", "/", 256),
            Self::Json => ("json", "/json", 64),
            Self::Big => ("big", "/big", 8),
            Self::Echo => ("echo", "/echo", 8),
        }
    }

    fn request(self) -> Vec<u8> {
        let (_, path, _) = self.terms();
        if self != Self::Echo {
            return format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
        }
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n");
        head.into_bytes().into_iter().chain(std::iter::repeat_n(b'x', UPLOAD_BYTES)).collect()
    }
}

/// What a round came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// How many of them failed or were not answered with 2xx.
    pub(crate) failed: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Median latency in milliseconds.
    pub(crate) p50_ms: f64,
    /// The latency below which 99 % were, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// What makes the load.
pub(crate) enum Driver {
    /// wrk, one thread.
    Wrk {
        /// The program.
        program: PathBuf,
        /// The script that makes it send an upload.
        script: PathBuf,
    },
    /// A thread of ours.
    BuiltIn,
}

impl Driver {
    /// wrk, unless it is missing or not wanted.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn find(built_in: bool, folder: &Path) -> io::Result<Self> {
        let Some(program) = find_program("wrk").filter(|_| !built_in) else { return Ok(Self::BuiltIn) };
        let script = folder.join("upload.lua");
        fs::write(&script, format!("wrk.method = 'POST'\nwrk.body = string.rep('x', {UPLOAD_BYTES})\n"))?;
        Ok(Self::Wrk { program, script })
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Wrk { .. } => "wrk",
            Self::BuiltIn => "the built-in generator",
        }
    }

    /// Loads a server for a while.
    ///
    /// # Errors
    /// The server does not answer, or answers nonsense.
    pub(crate) fn run(&self, server: SocketAddr, scenario: Scenario, seconds: u64) -> io::Result<Round> {
        match self {
            Self::Wrk { program, script } => {
                let (_, path, connections) = scenario.terms();
                let mut command = Command::new(program);
                command.args(["-t1", "--latency", "--timeout", "10s"]);
                command.arg(format!("-c{connections}")).arg(format!("-d{seconds}s"));
                if scenario == Scenario::Echo {
                    command.arg("-s").arg(script);
                }
                let output = command.arg(format!("http://{server}{path}")).stderr(Stdio::inherit()).output()?;
                let text = String::from_utf8_lossy(&output.stdout);
                read_wrk(&text).ok_or_else(|| io::Error::other(format!("wrk said:\n{text}")))
            }
            Self::BuiltIn => {
                let mut load = Load::connect(server, &scenario.request(), scenario.terms().2)?;
                let outcome = load.run(Until::Elapsed(Duration::from_secs(seconds)))?;
                Ok(Round {
                    requests: outcome.requests,
                    failed: outcome.not_2xx,
                    seconds: outcome.elapsed.as_secs_f64(),
                    p50_ms: f64::from(outcome.percentile_us(0.5)) / 1000.0,
                    p99_ms: f64::from(outcome.percentile_us(0.99)) / 1000.0,
                })
            }
        }
    }
}

/// Reads wrk's report.
fn read_wrk(text: &str) -> Option<Round> {
    let mut round = Round::default();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("50%") {
            round.p50_ms = milliseconds(rest)?;
        } else if let Some(rest) = line.strip_prefix("99%") {
            round.p99_ms = milliseconds(rest)?;
        } else if let Some((requests, rest)) = line.split_once(" requests in ") {
            round.requests = requests.parse().ok()?;
            round.seconds = milliseconds(rest.split(',').next()?)? / 1000.0;
        } else if let Some(errors) = line.strip_prefix("Socket errors:") {
            round.failed += errors.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok()).sum::<u64>();
        } else if let Some(count) = line.strip_prefix("Non-2xx or 3xx responses:") {
            round.failed += count.trim().parse::<u64>().ok()?;
        }
    }
    (round.requests > 0).then_some(round)
}

/// A time as wrk writes it: `12.34us`, `1.20ms`, `3.00s`, `1.00m`.
fn milliseconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[digits..] {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    Some(text[..digits].parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_wrk_is_read() {
        let report = "Running 2s test @ http://127.0.0.1:1/\n  Latency Distribution\n     50%  512.00us\n     \
            99%    1.20ms\n  1024 requests in 2.00s, 1.5MB read\n  \
            Socket errors: connect 1, read 0, write 2, timeout 0\n  Non-2xx or 3xx responses: 4\n";
        let round = read_wrk(report).unwrap();
        assert_eq!((round.requests, round.failed), (1024, 7));
        assert_eq!((round.p50_ms, round.p99_ms, round.seconds), (0.512, 1.2, 2.0));
        assert!(read_wrk("unable to connect").is_none());
    }
}
