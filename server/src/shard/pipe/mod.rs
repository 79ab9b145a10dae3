//! Connections over which workers take many exchanges at a time, in frames of the pipe protocol.
//!
//! A worker dials in ([`door`]) and stays. Exchanges open streams on its [`Pipe`] and write frames into one [`outbox`];
//! what all of them wrote in a turn leaves in one vectored write. One reader takes what the worker sent, many frames in
//! one read, turns each into what its client is to get, and leaves that in the exchange's [`inbox`].
//!
//! Invariants: bodies are passed on as slices of what was read. A stream that is not taken holds up its own credit and
//! nobody else. A frame that is not as it should be breaks the connection, and the supervisor hears of it.

mod door;
mod inbox;
mod outbox;
mod stream;
mod table;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use forebay_core::buf::{Queue, Slice};
use forebay_core::dispatch::Seen;
use forebay_core::http1::{Forwarding, RequestFacts, RequestHead};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::pipe::{
    Client, End, Error, Event, HeadEncoder, Opening, ResetCode, Response, Role, Signal, StreamId, Streams, Unsendable,
    flag, put_reset, put_window,
};
use forebay_transports::Conn;

use super::over_http::ONE_READ_BYTES;
use super::pump::Fault;
use super::relay::{Garbled, Relay, Terms};
use super::{Engine, Shard};
use crate::bulletin::Bulletin;
pub(super) use door::welcome_workers;
use inbox::Inbox;
use outbox::Outbox;
pub(super) use stream::Stream;
pub(super) use table::Pipes;

/// Body bytes in one frame of a worker. 64 KiB: a frame of another stream waits no longer.
const DATA_BYTES_MAX: u32 = 64 * 1024;

/// Streams open at a time. What bounds exchanges is `limits.in_flight_max`; upgraded ones are not counted there.
const STREAMS_MAX: u16 = u16::MAX;

/// Bytes of a request's body that go in its first frame, if that is all of it. 16 KiB.
const INLINE_BYTES_MAX: usize = 16 * 1024;

/// Bytes that a Unix socket takes as one buffer. 16 KiB: half of what Linux tries first.
const ONE_BUFFER_BYTES: u64 = 16 * 1024;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The client's address as text.
    pub(super) address: &'a [u8],
    /// Its port.
    pub(super) port: u16,
    /// The port it connected to.
    pub(super) local_port: u16,
}

/// One connection to one worker's process.
pub(super) struct Pipe<E: Engine> {
    worker: WorkerId,
    generation: Generation,
    conn: E::Upstream,
    state: RefCell<State>,
    flush: Flush,
}

/// What its exchanges, its reader and its writer share.
struct State {
    /// Whether it takes new streams.
    is_open: bool,
    /// Whether nothing more can be sent or will come.
    is_dead: bool,
    streams: Streams,
    inboxes: Inboxes,
    out: Outbox,
    encoder: HeadEncoder,
    /// Bytes of the outbox that the socket accepted, and where the last write of them began.
    written: u64,
    last_write_at: u64,
    /// How far the worker has read for certain: up to the latest request that it has said anything to.
    read_to: u64,
    /// Body bytes the worker accepts in one frame, and in the first one.
    data_bytes_max: u32,
    inline_max: usize,
    heart: door::Heart,
}

/// Wakes the writer of a connection, once a turn.
#[derive(Default)]
struct Flush {
    wanted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Flush {
    fn want(&self) {
        if !self.wanted.replace(true)
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.wanted.take() {
            return Poll::Ready(());
        }
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// The inboxes of a connection. An exchange has one from its first frame until it is through with what came, which may
/// be after the stream's slot was given to another one.
#[derive(Default)]
struct Inboxes {
    all: Vec<Option<Inbox>>,
    free: Vec<u32>,
    /// Whose a slot is, less one.
    by_slot: Vec<u32>,
}

impl Inboxes {
    fn add(&mut self, id: StreamId, inbox: Inbox) -> u32 {
        let key = self.free.pop().unwrap_or_else(|| {
            self.all.push(None);
            (self.all.len() - 1) as u32
        });
        self.all[key as usize] = Some(inbox);
        let slot = usize::from(id.slot());
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, u32::MAX);
        }
        self.by_slot[slot] = key;
        key
    }

    fn is_empty(&self) -> bool {
        self.free.len() == self.all.len()
    }

    fn remove(&mut self, key: u32) {
        self.all[key as usize] = None;
        self.free.push(key);
    }

    /// The inbox of a stream that is open and wanted.
    fn of(&mut self, id: StreamId) -> Option<&mut Inbox> {
        let key = *self.by_slot.get(usize::from(id.slot()))?;
        self.all.get_mut(key as usize)?.as_mut()
    }

    fn get(&mut self, key: u32) -> Option<&mut Inbox> {
        self.all.get_mut(key as usize)?.as_mut()
    }
}

impl<E: Engine> Pipe<E> {
    fn new(from: &door::Introduced, conn: E::Upstream, shard: &Shard<E>, window: u32) -> Self {
        let state = State {
            is_open: true,
            is_dead: false,
            streams: Streams::new(Role::Front, STREAMS_MAX, from.window, window),
            inboxes: Inboxes::default(),
            out: Outbox::new(&shard.pool),
            encoder: HeadEncoder::default(),
            written: 0,
            last_write_at: 0,
            read_to: 0,
            data_bytes_max: from.data_bytes_max,
            inline_max: INLINE_BYTES_MAX.min(from.data_bytes_max.min(from.window) as usize),
            heart: door::Heart::new(E::now()),
        };
        let (worker, generation) = (from.worker, from.generation);
        Self { worker, generation, conn, state: RefCell::new(state), flush: Flush::default() }
    }

    /// Whether it takes requests for that process.
    fn serves(&self, generation: Generation, bulletin: &Bulletin) -> bool {
        self.generation == generation && self.state.borrow().is_open && !bulletin.is_demoted(self.worker, generation)
    }

    /// Opens a stream for a request, and sends its head, with the body if that is here and small.
    ///
    /// # Errors
    /// The head does not fit a frame, or no stream is left ([`Unsendable::Full`]).
    pub(super) fn open(
        self: Rc<Self>,
        head: &RequestHead<'_>,
        facts: &RequestFacts,
        forwarding: Option<&Forwarding<'_>>,
        origin: &Origin<'_>,
        relay: &mut Relay<'_>,
    ) -> Result<Stream<E>, Unsendable> {
        let mut state = self.state.borrow_mut();
        let State { streams, inboxes, out, encoder, inline_max, .. } = &mut *state;
        let whole = relay.request_done && relay.trailers().is_empty() && !facts.upgrade;
        let inline = relay.to_worker.len();
        let ends = whole && inline <= *inline_max;
        let body = if ends { inline as u32 } else { 0 };
        let id = streams.open(body, ends, facts.upgrade).map_err(|_misuse| Unsendable::Full)?;
        let client = Client { address: origin.address, port: origin.port, local_port: origin.local_port, https: false };
        let at = out.total();
        if let Err(error) = encoder.request(head, facts, forwarding, &Opening { stream: id, body, ends, client }, out) {
            streams.forget(id);
            return Err(error);
        }
        if ends {
            relay.to_worker.slices().iter().for_each(|piece| out.put_slice(piece.clone()));
            relay.to_worker.clear();
        }
        let mut inbox = Inbox::new(*facts, relay.marks, at);
        inbox.told |= body > 0;
        let key = inboxes.add(id, inbox);
        drop(state);
        self.flush.want();
        Ok(Stream::new(self, id, key, ends))
    }

    /// Sends what all exchanges wrote in a turn, turn by turn, until the connection is over.
    async fn write(&self) {
        loop {
            std::future::poll_fn(|cx| self.flush.poll(cx)).await;
            let mut queue = Queue::new();
            loop {
                if !self.take_output(&mut queue) {
                    return;
                }
                if queue.is_empty() {
                    break;
                }
                let (result, rest) = self.conn.write(queue).await;
                let Ok(count @ 1..) = result else {
                    // The reader learns the same, after all that the worker still had to say.
                    self.state.borrow_mut().is_open = false;
                    return;
                };
                self.on_written(count);
                queue = rest;
            }
        }
    }

    /// Adds what was written since; false when the connection is over.
    fn take_output(&self, queue: &mut Queue) -> bool {
        let mut state = self.state.borrow_mut();
        queue.append(&mut state.out.take());
        !state.is_dead
    }

    fn on_written(&self, count: usize) {
        let mut state = self.state.borrow_mut();
        state.last_write_at = state.written;
        state.written += count as u64;
    }

    /// Takes an event of a stream.
    fn on_event(&self, event: &Event<'_, Slice>, shard: &Shard<E>) -> Result<(), Error> {
        let mut state = self.state.borrow_mut();
        let outcome = state.streams.on_event(event)?;
        let Some((id, _)) = event.signals() else { return Ok(()) };
        let State { streams, inboxes, out, encoder, read_to, .. } = &mut *state;
        if outcome.answer {
            // Nine bytes always fit.
            let _fits = put_reset(id, ResetCode::Cancelled, out);
            self.flush.want();
        }
        if !outcome.deliver {
            if let Event::Data { piece, .. } = event {
                streams.on_used(id, piece.len() as u32);
            }
            return Ok(());
        }
        let Some(inbox) = inboxes.of(id) else { return Ok(()) };
        *read_to = (*read_to).max(inbox.request_at);
        match event {
            Event::Response { head, body, .. } => {
                respond(inbox, head, *body, false, shard).unwrap_or_else(|what| {
                    inbox.fail(Fault::Garbled(what));
                });
                if head.flags & flag::STOP != 0 {
                    inbox.on_stop();
                }
                if head.flags & flag::END != 0 && *body == 0 {
                    inbox.on_end(&End::PLAIN, &shard.pool);
                }
                // An upgrade that was refused: the request has no body.
                let refused = inbox.is_upgrade() && !outcome.closed;
                if refused && streams.send(id, Signal::End { stop: false }).is_ok() {
                    let _fits = encoder.end(id, false, std::iter::empty(), out);
                    self.flush.want();
                }
            }
            Event::Inform { head, .. } => {
                respond(inbox, head, 0, true, shard).unwrap_or_else(|what| inbox.fail(Fault::Garbled(what)));
            }
            Event::Data { piece, ends, .. } => {
                let dropped = inbox.on_data(piece.clone(), &shard.pool);
                if *ends {
                    inbox.on_end(&End::PLAIN, &shard.pool);
                } else if dropped > 0 {
                    streams.on_used(id, dropped as u32);
                }
            }
            Event::End { end, .. } => inbox.on_end(end, &shard.pool),
            Event::Reset { code, .. } => inbox.on_reset(*code),
            Event::Window { .. } => inbox.nudge(),
            Event::Raw(_) => inbox.on_raw(),
            Event::Hello(_)
            | Event::Welcome(_)
            | Event::Ping(_)
            | Event::Pong(_)
            | Event::Stats(_)
            | Event::Drain
            | Event::Closing
            | Event::Demote(_)
            | Event::Stack(_)
            | Event::Request { .. } => {}
        }
        Ok(())
    }

    /// The connection is over: every exchange on it has failed, but for those that are complete. `reset` says that the
    /// worker left bytes unread (unix(7)).
    fn on_broken(&self, reset: bool) {
        let mut state = self.state.borrow_mut();
        (state.is_open, state.is_dead) = (false, true);
        let (written, last) = (state.written, state.last_write_at);
        // A write of that size is one buffer of the kernel, and a read that has room for all there can be takes buffers
        // whole: then what was left unread is at least the last one.
        let is_whole = written - last <= ONE_BUFFER_BYTES && written - state.read_to <= ONE_READ_BYTES;
        let unread_from = if reset && is_whole { last } else { written };
        for inbox in state.inboxes.all.iter_mut().flatten() {
            inbox.fail(Fault::Worker(if inbox.request_at >= written {
                Seen::Nothing
            } else if inbox.request_at >= unread_from {
                Seen::Unread
            } else {
                Seen::Perhaps
            }));
        }
        drop(state);
        self.flush.want();
    }

    /// Grants credit for what a client has taken.
    fn grant(&self, id: StreamId, bytes: usize) {
        let mut state = self.state.borrow_mut();
        let State { streams, out, .. } = &mut *state;
        streams.on_used(id, u32::try_from(bytes).unwrap_or(u32::MAX));
        if let Some(credit) = streams.poll_grant(id) {
            // Twelve bytes always fit.
            let _fits = put_window(id, credit, out);
            drop(state);
            self.flush.want();
        }
    }
}

fn respond<E: Engine>(
    inbox: &mut Inbox,
    head: &Response<'_>,
    body: u32,
    informational: bool,
    shard: &Shard<E>,
) -> Result<(), Garbled> {
    let date = shard.date.borrow();
    let terms = Terms { may_keep_alive: shard.is_serving(), date: &date[..], now: shard.timers.now(), mark: shard };
    inbox.on_head(head, body, informational, &shard.pool, &terms)
}
