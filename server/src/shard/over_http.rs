//! A worker's side over HTTP/1.1: one connection that carries one request at a time.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use forebay_core::buf::{Chunk, ChunkSize, Pool, Queue, Slice};
use forebay_core::dispatch::Seen;
use forebay_core::http1::{Framing, LAST_CHUNK, Sink as _, Trailers, encode_chunk_size};
use forebay_transports::{Completion, Conn, Written};

use super::op::{Op, settle};
use super::pump::{Fault, Side};
use super::relay::{Relay, Sent, Terms};
use super::{Engine, Shard};

/// Bytes in one write beyond which a worker may have read part of it before it closed: node reads 64 KiB at a time.
pub(super) const ONE_READ_BYTES: u64 = 64 * 1024;

/// Where the request stands on the wire.
#[derive(Debug)]
enum Wire {
    /// Its head, written for the worker, has not been sent.
    Head(Slice),
    /// Body data goes as it is, or in chunks.
    Body { chunked: bool },
    /// Whole.
    Whole,
}

/// One attempt over a connection of its own.
pub(super) struct HttpSide<'p, 's, E: Engine, R, W> {
    shard: &'s Shard<E>,
    worker: &'p E::Upstream,
    reads: Pin<&'p mut R>,
    writes: Pin<&'p mut W>,
    wire: Wire,
    /// Bytes of the head.
    head_len: u64,
    /// Bytes in the write that is in flight.
    in_flight: usize,
    /// Bytes the socket accepted, and in how many writes.
    accepted: u64,
    writes_done: u32,
    /// The worker accepts no more.
    deaf: bool,
    /// Its connection did not end in good order.
    reset: bool,
    /// What a short write left over.
    rest: Queue,
}

impl<'p, 's, E, R, W> HttpSide<'p, 's, E, R, W>
where
    E: Engine,
    R: Op<Chunk, Done = Completion>,
    W: Op<Queue, Done = Written>,
{
    /// An attempt to be made on `worker`, beginning with the request's `head`.
    pub(super) fn new(
        shard: &'s Shard<E>,
        worker: &'p E::Upstream,
        reads: Pin<&'p mut R>,
        writes: Pin<&'p mut W>,
        head: Slice,
    ) -> Self {
        let head_len = head.len() as u64;
        let wire = Wire::Head(head);
        Self {
            shard,
            worker,
            reads,
            writes,
            wire,
            head_len,
            in_flight: 0,
            accepted: 0,
            writes_done: 0,
            deaf: false,
            reset: false,
            rest: Queue::new(),
        }
    }

    /// Takes what the relay has for the worker, in the form it goes over the wire.
    fn load(&mut self, relay: &mut Relay<'_>) {
        if let Wire::Head(head) = &mut self.wire {
            self.rest.push(std::mem::replace(head, Slice::from_static(b"")));
            self.wire = Wire::Body { chunked: relay.request.body == Framing::Chunked };
        }
        let Wire::Body { chunked } = self.wire else {
            if relay.is_tunnel() {
                self.rest.append(&mut relay.to_worker);
            }
            return;
        };
        if !chunked {
            self.rest.append(&mut relay.to_worker);
        } else if !relay.to_worker.is_empty() {
            let mut size = self.shard.pool.take(ChunkSize::Small);
            // A number of at most 18 bytes fits 512.
            let _fits = encode_chunk_size(relay.to_worker.len() as u64, &mut size);
            self.rest.push(size.freeze());
            self.rest.append(&mut relay.to_worker);
            self.rest.push(Slice::from_static(b"\r\n"));
        }
        if relay.request_done {
            self.wire = Wire::Whole;
            if chunked {
                self.rest.push(last_chunk(relay.trailers(), &self.shard.pool));
            }
        }
    }

    fn on_read(&mut self, (result, chunk): Completion, relay: &mut Relay<'_>) -> Result<(), Fault> {
        match result {
            Ok(count @ 1..) => {
                let date = self.shard.date.borrow();
                let terms = Terms {
                    may_keep_alive: self.shard.is_serving(),
                    date: &date[..],
                    now: self.shard.timers.now(),
                    mark: self.shard,
                };
                relay.on_worker_bytes(chunk, count, &terms).map_err(Fault::Garbled)
            }
            // A tunnel's end is passed on, a broken one is cut.
            Ok(0) if relay.on_worker_end() => Ok(()),
            Ok(_) => {
                relay.on_lost(chunk);
                Err(Fault::Worker(self.seen(None)))
            }
            Err(error) => {
                relay.worker_spent = true;
                relay.on_lost(chunk);
                self.reset = true;
                Err(Fault::Worker(self.seen(Some(&error))))
            }
        }
    }

    fn on_wrote(&mut self, (result, rest): Written, relay: &mut Relay<'_>) {
        self.in_flight = 0;
        match result {
            // It may have answered before it closed: what it said is read first.
            Err(_) | Ok(0) => {
                self.deaf = true;
                self.rest.clear();
                relay.to_worker.clear();
            }
            Ok(count) => {
                self.accepted += count as u64;
                self.writes_done += 1;
                let mut later = std::mem::replace(&mut self.rest, rest);
                self.rest.append(&mut later);
            }
        }
    }

    /// What the worker can have seen of the request, now that its connection has ended.
    fn seen(&self, error: Option<&io::Error>) -> Seen {
        let reset = error.is_some_and(|error| error.kind() == ErrorKind::ConnectionReset);
        if self.accepted == 0 {
            Seen::Nothing
        } else if reset && self.writes_done == 1 && self.accepted <= ONE_READ_BYTES {
            // unix(7): the reset says that bytes were unread; what comes in one write is read in one.
            Seen::Unread
        } else {
            Seen::Perhaps
        }
    }
}

/// The end of a chunked body with its trailer section.
fn last_chunk(trailers: &Trailers, pool: &Pool) -> Slice {
    if trailers.is_empty() {
        return Slice::from_static(LAST_CHUNK);
    }
    let mut out = pool.take(ChunkSize::Large);
    // They are bounded far below the largest chunk.
    let _fits = out.put(b"0\r\n");
    for (name, value) in trailers.iter() {
        let _fits = out.put_all(&[name, b": ", value, b"\r\n"]);
    }
    let _fits = out.put(b"\r\n");
    out.freeze()
}

impl<E, R, W> Side for HttpSide<'_, '_, E, R, W>
where
    E: Engine,
    R: Op<Chunk, Done = Completion>,
    W: Op<Queue, Done = Written>,
{
    const HALF_CLOSE: bool = E::HALF_CLOSE;

    fn start(&mut self, relay: &mut Relay<'_>, client_has_room: bool) {
        if !self.writes.is_busy() && !self.deaf {
            self.load(relay);
            if !self.rest.is_empty() {
                self.in_flight = self.rest.len();
                self.writes.as_mut().start(std::mem::take(&mut self.rest));
            }
        }
        let speaks = !relay.response_done() && !relay.worker_spent;
        if !self.reads.is_busy() && speaks && client_has_room {
            self.reads.as_mut().start(relay.worker_chunk());
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, relay: &mut Relay<'_>) -> Poll<Result<(), Fault>> {
        if let Poll::Ready(done) = self.writes.as_mut().poll(cx) {
            self.on_wrote(done, relay);
            return Poll::Ready(Ok(()));
        }
        self.reads.as_mut().poll(cx).map(|done| self.on_read(done, relay))
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn has_sent_all(&self, relay: &Relay<'_>) -> bool {
        let begun = relay.is_tunnel() || matches!(self.wire, Wire::Whole);
        begun && self.in_flight == 0 && self.rest.is_empty() && relay.to_worker.is_empty()
    }

    fn is_deaf(&self) -> bool {
        self.deaf
    }

    fn sent(&self, relay: &Relay<'_>) -> Sent {
        let reset = self.reset;
        match self.accepted {
            0 => Sent::Nothing,
            some if some < self.head_len => Sent::PartOfHead,
            _ if !self.deaf && self.has_sent_all(relay) => Sent::All { reset },
            some if some == self.head_len => Sent::Head,
            _ => Sent::PartOfBody,
        }
    }

    fn on_client_wrote(&mut self, _bytes: usize, _empty: bool) {
        // The socket's buffers are the window: what is not read holds the worker back.
    }

    fn finish(&mut self) {
        self.worker.finish();
    }

    async fn settle(&mut self, relay: &mut Relay<'_>) {
        let busy = self.reads.is_busy() || self.writes.is_busy();
        // Complete or not, a connection that was broken off carries no other request.
        relay.worker_spent |= self.deaf || busy || !self.has_sent_all(relay);
        if busy {
            self.worker.abort();
            settle(self.reads.as_mut()).await;
            settle(self.writes.as_mut()).await;
        }
    }
}
