//! The loads, what is measured of each, and what is promised.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use forebay_benches::load::{Load, Until};

use crate::system::{Counter, Usage};
use crate::tally::{self, COUNTS_COPIES, Tally};
use crate::world::World;

/// Bytes of the upload.
const UPLOAD_BYTES: usize = 64 * 1024;

/// Bytes of one chunk of it.
const UPLOAD_CHUNK_BYTES: usize = 16 * 1024;

/// Operations in flight up to which monoio's table of them is one page, kept for ever (its utils/slab.rs).
const ENGINE_PAGE: usize = 64;

/// Further pages are given back when found empty at every 2048th operation, and allocated again when needed. A request
/// takes two reads, so that beyond one page there may be one allocation in so many requests.
const REQUESTS_PER_ENGINE_PAGE: u64 = 1024;

/// Runs until one has to do without an allocation.
const RUNS_MAX: u32 = 5;

/// Bytes a request may have copied beyond those of a small GET: heads and states, no bodies. 4 KiB.
const COPIED_BYTES_MAX: f64 = tally::LARGE_COPY_BYTES as f64;

/// Counts what one request costs a shard.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Requests that are counted, of each scenario.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// Few requests, system calls not counted: for tests.
    #[arg(long)]
    short: bool,
    /// Only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Print where the N-th allocation after the warm-up comes from.
    #[arg(long, value_name = "N", default_value_t = 0)]
    backtrace: u64,
    /// Print where the first copy of each length from BYTES on comes from, and how often there were such.
    #[arg(long, value_name = "BYTES")]
    copies: Option<usize>,
}

struct Scenario {
    name: &'static str,
    request: Vec<u8>,
    connections: usize,
    /// How many of the requests asked for are made: a large body is many small ones.
    share: u64,
    has_body: bool,
}

/// A scenario's counts, per request where not said otherwise.
struct Row {
    name: &'static str,
    connections: usize,
    requests: u64,
    /// Runs it took until one did not allocate.
    runs: u32,
    all: Tally,
    copied: f64,
    syscalls: Option<f64>,
    waited: f64,
    preempted: f64,
    cpu_us: f64,
    has_body: bool,
}

fn scenarios() -> Vec<Scenario> {
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost:8080\r\n\r\n").into_bytes();
    let small = |name, connections| Scenario { name, request: get("/"), connections, share: 1, has_body: false };
    let mut upload = b"POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..UPLOAD_BYTES / UPLOAD_CHUNK_BYTES {
        upload.extend(format!("{UPLOAD_CHUNK_BYTES:x}\r\n").bytes());
        upload.extend(std::iter::repeat_n(b'x', UPLOAD_CHUNK_BYTES));
        upload.extend(b"\r\n");
    }
    upload.extend(b"0\r\n\r\n");
    vec![
        small("GET", 1),
        small("GET", 8),
        small("GET", 64),
        Scenario { name: "POST 64 KiB chunked, echoed", request: upload, connections: 4, share: 1, has_body: true },
        Scenario { name: "GET 1 MiB", request: get("/big"), connections: 4, share: 2, has_body: true },
    ]
}

/// Runs them all; failure if a promise is broken.
///
/// # Errors
/// The shard, its worker or the client failed.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let counter = if args.short { None } else { Counter::find() };
    let mut rows = Vec::new();
    for scenario in scenarios().iter().filter(|scenario| scenario.name.contains(&args.only)) {
        // One world each: what another scenario has made it keep would hide what this one needs.
        let world = World::start()?;
        if rows.is_empty() {
            println!("engine monoio ({}), allocator mimalloc", world.driver);
        }
        rows.push(measure(&world, scenario, args, counter)?);
        world.stop()?;
    }
    print(&rows, counter);
    let broken: Vec<String> = rows.iter().flat_map(|row| broken_promises(row, &rows)).collect();
    for promise in &broken {
        println!("FAILED: {promise}");
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(world: &World, scenario: &Scenario, args: &Args, counter: Option<Counter>) -> io::Result<Row> {
    let requests = if args.short { 2000 } else { args.requests } / scenario.share;
    let mut load = Load::connect(world.address, &scenario.request, scenario.connections)?;
    load.run(Until::Requests(requests / 2))?;
    let mut runs = 1;
    let (all, used) = loop {
        tally::trace_allocation(args.backtrace);
        tally::trace_copies(args.copies.unwrap_or(usize::MAX));
        let (tally, before) = (Tally::now(), Usage::of(world.thread)?);
        let outcome = load.run(Until::Requests(requests))?;
        let (all, used) = (Tally::now() - tally, Usage::of(world.thread)? - before);
        tally::trace_allocation(0);
        tally::trace_copies(usize::MAX);
        tally::print_traced_copies();
        if outcome.not_2xx > 0 {
            return Err(io::Error::other(format!("{}: {} responses are not 2xx", scenario.name, outcome.not_2xx)));
        }
        // Lists grow to the highest number of things that ever rested in them, and a late peak is no steady state.
        if all.allocations == 0 || runs == RUNS_MAX {
            break (all, used);
        }
        runs += 1;
    };
    let each = |n: u64| n as f64 / requests as f64;
    let folder = tempfile::tempdir()?;
    let again = || load.run(Until::Requests(requests)).map(|_outcome| ());
    let syscalls = match counter {
        Some(counter) => Some(counter.count(world.thread, folder.path(), again)?),
        None => None,
    };
    Ok(Row {
        name: scenario.name,
        connections: scenario.connections,
        requests,
        runs,
        all,
        copied: each(all.copied_bytes),
        syscalls: syscalls.map(each),
        waited: each(used.waited),
        preempted: each(used.preempted),
        cpu_us: each(used.cpu_ns) / 1000.0,
        has_body: scenario.has_body,
    })
}

fn print(rows: &[Row], counter: Option<Counter>) {
    println!("the shard's thread at steady state, per request where not said otherwise");
    println!(
        "{:28} {:>5} {:>8} {:>4} {:>11} {:>8} {:>9} {:>12} {:>9} {:>8} {:>8} {:>8}",
        "",
        "conns",
        "requests",
        "runs",
        "allocations",
        "bytes",
        "copied B",
        "copies>=4KiB",
        "syscalls",
        "waits",
        "preempt",
        "CPU us"
    );
    println!("{:28} {:>5} {:>8} {:>4} {:>11} {:>8} {:>9} {:>12}", "", "", "", "", "in all", "in all", "", "in all");
    for row in rows {
        let copies = if COUNTS_COPIES { row.all.large_copies.to_string() } else { "-".into() };
        let copied = if COUNTS_COPIES { format!("{:.0}", row.copied) } else { "-".into() };
        let syscalls = row.syscalls.map_or("-".into(), |n| format!("{n:.3}"));
        println!(
            "{:28} {:5} {:8} {:4} {:11} {:8} {copied:>9} {copies:>12} {syscalls:>9} {:8.3} {:8.3} {:8.2}",
            row.name,
            row.connections,
            row.requests,
            row.runs,
            row.all.allocations,
            row.all.allocated_bytes,
            row.waited,
            row.preempted,
            row.cpu_us
        );
    }
    match counter {
        Some(counter) => println!("system calls counted by {}, in a run of their own", counter.name()),
        None => println!("system calls: not counted"),
    }
}

/// The promises: a small GET allocates nothing, and bodies are not copied.
fn broken_promises(row: &Row, rows: &[Row]) -> Vec<String> {
    let mut broken = Vec::new();
    let what = format!("{} on {} connections", row.name, row.connections);
    // Two reads wait for each connection, beside accept and timer.
    let paged = 2 * row.connections + 2 > ENGINE_PAGE;
    let allowed = if paged { row.requests.div_ceil(REQUESTS_PER_ENGINE_PAGE) } else { 0 };
    if !row.has_body && row.all.allocations > allowed {
        broken.push(format!(
            "{what}: {} allocations in {} requests, run {}",
            row.all.allocations, row.requests, row.runs
        ));
    }
    if row.all.large_copies > 0 {
        broken.push(format!("{what}: {} copies of 4 KiB or more", row.all.large_copies));
    }
    let base = rows.iter().filter(|row| !row.has_body).map(|row| row.copied).fold(0.0, f64::max);
    // Without optimization every value that is returned is copied, so only the large copies mean something there.
    if row.has_body && !cfg!(debug_assertions) && row.copied - base >= COPIED_BYTES_MAX {
        broken.push(format!("{what}: {:.0} bytes copied a request, {base:.0} of a small GET", row.copied));
    }
    broken
}
