//! The end of an exchange: what becomes of its client's connection, and what is said where no worker has answered.

use forebay_core::buf::Slice;
use forebay_core::http1::Reject;
use forebay_core::id::RequestId;
use forebay_core::time::Timestamp;

use super::connection::Client;
use super::lease::Lease;
use super::pump::Fault;
use super::record::Outcome;
use super::relay::Relay;
use super::respond::{Answer, Then};
use super::{Engine, Shard};
use crate::bulletin::Event;
use crate::status::Cause;

/// What becomes of the client's connection after an exchange.
#[derive(Debug)]
pub(super) enum After {
    /// It may bring another request, of which these bytes are here.
    Next(Option<Slice>),
    /// It is closed once the client has read what was written.
    Close,
    /// It is broken off: the client is gone, or must not take a part for the whole.
    Abort,
}

/// Answers a request that cannot be accepted.
pub(super) async fn turn_down<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    head: &[u8],
    id: RequestId,
    began: Timestamp,
    reject: Reject,
) -> After {
    shard.record(client, head, id, began, &Outcome::rejected(reject));
    shard.answer(&client.conn, &client.timer, reject.into(), Then::CLOSE).await;
    After::Close
}

/// The exchange is complete: the client's connection may perhaps be used again.
pub(super) fn complete<E: Engine>(relay: &mut Relay<'_>, lease: Lease<'_, E>, outcome: &mut Outcome) -> After {
    drop(lease);
    let Some((facts, delivery)) = relay.delivery else {
        return After::Abort;
    };
    outcome.status = facts.status;
    if delivery.keep_alive && relay.request_done && !relay.client_ended {
        After::Next(relay.carry.take())
    } else {
        After::Close
    }
}

/// What a failed attempt is called. Nothing but a look at the worker tells why it took nothing.
pub(super) fn cause_of<E: Engine>(shard: &Shard<E>, relay: &Relay<'_>, lease: &Lease<'_, E>, fault: Fault) -> Cause {
    let cause = relay.cause_of(fault);
    let untaken = matches!(cause, Cause::HeadUnsent | Cause::HeadPart);
    if untaken && !shard.is_current(lease) { Cause::EndedBefore } else { cause }
}

/// Ends an exchange that cannot be completed: with an answer if nothing of a response has gone out, else by a cut.
pub(super) async fn give_up<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    relay: &mut Relay<'_>,
    fault: Fault,
    cause: Cause,
    outcome: &mut Outcome,
) -> After {
    let has_left = matches!(fault, Fault::Client(_));
    if relay.response_begun() {
        let after = cut(relay, cause, outcome);
        // The client has all of the response, only its request did not come to an end: let it read.
        let is_whole = relay.response_done() && relay.to_client.is_empty();
        return if is_whole && !has_left { After::Close } else { after };
    }
    match fault {
        Fault::Client(_) => {
            outcome.cause = Some(cause);
            After::Abort
        }
        Fault::Request(reject) => refuse(shard, client, relay, reject, outcome).await,
        Fault::Garbled(_) | Fault::Silent | Fault::Worker(_) | Fault::Stalled => {
            say(shard, client, relay, cause.into(), outcome).await
        }
    }
}

/// A response that has begun cannot be completed. The status the client saw is what is recorded.
pub(super) fn cut(relay: &Relay<'_>, cause: Cause, outcome: &mut Outcome) -> After {
    outcome.status = relay.delivery.as_ref().map_or(0, |(facts, _)| facts.status);
    // A tunnel that was silent for too long has come to its end.
    outcome.cause = (!relay.is_tunnel()).then_some(cause);
    After::Abort
}

/// Refuses a request for what it is.
pub(super) async fn refuse<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    relay: &Relay<'_>,
    reject: Reject,
    outcome: &mut Outcome,
) -> After {
    *outcome = Outcome { bytes_in: outcome.bytes_in, ..Outcome::rejected(reject) };
    shard.answer(&client.conn, &client.timer, reject.into(), Then::after(&relay.request, false)).await;
    After::Close
}

/// Answers in place of the worker, or leaves it to a page of the origin.
pub(super) async fn say<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    relay: &mut Relay<'_>,
    answer: Answer,
    outcome: &mut Outcome,
) -> After {
    if relay.live.errors.dev_pages && shard.bulletin.origin().is_some() && answer.cause().is_explained() {
        (outcome.cause, outcome.owes_page) = (Some(answer.cause()), true);
        return After::Close;
    }
    say_plainly(shard, client, relay, answer, outcome).await
}

/// Answers in place of the worker with a sentence. The connection stays open if the request has been read to its end.
pub(super) async fn say_plainly<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    relay: &mut Relay<'_>,
    answer: Answer,
    outcome: &mut Outcome,
) -> After {
    outcome.status = answer.status(&relay.live.errors);
    outcome.cause = Some(answer.cause());
    let keep = relay.request_done && !relay.client_ended && shard.is_serving();
    let then = Then::after(&relay.request, keep);
    let sent = shard.answer(&client.conn, &client.timer, answer, then).await;
    match (sent, then.keep_alive) {
        (true, true) => After::Next(relay.carry.take()),
        (true, false) => After::Close,
        (false, _) => After::Abort,
    }
}

/// Tells the supervisor what a worker has done wrong.
pub(super) fn report<E: Engine>(shard: &Shard<E>, lease: &Lease<'_, E>, fault: Fault) {
    let (worker, generation) = (lease.worker, lease.generation);
    match fault {
        Fault::Garbled(garbled) => shard.bulletin.report(Event::Garbled(worker, generation, garbled.what)),
        Fault::Silent => shard.bulletin.report(Event::Silent(worker, generation)),
        Fault::Client(_) | Fault::Request(_) | Fault::Worker(_) | Fault::Stalled => {}
    }
}
