//! Forebay beside its peers, in one run on one machine with one load.
//!
//! All contenders run the same application and stay up; each round visits every one of them once, so that a machine
//! that drifts drifts for all. What is compared is CPU time per request over a contender's whole process tree: it
//! holds on a busy machine where requests per second do not. The figures are medians; ratios of runs on different
//! machines or days mean nothing.

#[cfg(target_os = "linux")]
mod drive;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod run;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use clap::Parser as _;
    run::run(&run::Args::parse())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("compare needs Linux: skipped");
}
