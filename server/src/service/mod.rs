//! Forebay as a service of the system: `forebay service …`.
//!
//! On Windows a service is a program that talks to the service manager, which is what is done here. Elsewhere the service
//! manager takes any program: a systemd unit starts `forebay run`, and there is nothing for Forebay to do.

#[cfg(not(windows))]
mod elsewhere;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
use elsewhere as system;
#[cfg(windows)]
use windows as system;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

/// What to do with the service.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Registers the service. It starts with the system, and again after a failure.
    Install(Install),
    /// Starts it.
    Start(Which),
    /// Lets it finish what is in flight, and stops it.
    Stop(Which),
    /// Removes it.
    Uninstall(Which),
    /// What the service manager runs.
    #[command(hide = true)]
    Main(Install),
}

/// Which service.
#[derive(Args, Debug)]
pub struct Which {
    /// The service's name.
    #[arg(long, default_value = "forebay")]
    name: String,
}

/// What the service runs.
#[derive(Args, Debug)]
pub struct Install {
    #[command(flatten)]
    which: Which,
    /// The folder in which it runs. Default: the current one.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The file for its log, and for what workers print. Default: NAME.log in %ProgramData%\forebay.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Arguments of `forebay run`, behind `--`.
    #[arg(last = true, value_name = "RUN ARGS")]
    run_args: Vec<OsString>,
}

/// Does it.
#[must_use]
pub fn execute(action: Action) -> ExitCode {
    system::execute(action)
}
