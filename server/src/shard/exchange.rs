//! One request, from its head to the end of its response: judge, find a worker, relay, and try again where that is
//! allowed.

use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::rc::Rc;

use forebay_core::buf::{Chunk, ChunkSize, Slice};
use forebay_core::dispatch::{Failure, Seen, Verdict, after_failure};
use forebay_core::http1::{
    Added, Forwarding, Framing, Full, Reject, RequestFacts, RequestHead, Variables, encode_request, judge_request,
};
use forebay_core::id::RequestId;
use forebay_core::limits::Limits;
use forebay_core::pipe::Unsendable;
use forebay_core::time::Timestamp;
use forebay_transports::Completion;

use super::connection::Client;
use super::detour::{Detour, explain, serve_by_origin};
use super::ending::{After, cause_of, complete, cut, give_up, refuse, report, say, turn_down};
use super::lease::{Lease, Refusal};
use super::marks::Marks;
use super::op::{Op, reader, writer};
use super::over_http::HttpSide;
use super::over_pipe::PipeSide;
use super::pipe::{self, Pipe};
use super::pump::{Fault, pump};
use super::record::{AddressText, Outcome};
use super::relay::{Relay, too_large};
use super::respond::Answer;
use super::{Engine, Shard};
use crate::bulletin::ShardStats;
use crate::live::Live;
use crate::status::Cause;

/// Room for what encoding adds to a request head: forwarding fields with addresses and host names, request id.
const HEAD_ROOM: usize = 512;

/// Serves the request with this head; `rest` is what else was read with it.
pub(super) async fn exchange<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    mut client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    head: Slice,
    rest: Option<Slice>,
) -> After {
    let began = E::now();
    let id = shard.next_id();
    let live = shard.live();
    // Looked at where it is: a second place for a head would make every exchange's state a quarter larger.
    let admitted = admit(&live.limits, &head);
    let (parsed, facts) = match &admitted {
        Ok((parsed, facts)) => (parsed, *facts),
        Err(reject) => return turn_down(shard, client, &head, id, began, *reject).await,
    };
    let request = Request { live: &live, head: parsed, bytes: head.len(), facts, id, route: client.route };
    let mut outcome = Outcome { bytes_in: head.len() as u64, ..Outcome::default() };
    if shard.bulletin.gate().is_held() {
        // In a place of its own: hardly any exchange needs room for it.
        Box::pin(shard.unheld(live.limits.ready_wait_timeout)).await;
    }
    let after = match shard.detour(parsed, &live, client.address) {
        // Written out: a future of its own would be moved into this one's state, for each request.
        None => {
            let mut relay = Relay::new(&shard.pool, &live, began, facts);
            relay.tie = shard.tie(&live, request.route, parsed, client.address);
            relay.marks = Marks::of(&live, request.route, parsed, client.address);
            let after = match rest.map_or(Ok(()), |rest| relay.on_client_bytes(rest)) {
                Ok(()) => attempts(shard, client, client_reads.as_mut(), &request, &mut relay, &mut outcome).await,
                Err(reject) => refuse(shard, client, &relay, reject, &mut outcome).await,
            };
            let after = if outcome.owes_page {
                // In a place of its own, as everything that goes to the origin.
                Box::pin(explain(shard, client, client_reads, &request, &mut relay, &mut outcome)).await
            } else {
                after
            };
            outcome.bytes_in += relay.body_bytes();
            outcome.bytes_out += relay.bytes_out;
            after
        }
        Some(Detour::Abort) => After::Abort,
        Some(Detour::Debuggee(route)) => {
            let request = Request { route, ..request };
            Box::pin(serve(shard, client, client_reads, &request, began, rest, &mut outcome)).await
        }
        // In a place of its own: an exchange with the application need not carry room for it.
        Some(Detour::Origin(target)) => {
            Box::pin(serve_by_origin(shard, client, client_reads, &request, &target, began, rest, &mut outcome)).await
        }
    };
    shard.record(client, &head, id, began, &outcome);
    after
}

/// Serves a request that was accepted.
pub(super) async fn serve<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    mut client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    request: &Request<'_, '_>,
    began: Timestamp,
    rest: Option<Slice>,
    outcome: &mut Outcome,
) -> After {
    let mut relay = Relay::new(&shard.pool, request.live, began, request.facts);
    relay.tie = shard.tie(request.live, request.route, request.head, client.address);
    relay.marks = Marks::of(request.live, request.route, request.head, client.address);
    let after = match rest.map_or(Ok(()), |rest| relay.on_client_bytes(rest)) {
        Ok(()) => attempts(shard, client, client_reads.as_mut(), request, &mut relay, outcome).await,
        Err(reject) => refuse(shard, client, &relay, reject, outcome).await,
    };
    let after = if outcome.owes_page {
        // In a place of its own, as everything that goes to the origin.
        Box::pin(explain(shard, client, client_reads, request, &mut relay, outcome)).await
    } else {
        after
    };
    outcome.bytes_in += relay.body_bytes();
    outcome.bytes_out += relay.bytes_out;
    after
}

/// A request as it is given to workers.
pub(super) struct Request<'r, 'h> {
    pub(super) live: &'r Live,
    pub(super) head: &'r RequestHead<'h>,
    pub(super) bytes: usize,
    pub(super) facts: RequestFacts,
    pub(super) id: RequestId,
    /// Whose workers may have it.
    pub(super) route: u16,
}

/// Takes a head apart and judges it.
fn admit<'h>(limits: &Limits, bytes: &'h [u8]) -> Result<(RequestHead<'h>, RequestFacts), Reject> {
    let head = RequestHead::parse(bytes, usize::from(limits.fields_max))?;
    let facts = judge_request(&head)?;
    match facts.body {
        Framing::Length(length) if limits.body_bytes_max > 0 && length > limits.body_bytes_max => Err(too_large()),
        Framing::None | Framing::Length(_) | Framing::Chunked | Framing::UntilClose | Framing::Tunnel => {
            Ok((head, facts))
        }
    }
}

impl<'r> Request<'r, '_> {
    /// The fields to add for the worker, if any.
    fn forwarding<'a, E: Engine>(&self, client: &Client<E>, address: &'a AddressText) -> Option<Forwarding<'a>>
    where
        'r: 'a,
    {
        self.live.forwarding.as_ref().map(|config| Forwarding {
            peer: address.as_bytes(),
            scheme: "http",
            trusted: self.live.trusts(client.address),
            request_id: self.id.to_hex(),
            add: Added {
                x_forwarded: config.x_forwarded,
                real_ip: false,
                forwarded: config.forwarded,
                request_id: config.request_id,
            },
            variables: Variables {
                list: &self.live.variables,
                peer_port: client.port,
                local: Some((client.local.ip(), client.local.port())),
            },
        })
    }

    /// The head for a worker that speaks HTTP/1.1.
    fn encode<E: Engine>(&self, shard: &Shard<E>, client: &Client<E>) -> Result<Slice, Full> {
        let address = AddressText::new(client.address);
        let forwarding = self.forwarding(client, &address);
        let size = ChunkSize::holding(self.bytes + HEAD_ROOM).unwrap_or(ChunkSize::Large);
        let mut out = shard.pool.take(size);
        if encode_request(self.head, &self.facts, forwarding.as_ref(), &mut out).is_err() {
            // Host names in the added fields can be long: the largest chunk holds any head and three times its host.
            out = shard.pool.take(ChunkSize::Large);
            encode_request(self.head, &self.facts, forwarding.as_ref(), &mut out)?;
        }
        Ok(out.freeze())
    }
}

/// How an attempt ended.
enum Ended {
    /// The exchange is complete.
    Complete,
    /// Nothing was sent: nobody takes it there, or, with `hung`, nobody said so in time.
    Nobody { hung: bool },
    /// The request's head does not fit the worker's form.
    TooLarge,
    /// It broke off.
    Failed(Fault),
}

/// Gives the request to workers until one has answered it or the retry table says stop.
pub(super) async fn attempts<'s, E: Engine>(
    shard: &'s Shard<E>,
    client: &Client<E>,
    mut client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    request: &Request<'_, '_>,
    relay: &mut Relay<'s>,
    outcome: &mut Outcome,
) -> After {
    let mut left = relay.live.limits.attempts_max;
    loop {
        let mut lease = match shard.enter(request.route, relay, client_reads.as_mut()).await {
            Ok(lease) => lease,
            Err(Refusal::Shed(nobody)) => {
                shard.count_shed(nobody.shed);
                outcome.process = nobody.process.or(outcome.process);
                let answer = Answer::shed(nobody.shed, nobody.cause);
                return say(shard, client, relay, answer, outcome).await;
            }
            Err(Refusal::Fault(fault)) => {
                let has_left = matches!(fault, Fault::Client(_));
                let cause = if has_left { Cause::ClientLeftWaiting } else { relay.cause_of(fault) };
                return give_up(shard, client, relay, fault, cause, outcome).await;
            }
        };
        outcome.process = Some((lease.worker, lease.generation)).filter(|_| !shard.is_origin(request.route));
        outcome.worker = outcome.process.map(|(worker, _)| worker);
        relay.marks.begin(shard, relay.tie, lease.worker);
        let reads = client_reads.as_mut();
        let ended = match shard.pipe_of(lease.worker, lease.generation) {
            Some(pipe) => over_pipe(shard, client, reads, request, relay, &mut lease, pipe).await,
            // In a place of its own: an exchange over the pipe need not carry room for it.
            None => shard.attempts.place(over_http(shard, client, reads, request, relay, &mut lease, left)).await,
        };
        match ended {
            Ended::Complete => return complete(relay, lease, outcome),
            Ended::Nobody { hung } => {
                // A dial that hangs costs time, and with several such workers their turns would come again for ever.
                left = left.saturating_sub(u8::from(hung));
                if shard.external || left == 0 {
                    let cause = if hung { Cause::WorkerBusy } else { Cause::Unreachable };
                    return say(shard, client, relay, cause.into(), outcome).await;
                }
                // Nothing was sent, so a refusal is no attempt; `enter` bounds the time.
                shard.suspect(lease.worker, lease.generation);
                relay.marks.retry();
            }
            Ended::TooLarge => return say(shard, client, relay, Cause::HeadTooLarge.into(), outcome).await,
            Ended::Failed(fault) => {
                left = left.saturating_sub(1);
                report(shard, &lease, fault);
                let cause = cause_of(shard, relay, &lease, fault);
                let Fault::Worker(seen) = fault else {
                    return give_up(shard, client, relay, fault, cause, outcome).await;
                };
                match verdict(relay, seen, left) {
                    Verdict::Again => {
                        ShardStats::add(&shard.stats().retries, 1);
                        relay.marks.retry();
                        relay.rewind();
                    }
                    Verdict::BadGateway => return say(shard, client, relay, cause.into(), outcome).await,
                    Verdict::Cut => return cut(relay, cause, outcome),
                }
            }
        }
    }
}

/// One attempt with frames, on the connection that all of the shard's exchanges with this worker share.
async fn over_pipe<'s, E: Engine>(
    shard: &'s Shard<E>,
    client: &Client<E>,
    client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    request: &Request<'_, '_>,
    relay: &mut Relay<'s>,
    lease: &mut Lease<'_, E>,
    pipe: Rc<Pipe<E>>,
) -> Ended {
    let address = AddressText::new(client.address);
    let forwarding = request.forwarding(client, &address);
    let origin = pipe::Origin { address: address.as_bytes(), port: client.port, local_port: client.local.port() };
    let stream = match pipe.open(request.head, &request.facts, forwarding.as_ref(), &origin, relay) {
        Ok(stream) => stream,
        Err(Unsendable::TooLarge | Unsendable::TooManyFields) => return Ended::TooLarge,
        Err(Unsendable::Full) => return Ended::Nobody { hung: false },
    };
    let mut side = PipeSide::new(shard, stream);
    match pump(shard, relay, &client.conn, client_reads, &mut side, lease, &client.timer).await {
        Ok(()) => Ended::Complete,
        Err(fault) => Ended::Failed(fault),
    }
}

/// One attempt over HTTP/1.1, on a connection of its own.
async fn over_http<'s, E: Engine>(
    shard: &'s Shard<E>,
    client: &Client<E>,
    client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    request: &Request<'_, '_>,
    relay: &mut Relay<'s>,
    lease: &mut Lease<'_, E>,
    left: u8,
) -> Ended {
    let Ok(head) = request.encode(shard, client) else { return Ended::TooLarge };
    // What rests here may be stale; a request that has met that once is not sent to meet it again.
    let mut link = match shard.connect(lease, left < relay.live.limits.attempts_max).await {
        Ok(link) => link,
        Err(error) => return Ended::Nobody { hung: error.kind() == ErrorKind::TimedOut },
    };
    relay.worker_size = link.size;
    let result = {
        let (reads, writes) = (pin!(reader(&link.conn)), pin!(writer(&link.conn)));
        let mut side = HttpSide::new(shard, &link.conn, reads, writes, head);
        pump(shard, relay, &client.conn, client_reads, &mut side, lease, &client.timer).await
    };
    match result {
        Ok(()) => {
            if let Some((facts, _)) = &relay.delivery
                && facts.keep_alive
                && !relay.worker_spent
            {
                (link.size, link.is_new) = (relay.worker_size, false);
                shard.keep(lease, link, facts);
            }
            Ended::Complete
        }
        Err(Fault::Worker(Seen::Perhaps))
            if link.is_new && verdict(relay, Seen::Perhaps, left - 1) == Verdict::Again =>
        {
            drop(link);
            let seen = if shard.is_listening(lease).await { Seen::Answered } else { Seen::Perhaps };
            Ended::Failed(Fault::Worker(seen))
        }
        Err(fault) => Ended::Failed(fault),
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
