//! Forebay: the command line.

use std::process::ExitCode;

use clap::Parser as _;

/// Shards allocate rarely, the control plane and JSON log lines do: mimalloc keeps freed memory per thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forebay_transports::machine::allow_huge_pages(false);
    forebay::cli::Cli::parse().execute()
}
