//! Moves the bytes of one attempt: the client's reads and writes and whatever its worker's side has to do, and on with
//! whichever completes first.
//!
//! Reading is paused while what was read cannot be written, so back-pressure reaches from one end to the other. The
//! client is read even when nothing is expected of it: that is how its leaving is noticed at once, and the read goes
//! on to be the next request's first.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use forebay_core::buf::{Chunk, Queue};
use forebay_core::dispatch::Seen;
use forebay_core::http1::Reject;
use forebay_core::time::Timestamp;
use forebay_transports::{Completion, Conn, Written};

use super::lease::Lease;
use super::op::{Op, settle, writer};
use super::relay::{GATHER_TIME, Garbled, Relay, Sent};
use super::timers::{TICK, Timer};
use super::{Engine, Shard};

/// The end of a client's direction within this time of its request belongs to the request (`nc -N`, the last of some
/// pipelined ones): it has nothing to add and waits. Later it has left, and the worker is told. 150 µs: a stream's end
/// does not say which, but within that time no application has begun, and node too answers what came with the end.
const END_WITH_REQUEST: Duration = Duration::from_micros(150);

/// How long such a client is given what the worker says, again after each piece: it may have left nevertheless. 100 ms.
const HALF_CLOSE_GRACE: Duration = Duration::from_millis(100);

/// Why an attempt ended without a complete exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The client has gone, or takes nothing.
    Client(Left),
    /// The request's body is not acceptable, or did not come.
    Request(Reject),
    /// The worker's connection ended, or the worker gave the exchange up.
    Worker(Seen),
    /// The worker sent something that is not a response.
    Garbled(Garbled),
    /// The response did not begin in time.
    Silent,
    /// The response, or both directions of a tunnel, stood still for too long.
    Stalled,
}

/// How it shows that a client has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Its direction has ended.
    Gone,
    /// It cannot be written to.
    Unwritable,
    /// It takes nothing for too long.
    Slow,
}

/// How a worker is reached: the half of an attempt that differs from one transport to the other. What it has for the
/// worker it takes from the relay, what the worker says it gives the relay.
pub(super) trait Side {
    /// Whether a direction can end for itself.
    const HALF_CLOSE: bool;

    /// Hands over what waits for the worker, and asks for what the worker says while the client has room for it.
    fn start(&mut self, relay: &mut Relay<'_>, client_has_room: bool);

    /// Ready when something of that came to pass, or failed.
    fn poll(&mut self, cx: &mut Context<'_>, relay: &mut Relay<'_>) -> Poll<Result<(), Fault>>;

    /// Bytes that were taken from the relay and have not reached the worker's connection yet.
    fn in_flight(&self) -> usize;

    /// Whether the whole request was handed over.
    fn has_sent_all(&self, relay: &Relay<'_>) -> bool;

    /// Whether the worker accepts no more.
    fn is_deaf(&self) -> bool;

    /// How far the request has come.
    fn sent(&self, relay: &Relay<'_>) -> Sent;

    /// The client has accepted `bytes`; nothing waits for it any more if `empty`.
    fn on_client_wrote(&mut self, bytes: usize, empty: bool);

    /// Tunnels: the client says no more.
    fn finish(&mut self);

    /// The attempt is over: nothing of it is in flight afterwards.
    async fn settle(&mut self, relay: &mut Relay<'_>);
}

enum Event {
    Worker(Result<(), Fault>),
    ClientRead(Completion),
    ClientWrote(Written),
    Deadline,
}

/// What the attempt has come to so far.
struct Flow<'a, 's, E: Engine, S> {
    shard: &'s Shard<E>,
    relay: &'a mut Relay<'s>,
    side: &'a mut S,
    /// Bytes in the write to the client that is in flight.
    to_client: usize,
    /// Tunnels: the end of one direction was passed on.
    client_finished: bool,
    worker_finished: bool,
    /// Since when each end is waited for, on the coarse clock.
    client_write_since: Timestamp,
    client_read_since: Timestamp,
    worker_since: Timestamp,
}

/// Runs one attempt to its end. On success the exchange is complete and nothing is in flight but, perhaps, a read
/// from the client; on failure the worker's side is broken and quiet.
///
/// # Errors
/// Why it could not be completed.
pub(super) async fn pump<'s, E: Engine>(
    shard: &'s Shard<E>,
    relay: &mut Relay<'s>,
    client: &E::Downstream,
    mut client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    side: &mut impl Side,
    lease: &mut Lease<'_, E>,
    timer: &Timer,
) -> Result<(), Fault> {
    let mut client_writes = pin!(writer(client));
    let now = shard.timers.now();
    let mut flow = Flow {
        shard,
        relay,
        side,
        to_client: 0,
        client_finished: false,
        worker_finished: false,
        client_write_since: now,
        client_read_since: now,
        worker_since: now,
    };
    let result = loop {
        flow.start(client_reads.as_mut(), client_writes.as_mut());
        if flow.relay.is_tunnel() {
            lease.become_tunnel();
            flow.pass_on_ends(client);
        }
        if flow.is_over() {
            break Ok(());
        }
        let (deadline, fault) = flow.due();
        timer.set_at(deadline);
        let step = match flow.next(client_reads.as_mut(), client_writes.as_mut(), timer).await {
            Event::Worker(result) => flow.on_worker(result),
            Event::ClientRead(done) => flow.on_client_read(done),
            Event::ClientWrote(done) => flow.on_client_wrote(done),
            Event::Deadline if flow.ends_gathering() => Ok(()),
            Event::Deadline => Err(fault),
        };
        if let Err(fault) = step {
            break Err(fault);
        }
    };
    timer.clear();
    if result.is_err() {
        flow.relay.sent = flow.side.sent(flow.relay);
        flow.relay.forget_gathered();
    }
    flow.side.settle(flow.relay).await;
    // A response that ends with its connection would look whole.
    if result.is_err() && flow.relay.ends_with_connection() {
        client.reset();
    }
    if client_writes.is_busy() {
        client.abort();
        settle(client_writes).await;
    }
    result
}

impl<'s, E: Engine, S: Side> Flow<'_, 's, E, S> {
    fn now(&self) -> Timestamp {
        self.shard.timers.now()
    }

    /// Starts every operation that is wanted and possible.
    fn start<CR, CW>(&mut self, client_reads: Pin<&mut CR>, client_writes: Pin<&mut CW>)
    where
        CR: Op<Chunk, Done = Completion>,
        CW: Op<Queue, Done = Written>,
    {
        let relay = &mut *self.relay;
        let window = relay.live.limits.window_bytes as usize;
        if !client_writes.is_busy() && !relay.to_client.is_empty() && !relay.holds_back() {
            self.to_client = relay.to_client.len();
            self.client_write_since = self.shard.timers.now();
            client_writes.start(std::mem::take(&mut relay.to_client));
        }
        let to_client_full = relay.to_client.is_full(window.saturating_sub(self.to_client).max(1));
        self.side.start(relay, !to_client_full);
        let to_worker_full = relay.to_worker.is_full(window.saturating_sub(self.side.in_flight()).max(1));
        let client_wanted = if relay.is_tunnel() || !relay.request_done {
            !to_worker_full && !self.side.is_deaf()
        } else {
            relay.carry.is_none()
        };
        if !client_reads.is_busy() && client_wanted && !relay.client_ended {
            self.client_read_since = self.shard.timers.now();
            client_reads.start(self.shard.pool.take(relay.client_size));
        }
    }

    /// What completes next. The worker comes first: writes to it usually complete where they start, without waiting.
    async fn next<CR, CW>(
        &mut self,
        mut client_reads: Pin<&mut CR>,
        mut client_writes: Pin<&mut CW>,
        timer: &Timer,
    ) -> Event
    where
        CR: Op<Chunk, Done = Completion>,
        CW: Op<Queue, Done = Written>,
    {
        poll_fn(|cx| {
            if let Poll::Ready(result) = self.side.poll(cx, self.relay) {
                return Poll::Ready(Event::Worker(result));
            }
            if let Poll::Ready(done) = client_writes.as_mut().poll(cx) {
                return Poll::Ready(Event::ClientWrote(done));
            }
            if let Poll::Ready(done) = client_reads.as_mut().poll(cx) {
                return Poll::Ready(Event::ClientRead(done));
            }
            timer.poll(cx).map(|()| Event::Deadline)
        })
        .await
    }

    /// Whether nothing more is to be done.
    fn is_over(&self) -> bool {
        let relay = &*self.relay;
        if relay.is_tunnel() {
            return self.client_finished && self.worker_finished;
        }
        let Some((_, delivery)) = &relay.delivery else {
            return false;
        };
        let answered = relay.response_done() && self.to_client == 0 && relay.to_client.is_empty();
        let sent = relay.request_done && self.side.has_sent_all(relay);
        // A connection that is closed anyway need not bring the rest of its request.
        answered && (sent || self.side.is_deaf() || relay.worker_spent || !delivery.keep_alive)
    }

    /// Tunnels: an end that has said all it will is passed on once everything before it was written.
    fn pass_on_ends(&mut self, client: &E::Downstream) {
        let relay = &*self.relay;
        if relay.client_ended && !self.worker_finished && self.side.has_sent_all(relay) {
            self.worker_finished = true;
            self.side.finish();
        }
        if relay.worker_spent && !self.client_finished && self.to_client == 0 && relay.to_client.is_empty() {
            self.client_finished = true;
            client.finish();
        }
        // A worker that is gone takes nothing, so nothing is waited for.
        self.worker_finished |= self.side.is_deaf();
        if (self.client_finished || self.worker_finished) && !S::HALF_CLOSE {
            (self.client_finished, self.worker_finished) = (true, true);
        }
    }

    /// Until when something has to happen, and what it means if it does not.
    fn due(&self) -> (Timestamp, Fault) {
        let (relay, limits) = (&*self.relay, &self.relay.live.limits);
        let mut due = (Timestamp::NEVER, Fault::Stalled);
        let mut at = |since: Timestamp, wait, fault| {
            let deadline = since + TICK + wait;
            if deadline < due.0 {
                due = (deadline, fault);
            }
        };
        if self.to_client > 0 {
            at(self.client_write_since, limits.send_timeout, Fault::Client(Left::Slow));
        }
        if let Some(since) = relay.gathers_since() {
            at(since, GATHER_TIME, Fault::Stalled);
        }
        if relay.is_tunnel() {
            let half_closed = self.client_finished || self.worker_finished;
            let wait = if half_closed { limits.send_timeout } else { limits.tunnel_idle_timeout };
            at(self.client_read_since.max(self.worker_since), wait, Fault::Stalled);
            return due;
        }
        if relay.client_ended && self.to_client == 0 {
            at(self.client_read_since.max(self.worker_since), HALF_CLOSE_GRACE, Fault::Client(Left::Gone));
        }
        // A client that asked whether to send its body is not late before it was told to.
        let worker_waits = self.side.in_flight() == 0
            && relay.to_worker.is_empty()
            && !self.side.is_deaf()
            && !relay.awaits_continue();
        if !relay.request_done && worker_waits {
            let late = Reject { status: 408, reason: "The request's body did not arrive in time." };
            at(self.client_read_since, limits.body_idle_timeout, Fault::Request(late));
        } else if !relay.response_begun() {
            at(self.worker_since, limits.response_start_timeout, Fault::Silent);
        } else if self.to_client == 0 && (!relay.response_done() || !self.side.has_sent_all(relay)) {
            // Also a worker that has answered, and never takes the rest of the body.
            at(self.worker_since, limits.response_idle_timeout, Fault::Stalled);
        }
        due
    }

    /// Whether it was a response's time to wait for more that has passed; it flows from now on.
    fn ends_gathering(&mut self) -> bool {
        let is_over = self.relay.gathers_since().is_some_and(|since| self.now() >= since + TICK + GATHER_TIME);
        if is_over {
            self.relay.flow();
        }
        is_over
    }

    fn on_client_read(&mut self, (result, chunk): Completion) -> Result<(), Fault> {
        self.client_read_since = self.now();
        match result {
            Ok(0) | Err(_) => {
                self.relay.client_ended = true;
                // What is complete is still delivered; an unfinished request or an awaited response is given up.
                let complete = self.relay.request_done && self.relay.response_done();
                let early = || E::now().since(self.relay.began) < END_WITH_REQUEST;
                let half_closed = self.relay.is_tunnel() || self.relay.request_done && early();
                if complete || result.is_ok() && half_closed { Ok(()) } else { Err(Fault::Client(Left::Gone)) }
            }
            Ok(count) => {
                self.relay.client_size = chunk.size().after_read(count);
                self.relay.on_client_bytes(chunk.freeze()).map_err(Fault::Request)
            }
        }
    }

    fn on_client_wrote(&mut self, (result, mut rest): Written) -> Result<(), Fault> {
        self.to_client = 0;
        match result {
            Err(_) | Ok(0) => Err(Fault::Client(Left::Unwritable)),
            Ok(count) => {
                rest.append(&mut self.relay.to_client);
                self.relay.to_client = rest;
                self.side.on_client_wrote(count, self.relay.to_client.is_empty());
                // What the client took its time for held the worker back: its turn begins now.
                self.worker_since = self.now();
                Ok(())
            }
        }
    }

    fn on_worker(&mut self, result: Result<(), Fault>) -> Result<(), Fault> {
        self.worker_since = self.now();
        if self.relay.take_continued() {
            self.client_read_since = self.worker_since;
        }
        result
    }
}
