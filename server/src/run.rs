//! Runs the server: not built yet.

use std::process::ExitCode;

use crate::config::{Config, ConfigErrors, FrontConfig};

/// Runs an application until it is told to stop. `reload` resolves the same command line again.
pub fn run<F>(config: Config, reload: F) -> ExitCode
where
    F: Fn() -> Result<Config, ConfigErrors> + Send + 'static,
{
    drop((config, reload));
    tracing::error!("not built yet");
    ExitCode::FAILURE
}

/// Runs the front alone until it is told to stop.
pub fn front(config: FrontConfig) -> ExitCode {
    drop(config);
    tracing::error!("not built yet");
    ExitCode::FAILURE
}
