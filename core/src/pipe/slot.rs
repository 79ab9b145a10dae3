//! One slot of the stream table: where both halves of its stream are, and the credits.

use super::credit::{Allowance, Credit};
use super::id::Role;
use super::signal::{Half, Signal, front_half, worker_half};

/// One stream, or the room for one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Both are done while the slot is free.
    pub(super) front: Half,
    pub(super) worker: Half,
    pub(super) usage: u16,
    pub(super) offered: bool,
    /// What comes is dropped: this end has sent RESET, or said that it wants no more.
    pub(super) deaf: bool,
    pub(super) credit: Credit,
    pub(super) allowance: Allowance,
}

impl Slot {
    /// Whether no stream is open on it.
    pub(super) const fn is_free(&self) -> bool {
        matches!((self.front, self.worker), (Half::Done, Half::Done))
    }

    /// The half that one end sends.
    pub(super) fn half(&mut self, of: Role) -> &mut Half {
        match of {
            Role::Front => &mut self.front,
            Role::Worker => &mut self.worker,
        }
    }

    /// Advances the sender's half.
    pub(super) fn step(&mut self, sender: Role, signal: Signal) -> Option<()> {
        let next = match sender {
            Role::Front => front_half(self.front, signal)?,
            Role::Worker => worker_half(self.worker, self.offered, signal)?,
        };
        *self.half(sender) = next;
        if signal == Signal::Raw && self.front == Half::Held {
            self.front = Half::Body;
        }
        Some(())
    }
}
