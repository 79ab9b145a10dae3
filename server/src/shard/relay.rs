//! One request and its response on their way through: what arrived, what goes on to whom, and what is done.
//!
//! This is the part of an exchange that decides about bytes, without IO: slices of what was read are queued for the
//! other side as they are, and only heads are written anew. [`pump`](super::pump) moves the bytes.
//!
//! Invariants: nothing is queued for the client before a whole, acceptable response head; a queue that is full makes
//! its source wait, so memory is bounded by `window_bytes` a direction and one chunk more.

mod gather;
mod stage;

use forebay_core::buf::{Chunk, ChunkSize, Pool, Queue, Slice};
use forebay_core::http1::{
    BodyDecoder, Delivery, Flavour, Framing, HeadScanner, Reject, RequestFacts, ResponseFacts, ResponseHead, Scan,
    Side, Trailers, Version, encode_response, judge_response,
};
use forebay_core::time::Timestamp;

use super::dispatch::Tie;
use super::marks::{Mark, Marks};
use crate::live::Live;
pub(super) use gather::{GATHER_TIME, may_wait};
pub(super) use stage::{Garbled, Sent};

/// Pieces of a response body up to this size are copied behind the head, so that a small response is one buffer.
pub(super) const COALESCE_BYTES: usize = 1024;

/// Room for what encoding adds to a response head: `Date` and `Connection`.
const HEAD_ROOM: usize = 96;

/// Fields in a response head at most; an application may send more than a client.
const RESPONSE_FIELDS_MAX: usize = 1000;

/// Bytes of a response head at most. Node has no bound of its own; a head has to fit a chunk.
const RESPONSE_HEAD_BYTES_MAX: usize = 128 * 1024;

/// Where the response stands.
enum Response {
    /// Its head is not complete; the chunk is what is there of it.
    Head { partial: Option<Chunk>, scanner: HeadScanner },
    /// Its body is passed on.
    Body(BodyDecoder),
    /// Complete, or the worker has nothing more to say.
    Done,
}

impl Response {
    fn awaited() -> Self {
        Self::Head { partial: None, scanner: HeadScanner::default() }
    }
}

/// An exchange's bytes and state.
pub(super) struct Relay<'s> {
    pool: &'s Pool,
    /// What was in force when it began.
    pub(super) live: &'s Live,
    /// When the request came.
    pub(super) began: Timestamp,
    /// What ties the request to one worker.
    pub(super) tie: Tie,
    /// What is added to its response.
    pub(super) marks: Marks,
    /// What the request's head said.
    pub(super) request: RequestFacts,
    body: BodyDecoder,
    body_bytes: u64,
    /// Whether the request has arrived as a whole.
    pub(super) request_done: bool,
    trailers: Trailers,
    /// Whether the worker has said anything to `Expect: 100-continue`, and whether that is news.
    continued: bool,
    continued_now: bool,
    /// Body data, or a tunnel's bytes, that wait for the worker; whoever carries them there puts the framing around.
    pub(super) to_worker: Queue,
    /// All body data there ever was, for another attempt; none once that is more than `replay_bytes_max` or comes in
    /// too many pieces.
    held: Option<Queue>,
    /// Bytes of the client that belong to its next request.
    pub(super) carry: Option<Slice>,
    /// Size of the next read from the client.
    pub(super) client_size: ChunkSize,
    /// Whether the client has ended its direction.
    pub(super) client_ended: bool,
    response: Response,
    /// What the final head said, once it was queued, and how it is delivered.
    pub(super) delivery: Option<(ResponseFacts, Delivery)>,
    /// The response head and small pieces behind it, not yet queued.
    head: Option<Chunk>,
    /// Waiting to be written to the client.
    pub(super) to_client: Queue,
    /// Slices in that queue at which it is looked at again.
    squeeze_at: usize,
    /// Bytes ever queued for the client.
    pub(super) bytes_out: u64,
    /// Size of the next read from the worker.
    pub(super) worker_size: ChunkSize,
    /// Whether the worker has ended its direction, or sent more than a response: its connection is of no further use.
    pub(super) worker_spent: bool,
    /// How far the request had come when the last attempt failed.
    pub(super) sent: Sent,
    /// Since when the response's bytes have been gathered, while they are.
    gathering: Option<Timestamp>,
    /// Whether the last attempt had begun to answer, though nothing of that was sent.
    broke_off: bool,
}

/// What a response head means for those who have to know at once.
pub(super) struct Terms<'a> {
    /// Whether the client's connection may stay open.
    pub(super) may_keep_alive: bool,
    /// Now, as an IMF-fixdate.
    pub(super) date: &'a [u8],
    /// Now, on the coarse clock.
    pub(super) now: Timestamp,
    /// Who writes what is added to responses.
    pub(super) mark: &'a dyn Mark,
}

impl<'s> Relay<'s> {
    /// A relay for a request that has come as far as its head.
    pub(super) fn new(pool: &'s Pool, live: &'s Live, began: Timestamp, request: RequestFacts) -> Self {
        let body = BodyDecoder::new(request.body, Flavour::DataOnly, Side::Request);
        Self {
            pool,
            live,
            began,
            tie: Tie::None,
            marks: Marks::NONE,
            request,
            body,
            body_bytes: 0,
            request_done: body.is_done(),
            trailers: Trailers::default(),
            continued: false,
            continued_now: false,
            to_worker: Queue::new(),
            held: Some(Queue::new()),
            carry: None,
            client_size: ChunkSize::Small,
            client_ended: false,
            response: Response::awaited(),
            delivery: None,
            head: None,
            to_client: Queue::new(),
            squeeze_at: Queue::SLICES_MAX,
            bytes_out: 0,
            worker_size: ChunkSize::Small,
            worker_spent: false,
            sent: Sent::Nothing,
            gathering: None,
            broke_off: false,
        }
    }

    /// Whether raw bytes go both ways.
    pub(super) fn is_tunnel(&self) -> bool {
        self.delivery.as_ref().is_some_and(|(facts, _)| facts.framing == Framing::Tunnel)
    }

    /// Whether the response has arrived as a whole.
    pub(super) fn response_done(&self) -> bool {
        matches!(self.response, Response::Done)
    }

    /// Whether the client may have seen a byte of the response proper.
    pub(super) fn response_begun(&self) -> bool {
        self.delivery.is_some()
    }

    /// Whether it is the end of the connection that tells the client where the body ends.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.delivery.as_ref().is_some_and(|(facts, delivery)| match facts.framing {
            Framing::None | Framing::Length(_) | Framing::Tunnel => false,
            Framing::Chunked => delivery.client == Version::Http10,
            Framing::UntilClose => true,
        })
    }

    /// Whether the client waits to be told that its body is wanted.
    pub(super) fn awaits_continue(&self) -> bool {
        self.request.expect_continue && !self.continued && self.body_bytes == 0 && !self.response_begun()
    }

    /// The worker has asked for the body.
    pub(super) fn on_continue(&mut self) {
        (self.continued, self.continued_now) = (true, true);
    }

    /// Whether the worker has asked for the body since the last call.
    pub(super) fn take_continued(&mut self) -> bool {
        std::mem::take(&mut self.continued_now)
    }

    /// Whether everything that was sent is still there to be sent again.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The request's trailer fields; to be read once it is done.
    pub(super) fn trailers(&self) -> &Trailers {
        &self.trailers
    }

    /// Bytes of body data that came with the request so far.
    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Starts over towards another worker. Everything sent is still held, nothing of the response has begun.
    pub(super) fn rewind(&mut self) {
        self.to_worker = self.held.clone().unwrap_or_default();
        self.response = Response::awaited();
        self.worker_size = ChunkSize::Small;
        (self.worker_spent, self.broke_off) = (false, false);
    }

    /// Takes bytes of the client: request body, then the beginning of the next request.
    ///
    /// # Errors
    /// 400 for a malformed body, 413 for one beyond `chunked_body_bytes_max`.
    pub(super) fn on_client_bytes(&mut self, mut bytes: Slice) -> Result<(), Reject> {
        if self.is_tunnel() {
            self.to_worker.push(bytes);
            return Ok(());
        }
        while !bytes.is_empty() && !self.request_done {
            let run = self.body.decode(&bytes)?;
            self.body_bytes += run.data_bytes;
            // An announced length was judged with the head.
            let most = self.live.limits.chunked_body_bytes_max;
            if matches!(self.request.body, Framing::Chunked) && most > 0 && self.body_bytes > most {
                return Err(too_large());
            }
            if !run.trailer.is_empty() {
                self.trailers.take(&bytes[run.trailer])?;
            }
            if !run.forward.is_empty() {
                self.give_worker(bytes.slice(run.forward));
            }
            bytes.advance(run.consumed);
            self.request_done = run.done;
        }
        if !bytes.is_empty() {
            self.carry = Some(bytes);
        }
        Ok(())
    }

    fn give_worker(&mut self, slice: Slice) {
        if let Some(held) = &mut self.held {
            let max = self.live.limits.replay_bytes_max as usize;
            // In pieces, too, it is bounded: a body that comes byte by byte would pin a chunk for each of them.
            if held.len() + slice.len() <= max && !held.is_full(max) {
                held.push(slice.clone());
            } else {
                self.held = None;
            }
        }
        self.to_worker.push(slice);
    }

    /// The chunk for the next read from the worker: the one that holds part of a head, or a fresh one.
    pub(super) fn worker_chunk(&mut self) -> Chunk {
        if let Response::Head { partial, .. } = &mut self.response
            && let Some(chunk) = partial.take()
        {
            return chunk;
        }
        self.pool.take(self.worker_size)
    }

    /// Takes a chunk that a read from the worker completed with `count` new bytes.
    ///
    /// # Errors
    /// What is wrong with the worker's response.
    pub(super) fn on_worker_bytes(&mut self, chunk: Chunk, count: usize, terms: &Terms<'_>) -> Result<(), Garbled> {
        self.worker_size = chunk.size().after_read(count);
        let result = match &mut self.response {
            Response::Head { scanner, .. } => match scanner.scan(&chunk, RESPONSE_HEAD_BYTES_MAX) {
                Err(reject) => Err(Garbled::unscanned(reject, &chunk)),
                Ok(Scan::Incomplete) => {
                    self.keep_partial(chunk);
                    Ok(())
                }
                Ok(Scan::Complete { head_len }) => {
                    let skipped = scanner.skipped();
                    let mut bytes = chunk.freeze();
                    bytes.advance(skipped);
                    self.on_head(bytes, head_len, terms)
                }
            },
            Response::Body(_) => self.on_body(chunk.freeze()),
            Response::Done => {
                self.worker_spent = true;
                Ok(())
            }
        };
        self.queue_head();
        result
    }

    /// Puts part of a head back for the next read to append to, in a larger chunk if this one is full.
    fn keep_partial(&mut self, chunk: Chunk) {
        let chunk = if chunk.spare() > 0 { chunk } else { self.copied(&chunk) };
        if let Response::Head { partial, .. } = &mut self.response {
            *partial = Some(chunk);
        }
    }

    fn copied(&self, bytes: &[u8]) -> Chunk {
        let mut chunk = self.pool.take(ChunkSize::holding(bytes.len() + 1).unwrap_or(ChunkSize::Large));
        // Heads are bounded well below the largest chunk, so this fits.
        let _fits = chunk.put(bytes);
        chunk
    }

    /// Takes one or more whole heads, informational ones first, and what follows them.
    fn on_head(&mut self, mut bytes: Slice, mut head_len: usize, terms: &Terms<'_>) -> Result<(), Garbled> {
        loop {
            let head = bytes.split_to(head_len);
            let head = ResponseHead::parse(&head, RESPONSE_FIELDS_MAX).map_err(|bad| Garbled::unparsed(bad, &head))?;
            let facts = judge_response(&head, &self.request).map_err(Garbled::contradictory)?;
            // A worker that closes behind its answer reads no more: the rest of the request has nowhere to go.
            let has_a_future = self.may_go_on() && (self.request_done || facts.keep_alive || facts.informational);
            let delivery = Delivery::plan(&self.request, &facts, terms.may_keep_alive && has_a_future);
            let added = if facts.informational { None } else { self.marks.written(terms.mark) };
            let added = added.as_deref().unwrap_or_default();
            let size = ChunkSize::holding(head_len + HEAD_ROOM + added.len()).unwrap_or(ChunkSize::Large);
            let mut out = self.pool.take(size);
            encode_response(&head, &facts, &delivery, Some(terms.date), added, &mut out)
                .map_err(|_full| Garbled::LARGE)?;
            self.bytes_out += out.len() as u64;
            if !facts.informational {
                self.head = Some(out);
                let body = BodyDecoder::new(delivery.framing, delivery.flavour, Side::Response);
                self.response = if body.is_done() { Response::Done } else { Response::Body(body) };
                self.delivery = Some((facts, delivery));
                if self.marks.gathers && may_wait(&facts, head.fields.iter().map(|it| (it.name, it.value))) {
                    self.gather(terms.now);
                }
                // What the client sent behind its request, before it heard of the switch, is the tunnel's.
                if self.is_tunnel()
                    && let Some(early) = self.carry.take()
                {
                    self.to_worker.push(early);
                }
                return self.on_body(bytes);
            }
            if facts.status == 100 {
                self.on_continue();
            }
            self.to_client.push(out.freeze());
            let mut scanner = HeadScanner::default();
            match scanner.scan(&bytes, RESPONSE_HEAD_BYTES_MAX).map_err(|reject| Garbled::unscanned(reject, &bytes))? {
                Scan::Complete { head_len: next } => {
                    bytes.advance(scanner.skipped());
                    head_len = next;
                }
                Scan::Incomplete => {
                    let partial = (!bytes.is_empty()).then(|| self.copied(&bytes));
                    self.response = Response::Head { partial, scanner };
                    return Ok(());
                }
            }
        }
    }

    /// Whether the client's connection can be used again: not if it was never told to send the body it announced.
    fn may_go_on(&self) -> bool {
        self.request_done || !self.request.expect_continue || self.body_bytes > 0
    }

    fn on_body(&mut self, mut bytes: Slice) -> Result<(), Garbled> {
        while let Response::Body(decoder) = &mut self.response
            && !bytes.is_empty()
        {
            let run = decoder.decode(&bytes).map_err(Garbled::unchunked)?;
            if run.done {
                self.response = Response::Done;
            }
            if !run.forward.is_empty() {
                self.give_client(bytes.slice(run.forward));
            }
            bytes.advance(run.consumed);
        }
        // Nobody asked for more.
        self.worker_spent |= !bytes.is_empty();
        Ok(())
    }

    /// Takes a response that was put into HTTP/1.1 elsewhere, or a part of it.
    pub(super) fn give_client_all(&mut self, bytes: &mut Queue) {
        self.bytes_out += bytes.len() as u64;
        self.to_client.append(bytes);
    }

    /// Keeps what waits for the client from pinning far more memory than it is, where its source goes by bytes alone.
    pub(super) fn squeeze(&mut self) {
        let queue = &mut self.to_client;
        // What a response usually is: not worth a look.
        if queue.slices().len() <= 4 {
            return;
        }
        let fair = queue.len().max(self.live.limits.window_bytes as usize).saturating_mul(Queue::PINNED_PER_BYTE_MAX);
        if queue.slices().len() >= self.squeeze_at || queue.pinned_bytes() > fair {
            queue.squeeze(self.pool);
            // Not for each slice that comes to many good ones.
            self.squeeze_at = Queue::SLICES_MAX.max(2 * queue.slices().len());
        }
    }

    /// The end of such a response.
    pub(super) fn on_reply_end(&mut self) {
        self.response = Response::Done;
    }

    /// Takes bytes of a worker that answers with the text of a response though it speaks frames: what an application
    /// writes itself when the protocol changes.
    ///
    /// # Errors
    /// What is wrong with its response.
    pub(super) fn on_raw(&mut self, bytes: &Queue, terms: &Terms<'_>) -> Result<(), Garbled> {
        for piece in bytes.slices() {
            if let Response::Head { partial, .. } = &mut self.response {
                let have = partial.take();
                let needed = have.as_ref().map_or(0, |chunk| chunk.len()) + piece.len();
                let size = ChunkSize::holding(needed).ok_or(Garbled::LARGE)?;
                let mut chunk = self.pool.take(size);
                let fits = chunk.put(have.as_deref().unwrap_or_default()).and_then(|()| chunk.put(piece));
                fits.map_err(|_full| Garbled::LARGE)?;
                self.on_worker_bytes(chunk, piece.len(), terms)?;
            } else {
                self.on_body(piece.clone())?;
            }
        }
        Ok(())
    }

    fn give_client(&mut self, piece: Slice) {
        self.bytes_out += piece.len() as u64;
        if let Some(head) = &mut self.head {
            if piece.len() <= COALESCE_BYTES && head.put(&piece).is_ok() {
                return;
            }
            self.queue_head();
        }
        self.to_client.push(piece);
    }

    fn queue_head(&mut self) {
        if let Some(head) = self.head.take() {
            self.to_client.push(head.freeze());
        }
    }

    /// The worker has ended its direction. True if that ends the response properly.
    pub(super) fn on_worker_end(&mut self) -> bool {
        self.worker_spent = true;
        let whole = match &self.response {
            Response::Head { .. } => false,
            Response::Body(decoder) => decoder.finish().is_ok(),
            Response::Done => true,
        };
        if whole {
            self.response = Response::Done;
        }
        whole
    }
}

/// The answer to a body beyond `body_bytes_max` or `chunked_body_bytes_max`.
pub(super) fn too_large() -> Reject {
    Reject { status: 413, reason: "The request's body is larger than this server accepts." }
}

#[cfg(test)]
mod tests;
