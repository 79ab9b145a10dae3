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

/// Seconds after which a shed client may come back.
const RETRY_AFTER: &str = "1";

/// The header that names why a request was shed.
const REASON: &str = "X-Forebay-Reason";

/// One of the server's own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    sentence: &'static str,
    reason: Option<&'static str>,
}

impl Answer {
    /// 502: the worker's connection ended, and the request could not be repeated.
    pub(super) const BAD_GATEWAY: Self =
        Self { status: 502, sentence: "The application ended the connection before it had answered.", reason: None };
    /// 502: the worker sent something else than a response.
    pub(super) const GARBLED: Self =
        Self { status: 502, sentence: "The application's response is not valid HTTP.", reason: None };
    /// 502: nobody listens.
    pub(super) const UNREACHABLE: Self =
        Self { status: 502, sentence: "The application is not listening.", reason: None };
    /// 504: `response_start_timeout`.
    pub(super) const SILENT: Self =
        Self { status: 504, sentence: "The application did not begin to answer in time.", reason: None };
}

impl From<Reject> for Answer {
    fn from(reject: Reject) -> Self {
        Self { status: reject.status, sentence: reject.reason, reason: None }
    }
}

impl From<Shed> for Answer {
    fn from(shed: Shed) -> Self {
        let sentence = match shed {
            Shed::QueueFull => "Too many requests are waiting for the application.",
            Shed::QueueTimeout => "The application is busy: the request waited too long for its turn.",
            Shed::NoWorker => "The application is not ready.",
            Shed::Connections => "Too many clients are connected.",
            Shed::Stopping => "The server is stopping.",
        };
        Self { status: 503, sentence, reason: Some(shed.reason()) }
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
        let fields = [("Retry-After", RETRY_AFTER), (REASON, answer.reason.unwrap_or_default())];
        let date = self.date.borrow();
        let reply = Reply {
            status: answer.status,
            sentence: answer.sentence,
            fields: if answer.reason.is_some() { &fields } else { &[] },
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
