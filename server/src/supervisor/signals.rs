//! What the operator says with signals.

use std::io;
use std::thread;

use crossbeam::channel::Sender;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Command;

/// From now on SIGTERM and SIGINT mean [`Command::Stop`], of which a second one kills at once, and SIGHUP means
/// [`Command::Reload`]. SIGPIPE is ignored by Rust's runtime already. Call once, before the first worker starts.
///
/// # Errors
///
/// When the handlers cannot be registered or the thread that receives them cannot be made.
pub fn install(commands: Sender<Command>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let receive = move || {
        for signal in signals.forever() {
            let command = if signal == SIGHUP { Command::Reload } else { Command::Stop };
            if commands.send(command).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).stack_size(64 * 1024).spawn(receive).map(drop)
}
