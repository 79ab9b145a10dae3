//! One request, from its head to the end of its response: judge, find a worker, relay, and try again where that is
//! allowed.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::pin::Pin;

use forebay_core::buf::{Chunk, ChunkSize, Slice};
use forebay_core::dispatch::{Failure, Seen, Verdict, after_failure};
use forebay_core::http1::{
    Added, Forwarding, Framing, Reject, RequestFacts, RequestHead, encode_request, judge_request,
};
use forebay_core::id::RequestId;
use forebay_transports::Completion;

use super::connection::Client;
use super::lease::{Lease, Refusal};
use super::op::Op;
use super::pump::{Fault, pump};
use super::record::{AddressText, Outcome};
use super::relay::{Relay, too_large};
use super::respond::{Answer, Then};
use super::{Engine, Shard};
use crate::bulletin::{Event, ShardStats};
use crate::config::Affinity;

/// Room for what encoding adds to a request head: forwarding fields with addresses and host names, request id.
const HEAD_ROOM: usize = 512;

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

/// Serves the request with this head; `rest` is what else was read with it.
pub(super) async fn exchange<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    head: Slice,
    rest: Option<Slice>,
) -> After {
    let began = E::now();
    let id = shard.next_id();
    let (facts, key, encoded) = match admit(shard, client, &head, id) {
        Ok(admitted) => admitted,
        Err(reject) => {
            shard.record(client, &head, id, began, &Outcome::rejected(reject));
            shard.answer(&client.conn, &client.timer, reject.into(), Then::CLOSE).await;
            return After::Close;
        }
    };
    let mut relay = Relay::new(&shard.pool, &shard.limits, began, facts, encoded);
    relay.key = key;
    let mut outcome = Outcome { bytes_in: head.len() as u64, ..Outcome::default() };
    let after = match rest.map_or(Ok(()), |rest| relay.on_client_bytes(rest)) {
        Ok(()) => attempts(shard, client, client_reads, &mut relay, &mut outcome).await,
        Err(reject) => refuse(shard, client, &relay, reject, &mut outcome).await,
    };
    outcome.bytes_in += relay.body_bytes();
    outcome.bytes_out += relay.bytes_out;
    shard.record(client, &head, id, began, &outcome);
    after
}

/// Parses and judges a head, and writes it anew for the worker.
fn admit<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    bytes: &[u8],
    id: RequestId,
) -> Result<(RequestFacts, Option<u64>, Slice), Reject> {
    let head = RequestHead::parse(bytes, usize::from(shard.limits.fields_max))?;
    let facts = judge_request(&head)?;
    if let Framing::Length(length) = facts.body
        && shard.limits.body_bytes_max > 0
        && length > shard.limits.body_bytes_max
    {
        return Err(too_large());
    }
    let address = AddressText::new(client.address);
    let forwarding = shard.forwarding.as_ref().map(|config| Forwarding {
        peer: address.as_bytes(),
        scheme: "http",
        trusted: client.trusted,
        request_id: id.to_hex(),
        add: Added {
            x_forwarded: config.x_forwarded,
            real_ip: false,
            forwarded: config.forwarded,
            request_id: config.request_id,
        },
    });
    let size = ChunkSize::holding(bytes.len() + HEAD_ROOM).unwrap_or(ChunkSize::Large);
    let mut out = shard.pool.take(size);
    if encode_request(&head, &facts, forwarding.as_ref(), &mut out).is_err() {
        // Host names in the added fields can be long: the largest chunk holds any head and three times its host.
        out = shard.pool.take(ChunkSize::Large);
        encode_request(&head, &facts, forwarding.as_ref(), &mut out)
            .map_err(|_full| Reject { status: 431, reason: "The head is larger than this server accepts." })?;
    }
    Ok((facts, key(shard.affinity, &head, client.address), out.freeze()))
}

/// What ties a request to one worker: its client's address, where that is asked for.
fn key(affinity: Affinity, head: &RequestHead<'_>, address: IpAddr) -> Option<u64> {
    let sticks = match affinity {
        Affinity::Off => false,
        Affinity::Address => true,
        // engine.io names its protocol's version in every request of a session.
        Affinity::Auto => {
            let query = head.target.iter().position(|&byte| byte == b'?').map(|at| &head.target[at..]);
            query.is_some_and(|query| query.windows(5).any(|word| matches!(word, b"?EIO=" | b"&EIO=")))
        }
    };
    sticks.then(|| match address {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        // The network part: hosts of one network may use several addresses of it.
        IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
    })
}

/// Gives the request to workers until one has answered it or the retry table says stop.
async fn attempts<'s, E: Engine>(
    shard: &'s Shard<E>,
    client: &Client<E>,
    mut client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    relay: &mut Relay<'s>,
    outcome: &mut Outcome,
) -> After {
    let mut left = shard.limits.attempts_max;
    loop {
        let mut lease = match shard.enter(client.route, relay, client_reads.as_mut()).await {
            Ok(lease) => lease,
            Err(Refusal::Shed(shed)) => {
                shard.count_shed(shed);
                outcome.shed(shed);
                return say(shard, client, relay, shed.into(), outcome).await;
            }
            Err(Refusal::Fault(fault)) => {
                return give_up(shard, client, relay, fault, outcome).await;
            }
        };
        // What rests here may be stale; a request that has met that once is not sent to meet it again.
        let connected = shard.connect(&lease, left < shard.limits.attempts_max).await;
        let Ok(mut link) = connected else {
            // A dial that hangs costs time, and with several such workers their turns would come again for ever.
            let hung = connected.is_err_and(|error| error.kind() == ErrorKind::TimedOut);
            left = left.saturating_sub(u8::from(hung));
            if shard.external || left == 0 {
                return say(shard, client, relay, Answer::UNREACHABLE, outcome).await;
            }
            // Nothing was sent, so a refusal is no attempt; `enter` bounds the time.
            shard.suspect(lease.worker, lease.generation);
            continue;
        };
        left = left.saturating_sub(1);
        outcome.worker = Some(lease.worker);
        relay.worker_size = link.size;
        let (conn, timer) = (&client.conn, &client.timer);
        let result = pump(shard, relay, conn, client_reads.as_mut(), &link.conn, &mut lease, timer).await;
        let fault = match result {
            Ok(()) => {
                (link.size, link.is_new) = (relay.worker_size, false);
                return complete(shard, relay, lease, link, outcome);
            }
            Err(fault) => fault,
        };
        report(shard, &lease, fault);
        let Fault::Worker(mut seen) = fault else {
            return give_up(shard, client, relay, fault, outcome).await;
        };
        if link.is_new && seen == Seen::Perhaps && verdict(relay, seen, left) == Verdict::Again {
            drop(link);
            if shard.is_listening(&lease).await {
                seen = Seen::Answered;
            }
        }
        match verdict(relay, seen, left) {
            Verdict::Again => {
                ShardStats::add(&shard.stats().retries, 1);
                relay.rewind();
            }
            Verdict::BadGateway => {
                return say(shard, client, relay, Answer::BAD_GATEWAY, outcome).await;
            }
            Verdict::Cut => return cut(relay, outcome),
        }
    }
}

fn verdict(relay: &Relay<'_>, seen: Seen, left: u8) -> Verdict {
    after_failure(Failure {
        seen,
        response_begun: relay.response_begun(),
        idempotent: relay.request.method.is_idempotent(),
        held: relay.is_held(),
        attempts_left: left > 0,
    })
}

/// The exchange is complete: the worker's connection may be used again, and the client's perhaps too.
fn complete<E: Engine>(
    shard: &Shard<E>,
    relay: &mut Relay<'_>,
    lease: Lease<'_, E>,
    link: super::upstream::Link<E::Upstream>,
    outcome: &mut Outcome,
) -> After {
    let Some((facts, delivery)) = relay.delivery else {
        return After::Abort;
    };
    outcome.status = facts.status;
    let sent = relay.request_done && relay.to_worker.is_empty();
    if facts.keep_alive && sent && !relay.worker_spent {
        shard.keep(&lease, link, &facts);
    }
    drop(lease);
    if delivery.keep_alive && relay.request_done && !relay.client_ended {
        After::Next(relay.carry.take())
    } else {
        After::Close
    }
}

/// Ends an exchange that cannot be completed: with an answer if nothing of a response has gone out, else by a cut.
async fn give_up<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    relay: &mut Relay<'_>,
    fault: Fault,
    outcome: &mut Outcome,
) -> After {
    if relay.response_begun() {
        let after = cut(relay, outcome);
        // The client has all of the response, only its request did not come to an end: let it read.
        let is_whole = relay.response_done() && relay.to_client.is_empty();
        return if is_whole && fault != Fault::Client { After::Close } else { after };
    }
    match fault {
        Fault::Client => After::Abort,
        Fault::Request(reject) => refuse(shard, client, relay, reject, outcome).await,
        Fault::Garbled(_) => say(shard, client, relay, Answer::GARBLED, outcome).await,
        Fault::Silent => say(shard, client, relay, Answer::SILENT, outcome).await,
        Fault::Worker(_) | Fault::Stalled => say(shard, client, relay, Answer::BAD_GATEWAY, outcome).await,
    }
}

/// A response that has begun cannot be completed. The status the client saw is what is recorded.
fn cut(relay: &Relay<'_>, outcome: &mut Outcome) -> After {
    outcome.status = relay.delivery.as_ref().map_or(0, |(facts, _)| facts.status);
    After::Abort
}

async fn refuse<E: Engine>(
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

/// Answers in place of the worker. The connection stays open if the request has been read to its end.
async fn say<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    relay: &mut Relay<'_>,
    answer: Answer,
    outcome: &mut Outcome,
) -> After {
    outcome.status = answer.status;
    let keep = relay.request_done && !relay.client_ended && shard.is_serving();
    let then = Then::after(&relay.request, keep);
    let sent = shard.answer(&client.conn, &client.timer, answer, then).await;
    match (sent, then.keep_alive) {
        (true, true) => After::Next(relay.carry.take()),
        (true, false) => After::Close,
        (false, _) => After::Abort,
    }
}

fn report<E: Engine>(shard: &Shard<E>, lease: &Lease<'_, E>, fault: Fault) {
    let (worker, generation) = (lease.worker, lease.generation);
    match fault {
        Fault::Garbled(what) => shard.bulletin.report(Event::Garbled(worker, generation, what)),
        Fault::Silent => shard.bulletin.report(Event::Silent(worker, generation)),
        Fault::Client | Fault::Request(_) | Fault::Worker(_) | Fault::Stalled => {}
    }
}
