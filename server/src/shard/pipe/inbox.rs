//! What has come from a worker for one exchange, as its client is to get it, until the exchange takes it.
//!
//! The reader of a connection fills it: many exchanges' frames come in one read, and each is turned into HTTP/1.1 at
//! once, so that nothing of a frame has to be kept.

use std::task::{Context, Poll, Waker};

use forebay_core::buf::{Chunk, ChunkSize, Pool, Queue, Slice};
use forebay_core::dispatch::Seen;
use forebay_core::http1::{Delivery, Framing, LAST_CHUNK, RequestFacts, ResponseFacts, encode_chunk_size};
use forebay_core::pipe::{End, LengthDigits, Reply, ResetCode, Response, encode_trailers};

use crate::shard::marks::Marks;
use crate::shard::pump::Fault;
use crate::shard::relay::{COALESCE_BYTES, Garbled, Terms, may_wait};

/// Bytes of informational responses in one exchange, as its client gets them. 256 KiB: thousands of them. Frames that are
/// no body need no credit, so nothing else bounds what waits for a client that does not read.
const INFORM_BYTES_MAX: usize = 256 * 1024;

/// Room for what a head grows by on its way to HTTP/1.1: status line, `Date`, `Connection`, `Content-Length`.
const HEAD_ROOM: usize = 160;

/// The same for each field: a name that was a number, colon, space and line end.
const FIELD_ROOM: usize = 24;

/// One exchange's news.
#[derive(Debug)]
pub(super) struct Inbox {
    request: RequestFacts,
    /// What is added to the response.
    marks: Marks,
    /// Where in the outbox's bytes the request begins.
    pub(super) request_at: u64,
    waker: Option<Waker>,
    news: bool,
    inner: News,
    /// The client has not been left waiting to be told to send its body: it may go on to another request afterwards.
    pub(super) told: bool,
    /// The worker's half has ended, as it should.
    ended: bool,
    /// How the response is delivered, once its head has come.
    planned: Option<Plan>,
    /// The chunk that small pieces are written into.
    tail: Option<Chunk>,
    /// Bytes of informational responses so far.
    inform_bytes: usize,
}

/// What an exchange takes.
#[derive(Debug, Default)]
pub(in crate::shard) struct News {
    /// Bytes for the client.
    pub(in crate::shard) to_client: Queue,
    /// Bytes of data among them.
    pub(in crate::shard) data_bytes: usize,
    /// The final head's meaning, once.
    pub(in crate::shard) plan: Option<(ResponseFacts, Delivery)>,
    /// The bytes may wait for more.
    pub(in crate::shard) gathers: bool,
    /// Raw bytes of the worker, for an exchange that left HTTP.
    pub(in crate::shard) raw: Queue,
    /// The worker has asked for the body.
    pub(in crate::shard) continued: bool,
    /// The stream carries raw bytes from here on.
    pub(in crate::shard) is_raw: bool,
    /// The worker's half has ended.
    pub(in crate::shard) done: bool,
    /// The worker does not want the rest of the request.
    pub(in crate::shard) stopped: bool,
    /// The exchange has failed.
    pub(in crate::shard) fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    chunked: bool,
    /// Body bytes to come, where that was said.
    left: Option<u64>,
}

impl Inbox {
    /// For a request that begins at `request_at` of the outbox.
    pub(super) fn new(request: RequestFacts, marks: Marks, request_at: u64) -> Self {
        Self {
            request,
            marks,
            request_at,
            waker: None,
            news: false,
            inner: News::default(),
            told: !request.expect_continue,
            ended: false,
            planned: None,
            tail: None,
            inform_bytes: 0,
        }
    }

    /// Ready with everything that has come since the last time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        if !std::mem::take(&mut self.news) {
            if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                self.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        self.seal();
        Poll::Ready(std::mem::take(&mut self.inner))
    }

    fn wake(&mut self) {
        if !std::mem::replace(&mut self.news, true)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    fn seal(&mut self) {
        if let Some(tail) = self.tail.take() {
            self.inner.to_client.push(tail.freeze());
        }
    }

    /// Writes `bytes` behind what is there, in a chunk of their own size if need be.
    fn put(&mut self, bytes: &[u8], pool: &Pool) {
        if self.tail.as_ref().is_none_or(|tail| tail.spare() < bytes.len()) {
            self.seal();
            self.tail = Some(pool.take(ChunkSize::holding(bytes.len()).unwrap_or(ChunkSize::Large)));
        }
        if let Some(tail) = &mut self.tail {
            // Nothing beyond a chunk's size is ever put here.
            let _fits = tail.put(bytes);
        }
    }

    /// A response's head, final or informational, with `body` bytes in its frame.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn on_head(
        &mut self,
        head: &Response<'_>,
        body: u32,
        informational: bool,
        pool: &Pool,
        terms: &Terms<'_>,
    ) -> Result<(), Garbled> {
        self.wake();
        let mut digits = LengthDigits::default();
        let reply = Reply::plan(head, body, &self.request, terms.may_keep_alive && self.told, &mut digits)
            .map_err(Garbled::contradictory)?;
        let fields: usize = head.fields.iter().map(|(name, value)| name.len() + value.len() + FIELD_ROOM).sum();
        let inline = if body as usize <= COALESCE_BYTES { body as usize } else { 0 };
        let added = if informational { None } else { self.marks.written(terms.mark) };
        let added = added.as_deref().unwrap_or_default();
        let room = HEAD_ROOM + head.reason.len() + fields + added.len();
        self.seal();
        let mut out = pool.take(ChunkSize::holding(room + inline).unwrap_or(ChunkSize::Large));
        if reply.encode(terms.date, added, &mut out).is_err() {
            out = pool.take(ChunkSize::Large);
            reply.encode(terms.date, added, &mut out).map_err(|_full| Garbled::LARGE)?;
        }
        if informational {
            self.inform_bytes += out.len();
            if self.inform_bytes > INFORM_BYTES_MAX {
                return Err(Garbled::TOO_MANY);
            }
        }
        self.tail = Some(out);
        if informational {
            self.inner.continued |= head.status == 100;
            self.told |= head.status == 100;
            self.seal();
            return Ok(());
        }
        let (facts, delivery) = (*reply.facts(), *reply.delivery());
        let left = match facts.framing {
            Framing::Length(bytes) => Some(bytes),
            Framing::None => Some(0),
            Framing::Chunked | Framing::UntilClose | Framing::Tunnel => None,
        };
        self.planned = Some(Plan { chunked: reply.is_chunked(), left });
        self.inner.plan = Some((facts, delivery));
        self.inner.gathers = self.marks.gathers && may_wait(&facts, head.fields.iter());
        Ok(())
    }

    /// Body data, or raw bytes. What is more than the head announced is dropped, and all that follows a head that was
    /// not acceptable: its bytes are returned.
    pub(super) fn on_data(&mut self, mut piece: Slice, pool: &Pool) -> usize {
        self.wake();
        if self.inner.fault.is_some() {
            return piece.len();
        }
        let Some(plan) = &mut self.planned else {
            self.inner.data_bytes += piece.len();
            self.inner.raw.push(piece);
            return 0;
        };
        let mut dropped = 0;
        if let Some(left) = &mut plan.left {
            let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(piece.len());
            *left -= wanted as u64;
            dropped = piece.len() - wanted;
            piece = piece.slice(..wanted);
        }
        if piece.is_empty() {
            return dropped;
        }
        let chunked = plan.chunked;
        self.inner.data_bytes += piece.len();
        if chunked {
            let mut size = SizeLine::default();
            // A number has at most 18 bytes.
            let _fits = encode_chunk_size(piece.len() as u64, &mut size);
            self.put(size.bytes(), pool);
        }
        if piece.len() <= COALESCE_BYTES {
            self.put(&piece, pool);
        } else {
            self.seal();
            self.inner.to_client.push(piece);
        }
        if chunked {
            self.put(b"\r\n", pool);
        }
        dropped
    }

    /// The worker's half has ended.
    pub(super) fn on_end(&mut self, end: &End<'_>, pool: &Pool) {
        self.wake();
        self.inner.stopped |= end.stop;
        let Some(plan) = self.planned else {
            (self.inner.done, self.ended) = (true, true);
            return;
        };
        if plan.left.is_some_and(|left| left > 0) {
            // Fewer bytes than were announced: the client must not take them for all.
            self.inner.fault = Some(Fault::Worker(Seen::Answered));
            return;
        }
        if plan.chunked && end.trailers.is_empty() {
            self.put(LAST_CHUNK, pool);
        } else if plan.chunked {
            let mut trailers = pool.take(ChunkSize::Medium);
            match encode_trailers(&end.trailers, &mut trailers) {
                Ok(()) => self.put(&trailers, pool),
                Err(_full) => self.put(LAST_CHUNK, pool),
            }
        }
        (self.inner.done, self.ended) = (true, true);
    }

    /// Whether the request asked for another protocol.
    pub(super) fn is_upgrade(&self) -> bool {
        self.request.upgrade
    }

    /// The worker wants no more of the request.
    pub(super) fn on_stop(&mut self) {
        self.inner.stopped = true;
        self.wake();
    }

    /// The worker goes over to raw bytes.
    pub(super) fn on_raw(&mut self) {
        self.inner.is_raw = true;
        self.wake();
    }

    /// The worker gives the exchange up.
    pub(super) fn on_reset(&mut self, code: ResetCode) {
        self.fail(match code {
            ResetCode::Refused => Fault::Worker(Seen::Nothing),
            ResetCode::ShuttingDown => Fault::Worker(Seen::Perhaps),
            ResetCode::Timeout => Fault::Silent,
            ResetCode::Cancelled | ResetCode::Internal | ResetCode::Protocol => Fault::Worker(Seen::Answered),
        });
    }

    /// The exchange has failed, unless it is complete.
    pub(super) fn fail(&mut self, fault: Fault) {
        if !self.ended {
            self.inner.fault.get_or_insert(fault);
        }
        self.wake();
    }

    /// More credit, or something else to look at.
    pub(super) fn nudge(&mut self) {
        self.wake();
    }
}

/// A chunk-size line.
#[derive(Debug, Default)]
struct SizeLine {
    bytes: [u8; 18],
    len: usize,
}

impl SizeLine {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl forebay_core::http1::Sink for SizeLine {
    fn put(&mut self, bytes: &[u8]) -> Result<(), forebay_core::http1::Full> {
        let room = self.bytes.get_mut(self.len..self.len + bytes.len()).ok_or(forebay_core::http1::Full)?;
        room.copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use forebay_core::http1::{RequestHead, judge_request};
    use forebay_core::pipe::FieldSection;

    use crate::shard::marks::Unmarked;

    use super::*;

    #[test]
    fn informational_responses_are_bounded() {
        let head = RequestHead::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 10).unwrap();
        let (pool, terms) = (
            Pool::new(0),
            Terms { may_keep_alive: true, date: b"", now: forebay_core::time::Timestamp::ZERO, mark: &Unmarked },
        );
        let mut inbox = Inbox::new(judge_request(&head).unwrap(), Marks::NONE, 0);
        let inform = Response { flags: 0, status: 102, reason: b"", fields: FieldSection::EMPTY };
        let mut sent = 0;
        while inbox.on_head(&inform, 0, true, &pool, &terms).is_ok() {
            sent += 1;
            assert!(inbox.inner.to_client.len() <= INFORM_BYTES_MAX);
        }
        assert!(sent > 1000, "{sent}");
    }
}
