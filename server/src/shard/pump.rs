//! Moves the bytes of one attempt: up to four operations in flight, and on with whichever completes first.
//!
//! Reading is paused while what was read cannot be written, so back-pressure reaches from one end to the other. The
//! client is read even when nothing is expected of it: that is how its leaving is noticed at once, and the read goes
//! on to be the next request's first.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use forebay_core::buf::{Chunk, Queue};
use forebay_core::dispatch::Seen;
use forebay_core::http1::Reject;
use forebay_core::time::Timestamp;
use forebay_transports::{Completion, Conn, Written};

use super::lease::Lease;
use super::op::{Op, reader, settle, writer};
use super::relay::{Relay, Terms};
use super::timers::{TICK, Timer};
use super::{Engine, Shard};

/// Bytes in one write beyond which a worker may have read part of it before it closed: node reads 64 KiB at a time.
const ONE_READ_BYTES: u64 = 64 * 1024;

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
    Client,
    /// The request's body is not acceptable, or did not come.
    Request(Reject),
    /// The worker's connection ended.
    Worker(Seen),
    /// The worker sent something that is not a response.
    Garbled(&'static str),
    /// The response did not begin in time.
    Silent,
    /// The response, or both directions of a tunnel, stood still for too long.
    Stalled,
}

enum Event {
    ClientRead(Completion),
    ClientWrote(Written),
    WorkerRead(Completion),
    WorkerWrote(Written),
    Deadline,
}

/// The four places for operations.
struct Ends<'p, CR, CW, WR, WW> {
    client_reads: Pin<&'p mut CR>,
    client_writes: Pin<&'p mut CW>,
    worker_reads: Pin<&'p mut WR>,
    worker_writes: Pin<&'p mut WW>,
}

impl<CR, CW, WR, WW> Ends<'_, CR, CW, WR, WW>
where
    CR: Op<Chunk, Done = Completion>,
    CW: Op<Queue, Done = Written>,
    WR: Op<Chunk, Done = Completion>,
    WW: Op<Queue, Done = Written>,
{
    /// What completes next. Writes come first: they usually complete where they start, without waiting.
    async fn next(&mut self, timer: &Timer) -> Event {
        poll_fn(|cx| {
            if let Poll::Ready(done) = self.worker_writes.as_mut().poll(cx) {
                return Poll::Ready(Event::WorkerWrote(done));
            }
            if let Poll::Ready(done) = self.client_writes.as_mut().poll(cx) {
                return Poll::Ready(Event::ClientWrote(done));
            }
            if let Poll::Ready(done) = self.worker_reads.as_mut().poll(cx) {
                return Poll::Ready(Event::WorkerRead(done));
            }
            if let Poll::Ready(done) = self.client_reads.as_mut().poll(cx) {
                return Poll::Ready(Event::ClientRead(done));
            }
            timer.poll(cx).map(|()| Event::Deadline)
        })
        .await
    }
}

/// What the attempt has come to so far.
struct Flow<'a, 's, E: Engine> {
    shard: &'s Shard<E>,
    relay: &'a mut Relay<'s>,
    /// Bytes in the write to the client that is in flight; likewise to the worker.
    to_client: usize,
    to_worker: usize,
    /// Bytes the worker's socket accepted, and in how many writes.
    accepted: u64,
    writes: u32,
    /// The worker accepts no more.
    deaf: bool,
    /// Tunnels: the end of one direction was passed on.
    client_finished: bool,
    worker_finished: bool,
    /// Since when each end is waited for, on the coarse clock.
    client_write_since: Timestamp,
    client_read_since: Timestamp,
    worker_since: Timestamp,
}

/// Runs one attempt to its end. On success the exchange is complete and nothing is in flight but, perhaps, a read
/// from the client; on failure the worker's connection is broken and quiet.
///
/// # Errors
/// Why it could not be completed.
pub(super) async fn pump<'s, E: Engine>(
    shard: &'s Shard<E>,
    relay: &mut Relay<'s>,
    client: &E::Downstream,
    client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    worker: &E::Upstream,
    lease: &mut Lease<'_, E>,
    timer: &Timer,
) -> Result<(), Fault> {
    let (client_writes, worker_reads, worker_writes) =
        (pin!(writer(client)), pin!(reader(worker)), pin!(writer(worker)));
    let mut ends = Ends { client_reads, client_writes, worker_reads, worker_writes };
    let now = shard.timers.now();
    let mut flow = Flow {
        shard,
        relay,
        to_client: 0,
        to_worker: 0,
        accepted: 0,
        writes: 0,
        deaf: false,
        client_finished: false,
        worker_finished: false,
        client_write_since: now,
        client_read_since: now,
        worker_since: now,
    };
    let result = loop {
        flow.start(&mut ends);
        if flow.relay.is_tunnel() {
            lease.become_tunnel();
            flow.pass_on_ends(client, worker);
        }
        if flow.is_over() {
            break Ok(());
        }
        let (deadline, fault) = flow.due();
        timer.set_at(deadline);
        let step = match ends.next(timer).await {
            Event::ClientRead(done) => flow.on_client_read(done),
            Event::ClientWrote(done) => flow.on_client_wrote(done),
            Event::WorkerRead(done) => flow.on_worker_read(done),
            Event::WorkerWrote(done) => flow.on_worker_wrote(done),
            Event::Deadline => Err(fault),
        };
        if let Err(fault) = step {
            break Err(fault);
        }
    };
    timer.clear();
    // Complete or not, a connection that was broken off carries no other request.
    flow.relay.worker_spent |= flow.deaf || ends.worker_reads.is_busy() || ends.worker_writes.is_busy();
    if ends.worker_reads.is_busy() || ends.worker_writes.is_busy() {
        worker.abort();
        settle(ends.worker_reads).await;
        settle(ends.worker_writes).await;
    }
    if ends.client_writes.is_busy() {
        client.abort();
        settle(ends.client_writes).await;
    }
    result
}

impl<'s, E: Engine> Flow<'_, 's, E> {
    fn now(&self) -> Timestamp {
        self.shard.timers.now()
    }

    /// Starts every operation that is wanted and possible.
    fn start<CR, CW, WR, WW>(&mut self, ends: &mut Ends<'_, CR, CW, WR, WW>)
    where
        CR: Op<Chunk, Done = Completion>,
        CW: Op<Queue, Done = Written>,
        WR: Op<Chunk, Done = Completion>,
        WW: Op<Queue, Done = Written>,
    {
        let window = self.shard.limits.window_bytes as usize;
        let relay = &mut *self.relay;
        if !ends.worker_writes.is_busy() && !relay.to_worker.is_empty() {
            self.to_worker = relay.to_worker.len();
            ends.worker_writes.as_mut().start(std::mem::take(&mut relay.to_worker));
        }
        if !ends.client_writes.is_busy() && !relay.to_client.is_empty() {
            self.to_client = relay.to_client.len();
            self.client_write_since = self.shard.timers.now();
            ends.client_writes.as_mut().start(std::mem::take(&mut relay.to_client));
        }
        let to_client_full = relay.to_client.is_full(window.saturating_sub(self.to_client).max(1));
        let worker_speaks = !relay.response_done() && !relay.worker_spent;
        if !ends.worker_reads.is_busy() && worker_speaks && !to_client_full {
            ends.worker_reads.as_mut().start(relay.worker_chunk());
        }
        let to_worker_full = relay.to_worker.is_full(window.saturating_sub(self.to_worker).max(1));
        let client_wanted = if relay.is_tunnel() || !relay.request_done {
            !to_worker_full && !self.deaf
        } else {
            relay.carry.is_none()
        };
        if !ends.client_reads.is_busy() && client_wanted && !relay.client_ended {
            self.client_read_since = self.shard.timers.now();
            ends.client_reads.as_mut().start(self.shard.pool.take(relay.client_size));
        }
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
        let sent = relay.request_done && self.to_worker == 0 && relay.to_worker.is_empty();
        // A connection that is closed anyway need not bring the rest of its request.
        answered && (sent || self.deaf || relay.worker_spent || !delivery.keep_alive)
    }

    /// Tunnels: an end that has said all it will is passed on once everything before it was written.
    fn pass_on_ends(&mut self, client: &E::Downstream, worker: &E::Upstream) {
        let relay = &*self.relay;
        let written = |queue: &Queue, in_flight: usize| queue.is_empty() && in_flight == 0;
        if relay.client_ended && !self.worker_finished && written(&relay.to_worker, self.to_worker) {
            self.worker_finished = true;
            worker.finish();
        }
        if relay.worker_spent && !self.client_finished && written(&relay.to_client, self.to_client) {
            self.client_finished = true;
            client.finish();
        }
        // A worker that is gone takes nothing, so nothing is waited for.
        self.worker_finished |= self.deaf;
        if (self.client_finished || self.worker_finished) && !E::HALF_CLOSE {
            (self.client_finished, self.worker_finished) = (true, true);
        }
    }

    /// Until when something has to happen, and what it means if it does not.
    fn due(&self) -> (Timestamp, Fault) {
        let (relay, limits) = (&*self.relay, &self.shard.limits);
        let mut due = (Timestamp::NEVER, Fault::Stalled);
        let mut at = |since: Timestamp, wait, fault| {
            let deadline = since + TICK + wait;
            if deadline < due.0 {
                due = (deadline, fault);
            }
        };
        if self.to_client > 0 {
            at(self.client_write_since, limits.send_timeout, Fault::Client);
        }
        if relay.is_tunnel() {
            let half_closed = self.client_finished || self.worker_finished;
            let wait = if half_closed { limits.send_timeout } else { limits.tunnel_idle_timeout };
            at(self.client_read_since.max(self.worker_since), wait, Fault::Stalled);
            return due;
        }
        if relay.client_ended && self.to_client == 0 {
            at(self.client_read_since.max(self.worker_since), HALF_CLOSE_GRACE, Fault::Client);
        }
        // A client that asked whether to send its body is not late before it was told to.
        let worker_waits = self.to_worker == 0 && !self.deaf && !relay.awaits_continue();
        if !relay.request_done && worker_waits {
            let late = Reject { status: 408, reason: "The request's body did not arrive in time." };
            at(self.client_read_since, limits.body_idle_timeout, Fault::Request(late));
        } else if !relay.response_begun() {
            at(self.worker_since, limits.response_start_timeout, Fault::Silent);
        } else if self.to_client == 0 && (!relay.response_done() || self.to_worker > 0) {
            // Also a worker that has answered, and never takes the rest of the body.
            at(self.worker_since, limits.response_idle_timeout, Fault::Stalled);
        }
        due
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
                if complete || result.is_ok() && half_closed { Ok(()) } else { Err(Fault::Client) }
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
            Err(_) | Ok(0) => Err(Fault::Client),
            Ok(_) => {
                rest.append(&mut self.relay.to_client);
                self.relay.to_client = rest;
                self.worker_since = self.worker_since.max(self.client_write_since);
                Ok(())
            }
        }
    }

    fn on_worker_read(&mut self, (result, chunk): Completion) -> Result<(), Fault> {
        self.worker_since = self.now();
        match result {
            Ok(count @ 1..) => {
                let terms = Terms { may_keep_alive: self.shard.is_serving(), date: &self.shard.date.borrow()[..] };
                let asked = self.relay.awaits_continue();
                let result = self.relay.on_worker_bytes(chunk, count, &terms).map_err(Fault::Garbled);
                if asked && !self.relay.awaits_continue() {
                    self.client_read_since = self.now();
                }
                result
            }
            // A tunnel's end is passed on, a broken one is cut.
            Ok(0) if self.relay.on_worker_end() => Ok(()),
            Ok(_) => Err(Fault::Worker(self.seen(None))),
            Err(error) => {
                self.relay.worker_spent = true;
                Err(Fault::Worker(self.seen(Some(&error))))
            }
        }
    }

    fn on_worker_wrote(&mut self, (result, mut rest): Written) -> Result<(), Fault> {
        self.to_worker = 0;
        self.worker_since = self.now();
        match result {
            // It may have answered before it closed: what it said is read first.
            Err(_) | Ok(0) => {
                self.deaf = true;
                self.relay.to_worker.clear();
            }
            Ok(count) => {
                self.accepted += count as u64;
                self.writes += 1;
                rest.append(&mut self.relay.to_worker);
                self.relay.to_worker = rest;
            }
        }
        Ok(())
    }

    /// What the worker can have seen of the request, now that its connection has ended.
    fn seen(&self, error: Option<&io::Error>) -> Seen {
        let reset = error.is_some_and(|error| error.kind() == ErrorKind::ConnectionReset);
        if self.accepted == 0 {
            Seen::Nothing
        } else if reset && self.writes == 1 && self.accepted <= ONE_READ_BYTES {
            // unix(7): the reset says that bytes were unread; what comes in one write is read in one.
            Seen::Unread
        } else {
            Seen::Perhaps
        }
    }
}
