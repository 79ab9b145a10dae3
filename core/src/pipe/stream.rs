//! Streams as a pure machine that either end can run: which frame may come when, who answers, when a slot is free.
//!
//! The table is in [`signal`](super::signal); this is the bookkeeping around it. A slot is free when both halves of its
//! stream are done, and its next use has another id.

use super::credit::{Allowance, Credit};
use super::error::Error;
use super::event::Event;
use super::id::{Role, StreamId};
use super::signal::{Half, Misuse, Outcome, Signal};
use super::slot::Slot;
use alloc::vec::Vec;

/// All streams of one connection, as one end sees them. Allocates as slots come into use, never per stream.
#[derive(Debug)]
pub struct Streams {
    role: Role,
    max: u16,
    send_window: u32,
    receive_window: u32,
    /// By slot number less one; at the worker as many as were ever used.
    slots: Vec<Slot>,
    /// Of the front: slots that are free, the next to be used last.
    free: Vec<u16>,
    open: u16,
}

impl Streams {
    /// The streams of a new connection: at most `max` at a time, with the windows that the peer (`send_window`) and
    /// this end (`receive_window`) announced.
    #[must_use]
    pub const fn new(role: Role, max: u16, send_window: u32, receive_window: u32) -> Self {
        Self { role, max, send_window, receive_window, slots: Vec::new(), free: Vec::new(), open: 0 }
    }

    /// Streams that are open.
    #[must_use]
    pub const fn open_count(&self) -> usize {
        self.open as usize
    }

    /// Opens a stream for a REQUEST with `body` bytes in it, which `ends` there or not, offered for RAW or not.
    ///
    /// # Errors
    /// No slot is free, the window is smaller than `body`, or this end is a worker.
    pub fn open(&mut self, body: u32, ends: bool, upgrade: bool) -> Result<StreamId, Misuse> {
        if self.role == Role::Worker || (upgrade && (ends || body > 0)) {
            return Err(Misuse::State);
        }
        let mut slot = self.fresh(0, ends, upgrade);
        slot.credit.spend(body).ok_or(Misuse::Credit)?;
        let at = match self.free.pop() {
            Some(at) => at,
            None if self.slots.len() < usize::from(self.max) => {
                self.slots.push(Slot { usage: StreamId::USES - 1, ..slot });
                (self.slots.len() - 1) as u16
            }
            None => return Err(Misuse::NoSlot),
        };
        let it = &mut self.slots[usize::from(at)];
        slot.usage = (it.usage + 1) % StreamId::USES;
        *it = slot;
        self.open += 1;
        Ok(StreamId::new(at + 1, slot.usage))
    }

    /// A stream that was opened will not be used after all: its REQUEST was not sent. No effect on one that is closed.
    pub fn forget(&mut self, id: StreamId) {
        if let Some(slot) = self.find(id) {
            (slot.front, slot.worker) = (Half::Done, Half::Done);
            slot.usage = (slot.usage + StreamId::USES - 1) % StreamId::USES;
            self.release(id);
        }
    }

    fn fresh(&self, usage: u16, ends: bool, upgrade: bool) -> Slot {
        let front = match (ends, upgrade) {
            (true, _) => Half::Done,
            (false, true) => Half::Held,
            (false, false) => Half::Body,
        };
        let (credit, allowance) = (Credit::new(self.send_window), Allowance::new(self.receive_window));
        Slot { front, worker: Half::Head, usage, offered: upgrade, deaf: false, credit, allowance }
    }

    fn find(&mut self, id: StreamId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::from(id.slot()).checked_sub(1)?)?;
        (slot.usage == id.usage() && !slot.is_free()).then_some(slot)
    }

    /// This end sends a frame on a stream. Credit is granted by [`poll_grant`](Self::poll_grant) instead.
    ///
    /// # Errors
    /// The frame must not be sent.
    pub fn send(&mut self, id: StreamId, signal: Signal) -> Result<Outcome, Misuse> {
        let role = self.role;
        let slot = self.find(id).ok_or(Misuse::Closed)?;
        let repeats = signal == Signal::Reset && slot.deaf && *slot.half(role) == Half::Done;
        if matches!(signal, Signal::Window(_)) || repeats {
            return Err(Misuse::State);
        }
        let before = *slot;
        slot.step(role, signal).ok_or(Misuse::State)?;
        if slot.credit.spend(signal.body()).is_none() {
            *slot = before;
            return Err(Misuse::Credit);
        }
        slot.deaf |= signal == Signal::Reset || signal.stops();
        let closed = slot.is_free();
        if closed {
            self.release(id);
        }
        Ok(Outcome { deliver: true, answer: false, closed })
    }

    /// Whether a stream is open.
    #[must_use]
    pub fn is_open(&mut self, id: StreamId) -> bool {
        self.find(id).is_some()
    }

    /// An event has come from the decoder. One that is not of a stream is to be delivered.
    ///
    /// # Errors
    /// The peer's fault.
    pub fn on_event<I>(&mut self, event: &Event<'_, I>) -> Result<Outcome, Error> {
        let Some((id, signals)) = event.signals() else { return Ok(Outcome { deliver: true, ..Outcome::LATE }) };
        // Further pieces of a frame's body go where its beginning went.
        let deliver = self.find(id).is_some_and(|slot| !slot.deaf);
        let mut outcome = Outcome { deliver, ..Outcome::LATE };
        for signal in signals.into_iter().flatten() {
            let step = self.receive(id, signal)?;
            outcome = Outcome { answer: step.answer | outcome.answer, ..step };
        }
        Ok(outcome)
    }

    /// A frame has come on a stream; [`on_event`](Self::on_event) says which of them an event is.
    ///
    /// # Errors
    /// The peer's fault. The state is as it was, or of no more use.
    ///
    /// # Errors
    /// The peer's fault.
    pub fn receive(&mut self, id: StreamId, signal: Signal) -> Result<Outcome, Error> {
        if id.slot() == 0 || id.slot() > self.max || id.usage() >= StreamId::USES {
            return Err(Error::BadStream);
        }
        if let Signal::Request { body, ends, upgrade } = signal {
            return self.on_request(id, body, ends, upgrade);
        }
        let role = self.role;
        let Some(slot) = self.find(id) else { return self.on_stray(id, signal) };
        slot.step(role.peer(), signal).ok_or(Error::BadState)?;
        slot.allowance.on_bytes(signal.body())?;
        if let Signal::Window(credit) = signal {
            slot.credit.add(credit)?;
        }
        let deliver = !slot.deaf;
        let given_up = signal == Signal::Reset || signal.stops();
        let answer = given_up && *slot.half(role) != Half::Done;
        if answer {
            *slot.half(role) = Half::Done;
        }
        let closed = slot.is_free();
        if closed {
            self.release(id);
        }
        Ok(Outcome { deliver, answer, closed })
    }

    fn on_request(&mut self, id: StreamId, body: u32, ends: bool, upgrade: bool) -> Result<Outcome, Error> {
        let at = usize::from(id.slot()) - 1;
        if self.role == Role::Front || self.slots.get(at).is_some_and(|slot| !slot.is_free()) {
            return Err(Error::BadState);
        }
        let mut slot = self.fresh(id.usage(), ends, upgrade);
        slot.allowance.on_bytes(body)?;
        if at >= self.slots.len() {
            let free = Slot { front: Half::Done, worker: Half::Done, usage: StreamId::USES, ..slot };
            self.slots.resize(at + 1, free);
        }
        self.slots[at] = slot;
        self.open += 1;
        Ok(Outcome { deliver: true, answer: false, closed: false })
    }

    /// A frame that is not for an open stream. Some may come late: a worker does not know yet that the front has ended
    /// its half and so closed the stream when it grants credit, nor the front that the worker has when it cancels.
    fn on_stray(&self, id: StreamId, signal: Signal) -> Result<Outcome, Error> {
        let slot = self.slots.get(usize::from(id.slot()) - 1);
        let is_late = match (self.role, slot) {
            (Role::Front, Some(slot)) => {
                let last = if slot.is_free() { slot.usage } else { (slot.usage + StreamId::USES - 1) % StreamId::USES };
                matches!(signal, Signal::Window(_)) && id.usage() == last
            }
            (Role::Worker, Some(slot)) => {
                matches!(signal, Signal::Window(_) | Signal::Reset) && slot.is_free() && slot.usage == id.usage()
            }
            (Role::Front | Role::Worker, None) => false,
        };
        if is_late { Ok(Outcome::LATE) } else { Err(Error::BadStream) }
    }

    fn release(&mut self, id: StreamId) {
        self.open -= 1;
        if self.role == Role::Front {
            self.free.push(id.slot() - 1);
        }
    }

    /// Body bytes that may be sent on a stream now; 0 if it is closed.
    #[must_use]
    pub fn credit(&mut self, id: StreamId) -> u32 {
        self.find(id).map_or(0, |slot| slot.credit.left())
    }

    /// Body bytes that came and are not used up yet; 0 if the stream is closed.
    #[must_use]
    pub fn held(&mut self, id: StreamId) -> u32 {
        self.find(id).map_or(0, |slot| slot.allowance.held())
    }

    /// Body bytes of a stream have been used up: written to the client, or read by the application.
    pub fn on_used(&mut self, id: StreamId, bytes: u32) {
        if let Some(slot) = self.find(id) {
            slot.allowance.on_used(bytes);
        }
    }

    /// Credit that is to be sent in a WINDOW frame now, if any. Counts as sent.
    #[must_use]
    pub fn poll_grant(&mut self, id: StreamId) -> Option<u32> {
        let role = self.role;
        let slot = self.find(id)?;
        if slot.deaf || *slot.half(role.peer()) == Half::Done { None } else { slot.allowance.poll_grant() }
    }
}
