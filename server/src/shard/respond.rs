//! The server's own answers: a status, one sentence, and for overload a reason and when to come back.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use forebay_core::buf::{ChunkSize, Queue};
use forebay_core::http1::{MethodClass, Reject, Reply, RequestFacts, Version, encode_reply};
use forebay_transports::Conn;

use super::op::{Op, settle, writer};
use super::timers::Timer;
use super::{Engine, Shard};
use crate::bulletin::Shed;
use crate::config::ErrorsConfig;
use crate::status::Cause;

/// Seconds after which a shed client may come back.
const RETRY_AFTER: &str = "1";

/// The header that names why a request was shed.
const REASON: &str = "X-Forebay-Reason";

/// The header that has status and sub-status, where somebody is to find out what goes wrong.
const STATUS: &str = "X-Forebay-Status";

/// One of the server's own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    cause: Cause,
    shed: Option<Shed>,
    reject: Option<Reject>,
}

impl Answer {
    /// For a request that was shed because of `cause`.
    pub(super) fn shed(shed: Shed, cause: Cause) -> Self {
        Self { cause, shed: Some(shed), reject: None }
    }

    /// Why it is given.
    pub(super) fn cause(&self) -> Cause {
        self.cause
    }

    /// The status that the client sees.
    pub(super) fn status(&self, errors: &ErrorsConfig) -> u16 {
        self.reject.map_or_else(|| self.cause.row().code(errors.statuses).status, |reject| reject.status)
    }

    fn sentence(&self) -> &'static str {
        self.reject.map_or(self.cause.row().sentence, |reject| reject.reason)
    }
}

impl From<Cause> for Answer {
    fn from(cause: Cause) -> Self {
        Self { cause, shed: None, reject: None }
    }
}

impl From<Reject> for Answer {
    fn from(reject: Reject) -> Self {
        Self { cause: Cause::Rejected, shed: None, reject: Some(reject) }
    }
}

/// The connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Then {
    /// Whether it stays open.
    pub(super) keep_alive: bool,
    version: Version,
    head_only: bool,
}

impl Then {
    /// The connection closes, and nothing is known of the request.
    pub(super) const CLOSE: Self = Self { keep_alive: false, version: Version::Http11, head_only: false };

    /// After `request`, which is complete or not.
    pub(super) fn after(request: &RequestFacts, keep_alive: bool) -> Self {
        let head_only = request.method == MethodClass::Head;
        Self { keep_alive: keep_alive && request.keep_alive, version: request.version, head_only }
    }
}

impl<E: Engine> Shard<E> {
    /// Writes an answer. False if the client did not take it.
    pub(super) async fn answer(&self, client: &E::Downstream, timer: &Timer, answer: Answer, then: Then) -> bool {
        let queue = self.encode(answer, then);
        timer.set(self.live.borrow().limits.send_timeout);
        let sent = self.write_all(client, timer, queue).await;
        timer.clear();
        sent
    }

    fn encode(&self, answer: Answer, then: Then) -> Queue {
        let live = self.live.borrow();
        let is_shown = live.errors.dev_pages || live.response.debug_header;
        let code = answer.cause.row().code(live.errors.statuses);
        let shed = answer.shed.map_or("", Shed::reason);
        let fields = [(STATUS, code.text), ("Retry-After", RETRY_AFTER), (REASON, shed)];
        let from = if is_shown && answer.reject.is_none() { 0 } else { 1 };
        let to = if answer.shed.is_some() { 3 } else { 1 };
        let date = self.date.borrow();
        let reply = Reply {
            status: answer.status(&live.errors),
            sentence: answer.sentence(),
            fields: &fields[from..to],
            keep_alive: then.keep_alive,
            client: then.version,
            date: &date[..],
            head_only: then.head_only,
        };
        let mut chunk = self.pool.take(ChunkSize::Medium);
        // A few hundred bytes always fit 16 KiB.
        let _fits = encode_reply(&reply, &mut chunk);
        Queue::from(chunk.freeze())
    }

    async fn write_all(&self, client: &E::Downstream, timer: &Timer, mut queue: Queue) -> bool {
        let mut writes = pin!(writer(client));
        while !queue.is_empty() {
            writes.as_mut().start(queue);
            let done = poll_fn(|cx| match writes.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending => timer.poll(cx).map(|()| None),
            });
            match done.await {
                Some((Ok(1..), rest)) => queue = rest,
                Some((Ok(0) | Err(_), _)) => return false,
                None => {
                    client.abort();
                    settle(writes).await;
                    return false;
                }
            }
        }
        true
    }
}
