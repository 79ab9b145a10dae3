//! Where the service manager needs no help.

use std::process::ExitCode;

use super::Action;
use crate::cli::EXIT_USAGE;

pub(super) fn execute(_action: Action) -> ExitCode {
    eprintln!(
        "error: service: for Windows only\n\
         hint: let a systemd unit start `forebay run` (ExecStart=), with ExecReload=/bin/kill -HUP $MAINPID"
    );
    ExitCode::from(EXIT_USAGE)
}
