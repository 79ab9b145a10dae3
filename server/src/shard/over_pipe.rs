//! A worker's side over the pipe protocol: one stream among many on the worker's connection.

use std::task::{Context, Poll};

use forebay_core::dispatch::Seen;

use super::pipe::Stream;
use super::pump::{Fault, Side};
use super::relay::{Relay, Sent, Terms};
use super::{Engine, Shard};

/// One attempt on a stream.
pub(super) struct PipeSide<'s, E: Engine> {
    shard: &'s Shard<E>,
    stream: Stream<E>,
    /// The worker wants no more of the request.
    deaf: bool,
    /// The worker sends raw bytes: where a message ends in them, they say themselves.
    raw: bool,
    /// The worker's half has ended: no credit need be granted.
    done: bool,
    /// What broke the attempt, while the client is still given what came before.
    broken: Option<Fault>,
    /// Body bytes among those that wait for the client, and the others: heads and framing.
    data: usize,
    overhead: usize,
}

impl<'s, E: Engine> PipeSide<'s, E> {
    /// An attempt that has begun with the stream.
    pub(super) fn new(shard: &'s Shard<E>, stream: Stream<E>) -> Self {
        Self { shard, stream, deaf: false, raw: false, done: false, broken: None, data: 0, overhead: 0 }
    }
}

impl<E: Engine> Side for PipeSide<'_, E> {
    /// An END is a frame.
    const HALF_CLOSE: bool = true;

    fn start(&mut self, relay: &mut Relay<'_>, _client_has_room: bool) {
        if self.deaf {
            relay.to_worker.clear();
        } else if !self.stream.has_ended() {
            if !relay.to_worker.is_empty() {
                self.stream.send(&mut relay.to_worker);
            }
            // One that may become a tunnel has no body, and its end comes with what the worker says to it.
            if relay.request_done && relay.to_worker.is_empty() && !relay.request.upgrade {
                self.stream.end(relay.trailers().iter());
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, relay: &mut Relay<'_>) -> Poll<Result<(), Fault>> {
        if let Some(fault) = self.broken {
            // The next look is after the next write to the client, which has a deadline.
            return if self.data + self.overhead == 0 { Poll::Ready(Err(fault)) } else { Poll::Pending };
        }
        let Poll::Ready(mut news) = self.stream.poll(cx) else { return Poll::Pending };
        if news.continued {
            relay.on_continue();
        }
        self.data += news.data_bytes;
        if let Some(plan) = news.plan {
            relay.delivery = Some(plan);
            if news.gathers {
                relay.gather(self.shard.timers.now());
            }
        }
        if !news.to_client.is_empty() {
            self.overhead += news.to_client.len().saturating_sub(news.data_bytes);
            relay.give_client_all(&mut news.to_client);
        }
        if !news.raw.is_empty() {
            let date = self.shard.date.borrow();
            let terms = Terms {
                may_keep_alive: self.shard.is_serving(),
                date: &date[..],
                now: self.shard.timers.now(),
                mark: self.shard,
            };
            if let Err(what) = relay.on_raw(&news.raw, &terms) {
                self.stream.blame();
                return Poll::Ready(Err(Fault::Garbled(what)));
            }
            // A part of a head, or more than the response: the client will not take it.
            if relay.to_client.is_empty() {
                self.data -= news.data_bytes;
                self.stream.on_used(news.data_bytes);
            }
        }
        relay.squeeze();
        self.deaf |= news.stopped;
        self.raw |= news.is_raw;
        if let Some(fault) = news.fault {
            if matches!(fault, Fault::Garbled(_)) {
                self.stream.blame();
            }
            self.broken = Some(fault);
            // What came before is given to the client first, unless that has got nothing yet.
            let is_given = self.data + self.overhead == 0 || relay.gathers_since().is_some();
            return Poll::Ready(if is_given { Err(fault) } else { Ok(()) });
        }
        if news.done {
            self.done = true;
            if relay.delivery.is_none() || self.raw {
                if !relay.on_worker_end() {
                    return Poll::Ready(Err(Fault::Worker(Seen::Answered)));
                }
            } else {
                relay.on_reply_end();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn in_flight(&self) -> usize {
        0
    }

    fn has_sent_all(&self, relay: &Relay<'_>) -> bool {
        relay.to_worker.is_empty() && (self.stream.has_ended() || relay.request.upgrade)
    }

    fn is_deaf(&self) -> bool {
        self.deaf
    }

    fn sent(&self, relay: &Relay<'_>) -> Sent {
        let left = relay.to_worker.len() as u64;
        if relay.request_done && left == 0 {
            // A connection that broke leaves open what was read; a reset of the stream alone does not.
            Sent::All { reset: matches!(self.broken, Some(Fault::Worker(Seen::Perhaps))) }
        } else if relay.body_bytes() == left {
            Sent::Head
        } else {
            Sent::PartOfBody
        }
    }

    fn on_client_wrote(&mut self, bytes: usize, empty: bool) {
        let framing = if empty { self.overhead } else { bytes.min(self.overhead) };
        self.overhead -= framing;
        let used = if empty { self.data } else { (bytes - framing).min(self.data) };
        self.data -= used;
        if used > 0 && !self.done {
            self.stream.on_used(used);
        }
    }

    fn finish(&mut self) {
        self.stream.end(std::iter::empty());
    }

    async fn settle(&mut self, _relay: &mut Relay<'_>) {
        // The stream is given up, if it has not ended, when it is dropped.
    }
}
