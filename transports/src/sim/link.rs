//! Two ends and what travels between them: an ordered pipe with a bounded buffer in each direction.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use forebay_core::buf::{Chunk, Queue};
use forebay_core::time::Timestamp;

use super::timers::Event;
use super::world::{self, World};

/// What reaches one end from the other.
pub(super) enum Arrival {
    Bytes(Vec<u8>),
    /// The other end sends no more.
    End,
    /// The other end is gone and has thrown bytes away.
    Reset,
}

/// What one end has and knows.
#[derive(Default)]
struct Side {
    /// Arrived and not read yet.
    inbox: VecDeque<u8>,
    /// Bytes on the way here. With the inbox, at most [`Config::buffer_bytes`](super::Config::buffer_bytes).
    coming: usize,
    /// Arrivals that are scheduled, and when the last of them is due: nothing overtakes it.
    scheduled: usize,
    last_arrival: Timestamp,
    /// The other end has finished.
    end_received: bool,
    /// We have finished.
    end_sent: bool,
    reset: bool,
    aborted: bool,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Side {
    fn wake_all(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }
}

pub(super) struct Link {
    name: u64,
    sides: RefCell<[Side; 2]>,
}

const fn other(side: usize) -> usize {
    1 - side
}

impl Link {
    pub(super) fn new(world: &World) -> Rc<Self> {
        Rc::new(Self { name: world.next_name(), sides: RefCell::default() })
    }

    pub(super) fn poll_read(&self, side: usize, chunk: &mut Chunk, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let world = world::current();
        let mut sides = self.sides.borrow_mut();
        let me = &mut sides[side];
        if me.aborted {
            return Poll::Ready(Ok(0));
        }
        if me.inbox.is_empty() {
            if me.reset {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            if me.end_received {
                return Poll::Ready(Ok(0));
            }
            me.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = some_of(&world, me.inbox.len().min(chunk.spare()));
        let (front, back) = me.inbox.as_slices();
        let split = count.min(front.len());
        let put = chunk.put(&front[..split]).and_then(|()| chunk.put(&back[..count - split]));
        debug_assert!(put.is_ok(), "no more is taken than fits");
        me.inbox.drain(..count);
        sides[other(side)].writer.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    pub(super) fn poll_write(
        self: &Rc<Self>,
        side: usize,
        parts: &Queue,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let world = world::current();
        let mut sides = self.sides.borrow_mut();
        let peer = &sides[other(side)];
        let room = world.config.buffer_bytes.saturating_sub(peer.inbox.len() + peer.coming);
        let me = &mut sides[side];
        if me.reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if me.aborted || me.end_sent {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if room == 0 {
            me.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(sides);
        let count = some_of(&world, parts.len().min(room));
        let mut bytes = Vec::with_capacity(count);
        for slice in parts.slices() {
            bytes.extend_from_slice(&slice[..slice.len().min(count - bytes.len())]);
        }
        self.send(&world, other(side), Arrival::Bytes(bytes));
        Poll::Ready(Ok(count))
    }

    /// Puts something on its way to the end `to`, after all that is on its way there already.
    fn send(self: &Rc<Self>, world: &World, to: usize, what: Arrival) {
        let mut sides = self.sides.borrow_mut();
        let target = &mut sides[to];
        if let Arrival::Bytes(bytes) = &what {
            target.coming += bytes.len();
        }
        let at = (world.now() + world.latency()).max(target.last_arrival);
        target.last_arrival = at;
        target.scheduled += 1;
        let at_once = target.scheduled == 1 && at <= world.now();
        drop(sides);
        if at_once {
            self.arrive(to, what);
        } else {
            world.timers.schedule(at, Event::Arrive { link: Rc::clone(self), side: to, what });
        }
    }

    /// What was sent gets there.
    pub(super) fn arrive(self: &Rc<Self>, to: usize, what: Arrival) {
        let world = world::current();
        let mut sides = self.sides.borrow_mut();
        let target = &mut sides[to];
        target.scheduled -= 1;
        match what {
            Arrival::Bytes(bytes) => {
                world.note(self.name << 32 | bytes.len() as u64);
                target.coming -= bytes.len();
                let gone = target.aborted || target.closed;
                if !gone && !target.reset {
                    target.inbox.extend(bytes);
                    target.reader.take().into_iter().for_each(Waker::wake);
                    return;
                }
                // Room came free at once.
                sides[other(to)].writer.take().into_iter().for_each(Waker::wake);
                drop(sides);
                if gone {
                    self.send(&world, other(to), Arrival::Reset);
                }
            }
            Arrival::End => {
                target.end_received = true;
                target.reader.take().into_iter().for_each(Waker::wake);
            }
            Arrival::Reset => {
                target.reset = true;
                // Some systems throw away what had arrived before a reset, some do not.
                if world.strikes(|faults| if faults.reset > 0 { 500 } else { 0 }) {
                    target.inbox.clear();
                }
                target.wake_all();
            }
        }
    }

    pub(super) fn finish(self: &Rc<Self>, side: usize) {
        let Some(world) = world::try_current() else { return };
        let mut sides = self.sides.borrow_mut();
        let me = &mut sides[side];
        if me.end_sent || me.aborted || me.reset {
            return;
        }
        me.end_sent = true;
        me.writer.take().into_iter().for_each(Waker::wake);
        drop(sides);
        self.send(&world, other(side), Arrival::End);
    }

    /// Breaks both directions at this end. The other end learns it in order; what is unread makes it a reset.
    pub(super) fn abort(self: &Rc<Self>, side: usize) {
        let Some(world) = world::try_current() else { return };
        let mut sides = self.sides.borrow_mut();
        let me = &mut sides[side];
        if me.aborted {
            return;
        }
        me.aborted = true;
        me.wake_all();
        let unread = !me.inbox.is_empty();
        me.inbox = VecDeque::new();
        let silent = me.reset || (me.end_sent && !unread);
        me.end_sent = true;
        sides[other(side)].writer.take().into_iter().for_each(Waker::wake);
        drop(sides);
        if !silent {
            self.send(&world, other(side), if unread { Arrival::Reset } else { Arrival::End });
        }
    }

    /// Breaks both directions at this end, and the other end learns that it was no proper end.
    pub(super) fn reset(self: &Rc<Self>, side: usize) {
        let Some(world) = world::try_current() else { return };
        let mut sides = self.sides.borrow_mut();
        let me = &mut sides[side];
        if me.aborted {
            return;
        }
        (me.aborted, me.end_sent) = (true, true);
        me.wake_all();
        me.inbox = VecDeque::new();
        let is_known = me.reset;
        sides[other(side)].writer.take().into_iter().for_each(Waker::wake);
        drop(sides);
        if !is_known {
            self.send(&world, other(side), Arrival::Reset);
        }
    }

    /// The end is dropped, or its process is gone.
    pub(super) fn close(self: &Rc<Self>, side: usize) {
        self.abort(side);
        self.sides.borrow_mut()[side].closed = true;
    }

    /// Breaks the connection for both ends at once: what is between them is gone.
    pub(super) fn cut(&self) {
        for side in &mut *self.sides.borrow_mut() {
            side.reset = true;
            side.wake_all();
        }
    }

    pub(super) fn is_quiet(&self, side: usize) -> bool {
        let me = &self.sides.borrow()[side];
        me.inbox.is_empty() && !(me.aborted || me.reset || me.end_received)
    }

    pub(super) const fn name(&self) -> u64 {
        self.name
    }
}

/// All of `most`, which is not zero, or where the fault strikes at least one: often a single byte, the hardest case.
fn some_of(world: &World, most: usize) -> usize {
    if !world.strikes(|faults| faults.partial) {
        return most;
    }
    world.chaos(|random| if random.chance(300) { 1 } else { 1 + random.below(most) })
}
