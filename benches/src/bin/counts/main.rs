//! Counts what one request costs a shard: allocations, copies, system calls, context switches.
//!
//! A shard runs as in the server, on its own thread with real sockets; a worker and a client in this process keep it
//! busy. After a warm-up everything is counted on the shard's thread alone. Times vary from machine to machine, counts
//! do not: those that are promised are asserted, and a broken promise is exit code 1.

#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod system;
#[cfg(target_os = "linux")]
mod tally;
#[cfg(target_os = "linux")]
mod worker;
#[cfg(target_os = "linux")]
mod world;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<std::process::ExitCode> {
    use clap::Parser as _;
    forebay_transports::machine::allow_huge_pages(false);
    scenario::run(&scenario::Args::parse())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("counts needs Linux: skipped");
}
