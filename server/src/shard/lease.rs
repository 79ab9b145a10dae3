//! Finding a worker for a request: count it in, or wait for room in the order of arrival.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};
use std::time::Duration;

use forebay_core::buf::Chunk;
use forebay_core::dispatch::{Ticket, WaitQueue};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::time::Timestamp;
use forebay_transports::Completion;

use super::dispatch::APPLICATION;
use super::op::Op;
use super::pump::{Fault, Left};
use super::relay::Relay;
use super::{Engine, Shard};
use crate::bulletin::{Condition, Door, Phase, Shed};
use crate::status::Cause;

/// How often the first in the queue looks again on its own: what other shards free is not announced. 5 ms.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long a worker that refused a connection is passed over. 100 ms: the supervisor knows by then.
const SUSPECT_FOR: Duration = Duration::from_millis(100);

/// One request counted into one worker's process; counted out when dropped.
pub(super) struct Lease<'s, E: Engine> {
    pub(super) shard: &'s Shard<E>,
    pub(super) route: u16,
    /// The slot.
    pub(super) worker: WorkerId,
    /// Which of its processes.
    pub(super) generation: Generation,
    pub(super) tunnel: bool,
}

impl<E: Engine> Lease<'_, E> {
    /// The request has become an upgraded connection, which is counted apart.
    pub(super) fn become_tunnel(&mut self) {
        if !self.tunnel {
            self.tunnel = true;
            self.shard.bulletin.into_tunnel(self.worker);
            self.shard.count_tunnel(true);
            self.shard.wake_next(self.route);
        }
    }
}

impl<E: Engine> Drop for Lease<'_, E> {
    fn drop(&mut self) {
        if self.tunnel {
            self.shard.bulletin.leave_tunnel(self.worker);
            self.shard.count_tunnel(false);
        } else {
            self.shard.bulletin.leave(self.worker);
            self.shard.wake_next(self.route);
        }
    }
}

/// Why no worker was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Overload or absence: 503.
    Shed(Nobody),
    /// The client left, or sent a bad body, while it waited.
    Fault(Fault),
}

/// Nobody takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nobody {
    /// What it is counted as.
    pub(super) shed: Shed,
    /// Why.
    pub(super) cause: Cause,
    /// Whose start has failed, if that is why.
    pub(super) process: Option<(WorkerId, Generation)>,
}

impl Nobody {
    fn because(shed: Shed, cause: Cause) -> Self {
        Self { shed, cause, process: None }
    }
}

/// What one shard remembers about the slots of the table beyond the bulletin.
#[derive(Default)]
pub(super) struct Suspects(RefCell<Vec<Option<(Generation, Timestamp)>>>);

impl Suspects {
    pub(super) fn new(slots: u16) -> Self {
        Self(RefCell::new(vec![None; usize::from(slots)]))
    }

    fn add(&self, worker: WorkerId, generation: Generation, until: Timestamp) {
        self.0.borrow_mut()[usize::from(worker.0)] = Some((generation, until));
    }

    pub(super) fn has(&self, worker: WorkerId, generation: Generation, now: Timestamp) -> bool {
        self.0.borrow()[usize::from(worker.0)].is_some_and(|(g, until)| g == generation && now < until)
    }
}

/// The queues of a shard, one a route.
pub(super) type Queues = Vec<RefCell<WaitQueue<Waker>>>;

/// A place in a queue, given up when dropped.
struct Place<'s, E: Engine> {
    shard: &'s Shard<E>,
    route: u16,
    ticket: Ticket,
}

impl<E: Engine> Drop for Place<'_, E> {
    fn drop(&mut self) {
        self.shard.queue(self.route).borrow_mut().leave(self.ticket);
        self.shard.publish_waiting();
        self.shard.wake_next(self.route);
    }
}

impl<E: Engine> Shard<E> {
    fn queue(&self, route: u16) -> &RefCell<WaitQueue<Waker>> {
        &self.queues[usize::from(route)]
    }

    /// Whether a route is the origin's, behind which there is no worker.
    pub(super) fn is_origin(&self, route: u16) -> bool {
        self.bulletin.origin() == Some(route)
    }

    /// Wakes whoever is first in the queue.
    pub(super) fn wake_next(&self, route: u16) {
        if let Some(waker) = self.queue(route).borrow().front() {
            waker.wake_by_ref();
        }
    }

    /// Wakes whoever is first in any queue: a worker has come.
    pub(super) fn wake_all_queues(&self) {
        for route in 0..self.queues.len() {
            self.wake_next(u16::try_from(route).unwrap_or(u16::MAX));
        }
    }

    /// Passes a process over for a while, because it refused a connection.
    pub(super) fn suspect(&self, worker: WorkerId, generation: Generation) {
        self.suspects.add(worker, generation, E::now() + SUSPECT_FOR);
    }

    /// Counts the request into a worker, waiting for room if there is none. Meanwhile the client's body is taken, as
    /// far as it fits, and its leaving noticed.
    ///
    /// # Errors
    /// Why there is no worker for it.
    pub(super) async fn enter<'s>(
        &'s self,
        route: u16,
        relay: &mut Relay<'s>,
        mut client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    ) -> Result<Lease<'s, E>, Refusal> {
        if self.queue(route).borrow().is_empty()
            && let Some(lease) = self.try_enter(route, relay.tie, relay.live)
        {
            return Ok(lease);
        }
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let joined = self.queue(route).borrow_mut().join(waker);
        let Ok(ticket) = joined else {
            return Err(Refusal::Shed(Nobody::because(Shed::QueueFull, Cause::QueueFull)));
        };
        let place = Place { shard: self, route, ticket };
        self.publish_waiting();
        loop {
            let first = self.queue(route).borrow().is_front(ticket);
            if first && let Some(lease) = self.try_enter(route, relay.tie, relay.live) {
                drop(place);
                return Ok(lease);
            }
            let now = E::now();
            let (deadline, shed) = self.patience(route, relay);
            if now >= deadline {
                return Err(Refusal::Shed(self.nobody(route, shed)));
            }
            let wants = if relay.request_done {
                relay.carry.is_none()
            } else {
                !relay.to_worker.is_full(relay.live.limits.window_bytes as usize)
            };
            if wants && !client_reads.is_busy() && !relay.client_ended {
                client_reads.as_mut().start(self.pool.take(relay.client_size));
            }
            let nap = if first { deadline.min(now + LOOK_AGAIN) } else { deadline.min(now + Duration::from_secs(1)) };
            let event = self.nap(route, ticket, first, nap, client_reads.as_mut()).await;
            if let Some((result, chunk)) = event {
                on_read(relay, result, chunk).map_err(Refusal::Fault)?;
            }
        }
    }

    /// Waits until `nap`, or until the ticket comes to the front, or the client's read completes.
    async fn nap(
        &self,
        route: u16,
        ticket: Ticket,
        first: bool,
        nap: Timestamp,
        mut client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    ) -> Option<Completion> {
        let mut sleep = pin!(E::sleep_until(nap));
        let mut polled = false;
        poll_fn(|cx| {
            if let Poll::Ready(done) = client_reads.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            // Being woken while first means that something was freed; being first now means to try at once.
            let woken = std::mem::replace(&mut polled, true);
            if self.queue(route).borrow().is_front(ticket) && (woken || !first) {
                return Poll::Ready(None);
            }
            sleep.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    /// Until when a request may wait, and what is said then.
    fn patience(&self, route: u16, relay: &Relay<'_>) -> (Timestamp, Shed) {
        let (since, limits) = (relay.began, &relay.live.limits);
        let mut slots = self.bulletin.route(usize::from(route));
        let is_open = slots.any(|slot| self.bulletin.notice(WorkerId(slot)).door == Door::Open);
        if is_open && (route != APPLICATION || self.bulletin.is_assembled()) {
            (since + limits.queue_timeout, Shed::QueueTimeout)
        } else if !is_open && self.bulletin.phase() == Phase::Draining && !self.has_prospects(route) {
            (since, Shed::Stopping)
        } else if !is_open && relay.live.errors.fails_fast() && self.is_hopeless(route) {
            (since, Shed::NoWorker)
        } else {
            (since + limits.ready_wait_timeout, Shed::NoWorker)
        }
    }

    fn conditions(&self, route: u16) -> impl Iterator<Item = (WorkerId, Condition)> {
        let slots = self.bulletin.route(usize::from(route)).map(WorkerId);
        slots.map(|worker| (worker, self.bulletin.station(worker).condition))
    }

    /// Whether a process is ready, or on its way to being so.
    fn has_prospects(&self, route: u16) -> bool {
        self.conditions(route).any(|(_, condition)| matches!(condition, Condition::Ready | Condition::Starting))
    }

    /// Whether every process that is wanted could not be started, and none is being tried at the moment.
    fn is_hopeless(&self, route: u16) -> bool {
        let failed = self.conditions(route).any(|(_, condition)| matches!(condition, Condition::Failed(_)));
        failed && !self.has_prospects(route)
    }

    /// Why nobody took a request for so long.
    fn nobody(&self, route: u16, shed: Shed) -> Nobody {
        let cause = match shed {
            Shed::QueueFull => Cause::QueueFull,
            Shed::QueueTimeout => Cause::QueueTimeout,
            Shed::Connections => Cause::Connections,
            Shed::Stopping => Cause::Stopping,
            Shed::NoWorker => return self.no_worker(route),
        };
        Nobody::because(shed, cause)
    }

    fn no_worker(&self, route: u16) -> Nobody {
        let of = |worker| (worker, self.bulletin.notice(worker).generation);
        let failed = self.conditions(route).find_map(|(worker, condition)| match condition {
            Condition::Failed(cause) => Some((cause, of(worker))),
            Condition::Unwanted | Condition::Starting | Condition::Ready => None,
        });
        let finishes = |worker| self.bulletin.notice(worker).door == Door::Draining;
        match failed {
            Some((cause, process)) => Nobody { shed: Shed::NoWorker, cause, process: Some(process) },
            None if self.conditions(route).any(|(worker, _)| finishes(worker)) => {
                Nobody::because(Shed::NoWorker, Cause::Recycling)
            }
            None => Nobody::because(Shed::NoWorker, Cause::NoWorker),
        }
    }
}

fn on_read(relay: &mut Relay<'_>, result: std::io::Result<usize>, chunk: Chunk) -> Result<(), Fault> {
    match result {
        Ok(0) | Err(_) => {
            relay.client_ended = true;
            Err(Fault::Client(Left::Gone))
        }
        Ok(count) => {
            relay.client_size = chunk.size().after_read(count);
            relay.on_client_bytes(chunk.freeze()).map_err(Fault::Request)
        }
    }
}
