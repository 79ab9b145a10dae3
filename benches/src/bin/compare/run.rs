//! The order of things: start everybody, warm them up, rounds, table.

use std::env;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::{Value, json};

use crate::drive::{Driver, Scenario};
use crate::peers::{Common, Contender, Peer};
use crate::report::{self, Row, Sample};

/// Seconds of load before the first round, for the JIT compilers.
const WARM_UP_SECONDS: u64 = 2;

/// Measures Forebay beside its peers: CPU time per request, requests per second, latency, memory.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// What is asked for; may be repeated or separated by commas. Default: everything.
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Rounds of each scenario.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of one round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Only these contenders, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Peer>,
    /// One round of one second, without warm-up: shows that everything works.
    #[arg(long)]
    smoke: bool,
    /// Write the figures to FILE as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The binary under test. Default: FOREBAY_BIN from the environment, else `forebay` beside this
    /// program.
    #[arg(long, value_name = "FILE")]
    forebay: Option<PathBuf>,
    /// An argument for it, for instance --forebay-arg=--engine=compio; may be repeated.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    forebay_arg: Vec<String>,
    /// node processes of each contender but `bare`. Default: one per usable vCPU.
    #[arg(long)]
    workers: Option<usize>,
    /// Use the built-in load generator even if wrk is installed.
    #[arg(long)]
    built_in: bool,
}

/// Runs the comparison.
///
/// # Errors
/// A contender failed, or the figures cannot be written.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let common = Common {
        folder: folder.path().to_owned(),
        forebay: binary(args.forebay.as_deref())?,
        forebay_args: args.forebay_arg.clone(),
        workers: args.workers.map_or_else(|| std::thread::available_parallelism().map(usize::from), Ok)?,
    };
    common.write_scripts()?;
    let driver = Driver::find(args.built_in, folder.path())?;
    let (rounds, seconds, warm_up) = if args.smoke { (1, 1, 0) } else { (args.rounds, args.seconds, WARM_UP_SECONDS) };
    let mut contenders = start(if args.only.is_empty() { &Peer::ALL } else { &args.only }, &common)?;
    println!("{} worker(s) each, load by {}", common.workers, driver.name());
    let mut figures = Vec::new();
    let scenarios = if args.scenario.is_empty() { &Scenario::ALL[..] } else { &args.scenario };
    for &scenario in scenarios {
        if warm_up > 0 {
            for contender in &contenders {
                driver.run(contender.address, scenario, warm_up)?;
            }
        }
        let rows = measure(&mut contenders, &driver, scenario, rounds, seconds)?;
        report::print(scenario, rounds, seconds, &rows);
        figures.push(report::to_json(scenario, &rows));
    }
    if let Some(file) = &args.json {
        let all: Value = json!({ "workers": common.workers, "driver": driver.name(), "scenarios": figures });
        fs::write(file, serde_json::to_string_pretty(&all)?)?;
    }
    Ok(())
}

/// The binary under test: named, or the one that was built together with this program.
fn binary(named: Option<&Path>) -> io::Result<PathBuf> {
    let from_env = env::var_os("FOREBAY_BIN").map(PathBuf::from);
    let file = match named.map(Path::to_owned).or(from_env) {
        Some(file) => file,
        None => env::current_exe()?.with_file_name("forebay"),
    };
    fs::canonicalize(&file).map_err(|error| {
        let hint = "build it with this program's profile, or name it with --forebay";
        io::Error::new(error.kind(), format!("{}: {error}; {hint}", file.display()))
    })
}

fn start(peers: &[Peer], common: &Common) -> io::Result<Vec<Contender>> {
    let mut contenders = Vec::new();
    for &peer in peers {
        match Contender::start(peer, common) {
            Ok(contender) => contenders.push(contender),
            Err(error) if error.kind() == ErrorKind::NotFound => println!("SKIPPED {}: {error}", peer.name()),
            Err(error) => return Err(error),
        }
    }
    Ok(contenders)
}

fn measure(
    contenders: &mut [Contender],
    driver: &Driver,
    scenario: Scenario,
    rounds: usize,
    seconds: u64,
) -> io::Result<Vec<Row>> {
    let mut rows: Vec<Row> = contenders.iter().map(|c| Row { peer: c.peer, samples: Vec::new() }).collect();
    let count = rows.len();
    for round in 0..rounds {
        // Each round begins with another one: who follows whom should not matter.
        for index in (0..count).map(|i| (i + round) % count) {
            let contender = &mut contenders[index];
            let before = contender.usage();
            let done = driver.run(contender.address, scenario, seconds)?;
            rows[index].samples.push(Sample::new(before, contender.usage(), done));
            if !contender.is_running() {
                return Err(io::Error::other(format!("{} ended under load", contender.peer.name())));
            }
        }
    }
    Ok(rows)
}
