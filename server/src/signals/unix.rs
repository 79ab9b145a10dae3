//! Signals, received on a thread of their own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use crossbeam::channel::Sender;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Order;
use crate::spawn;
use crate::supervisor::Command;

/// SIGPIPE is ignored by Rust's runtime already.
pub(super) fn install(commands: Sender<Command>) -> io::Result<()> {
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

pub(super) fn set(flag: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(flag))?;
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

pub(super) fn tell(pid: u32, order: Order) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    let signal = match order {
        Order::Reload => Signal::HUP,
        Order::Stop => Signal::TERM,
    };
    Ok(kill_process(pid, signal)?)
}

/// Whether a process can be told: `forebay bench`, too, would end at a SIGHUP, but is no server.
pub(super) fn hears(pid: u32) -> bool {
    spawn::catches(pid, Signal::HUP)
}
