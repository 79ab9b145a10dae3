//! What the operator says: stop, or reload; and how another process of the same user says it.
//!
//! On Unix these are signals: SIGTERM and SIGINT, and SIGHUP. On Windows they are the console's events (Ctrl-C,
//! Ctrl-Break, the window closing, logging off, shutting down) and, from other processes, two named events that carry the
//! process id. What is told twice is told to the loop twice: a second order to stop means at once.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam::channel::Sender;

use crate::spawn;
use crate::supervisor::Command;

/// What an operator can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// [`Command::Reload`].
    Reload,
    /// [`Command::Stop`].
    Stop,
}

impl From<Order> for Command {
    fn from(order: Order) -> Self {
        match order {
            Order::Reload => Self::Reload,
            Order::Stop => Self::Stop,
        }
    }
}

/// From now on what the operator says is sent to `commands`. Call once, before the first process is started.
///
/// # Errors
///
/// When nothing can be registered, or the thread that receives cannot be made.
pub fn install(commands: Sender<Command>) -> io::Result<()> {
    system::install(commands)
}

/// Sets `flag` when somebody wants us to stop; the second time the process ends at once, and its children with it.
///
/// # Errors
///
/// As [`install`].
pub fn set(flag: &Arc<AtomicBool>) -> io::Result<()> {
    system::set(flag)
}

/// Tells another process, which has called [`install`].
///
/// # Errors
///
/// `NotFound` where there is none with that id, `PermissionDenied` where it is somebody else's.
pub fn tell(pid: u32, order: Order) -> io::Result<()> {
    system::tell(pid, order)
}

/// Tells the server that a command line means: the one with this process id, or else the only one of this user.
///
/// # Errors
///
/// What is wrong, and what to do about it.
pub fn tell_server(pid: Option<u32>, order: Order) -> Result<u32, String> {
    let mut servers = spawn::processes_named("forebay");
    servers.retain(|&pid| system::hears(pid));
    let pid = match (pid, &servers[..]) {
        (Some(pid), servers) if servers.contains(&pid) => pid,
        (Some(pid), servers) => {
            return Err(format!("error: --pid: no server of this user ({pid})\nhint: {}", running(servers)));
        }
        (None, &[pid]) => pid,
        (None, []) => return Err("error: no server of this user runs\nhint: start one with `forebay run`".to_owned()),
        (None, servers) => {
            return Err(format!("error: several servers of this user run\nhint: --pid N; {}", running(servers)));
        }
    };
    tell(pid, order).map(|()| pid).map_err(|error| {
        format!("error: process {pid} cannot be told ({error})\nhint: it must run under the same user as this command")
    })
}

fn running(servers: &[u32]) -> String {
    let numbers: Vec<String> = servers.iter().map(u32::to_string).collect();
    if numbers.is_empty() { "none runs".to_owned() } else { format!("running: {}", numbers.join(", ")) }
}
