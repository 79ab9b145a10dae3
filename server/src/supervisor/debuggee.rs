//! The process that somebody debugs: one more than there are workers, started with its inspector open.
//!
//! It has a slot behind those of all workers and a route of its own, so that nothing but the requests of who debugs it
//! reach it: a worker that stands at a breakpoint would hold up everybody else's.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::worker::{State, Want};
use tracing::info;

use super::Supervisor;
use super::settings::Settings;
use crate::origin::Inspected;

/// Time until it listens: whoever debugs a start takes his time. A day.
const START_MAX: Duration = Duration::from_secs(86_400);

impl Supervisor {
    /// Its slot, behind those of the workers, if there is one.
    pub(super) fn debuggee(&self) -> Option<usize> {
        self.bulletin.debuggee().map(|_| self.slots.len() - 1)
    }

    /// Starts it, with its inspector on a loopback port; with `brk` it stops before the first line.
    pub(super) fn on_inspect(&mut self, port: u16, brk: bool) {
        let Some(i) = self.debuggee().filter(|&i| self.slots[i].life.state() == State::Down) else { return };
        if self.is_offline {
            return self.inspected.set(Inspected::Failed("the application is offline".into()));
        }
        if self.config.launch.indirect {
            let why = "the application is started by another program, whose arguments are its own: name the script";
            return self.inspected.set(Inspected::Failed(why.into()));
        }
        let mut config = self.config.clone();
        let word = if brk { "--inspect-brk" } else { "--inspect" };
        config.launch.args.insert(0, OsString::from(format!("{word}=127.0.0.1:{port}")));
        config.workers.start_timeout = START_MAX;
        // One that stands at a breakpoint takes no frames, and one exchange a connection is easier to follow.
        let settings = Settings { pipe: None, ..Settings::new(&config, self.preload.clone(), self.cpus.clone()) };
        info!(target: "forebay", "debugger: starting a process with its inspector on 127.0.0.1:{port}");
        self.inspected.set(Inspected::Starting);
        self.slots[i].set(Arc::new(settings));
        self.with(i, |slot, tools| slot.want(Want::Run, tools));
    }

    /// Ends it at once: it may stand at a breakpoint.
    pub(super) fn on_inspected(&mut self) {
        let Some(i) = self.debuggee() else { return };
        info!(target: "forebay", "debugger: ended");
        self.with(i, |slot, tools| slot.want(Want::Kill, tools));
    }

    /// Says how it is with it.
    pub(super) fn poll_debuggee(&mut self) {
        let Some(slot) = self.debuggee().map(|i| &self.slots[i]) else { return };
        let now = match slot.life.state() {
            State::Down if slot.life.want() == Want::Run => return,
            // Why there is none is said once, and then stays until it is asked for again.
            State::Down => match self.inspected.look() {
                Inspected::Failed(_) => return,
                Inspected::Nobody | Inspected::Starting | Inspected::Open(_) => Inspected::Nobody,
            },
            State::Backoff | State::Failed => {
                let lines = slot.journey.stderr.join("\n");
                Inspected::Failed(format!("{}\n{lines}", slot.journey.summary()))
            }
            State::Starting | State::Ready | State::Draining | State::Stuck | State::Stopping => {
                slot.inspector().map_or(Inspected::Starting, Inspected::Open)
            }
        };
        self.inspected.set(now);
    }
}
