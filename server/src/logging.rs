//! What Forebay says about itself: one line a transition, on standard error.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogConfig, LogFormat};

/// Starts logging for the rest of the process. Once: a second call changes nothing.
pub fn start(config: &LogConfig) {
    // The levels were checked when the configuration was read; a target that does not parse is left out.
    let filter = EnvFilter::builder().parse_lossy(&config.levels);
    let lines = fmt().with_writer(stderr).with_env_filter(filter);
    let outcome = match config.format {
        LogFormat::Text => lines.compact().with_target(false).with_ansi(stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_ansi(false).try_init(),
    };
    // Whoever embeds the library may have set up logging of their own.
    drop(outcome);
}
