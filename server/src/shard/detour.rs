//! Requests that do not reach the application: the gate says so, the origin answers them.
//!
//! The origin is reached as a worker is, over HTTP/1.1 and by its own route. What it gets is the client's head with an
//! instruction for a target; the client's own target never goes there.

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use forebay_core::buf::{Chunk, Slice};
use forebay_core::http1::{Framing, MethodClass, RequestHead, Target, is_https};
use forebay_core::time::Timestamp;
use forebay_transports::Completion;

use super::connection::Client;
use super::ending::{After, say_plainly};
use super::exchange::{Request, attempts, serve};
use super::op::Op;
use super::record::Outcome;
use super::relay::Relay;
use super::{Engine, Shard};
use crate::bulletin::{SESSION_COOKIE, is_same};
use crate::live::Live;
use crate::site::{self, Asked, Decision, Instruction};
use crate::status::Cause;

/// Where a request goes that is not for the application.
pub(super) enum Detour {
    /// To the origin, with this target.
    Origin(String),
    /// To the process that is debugged: whoever debugs it has sent it.
    Debuggee(u16),
    /// Nowhere: the connection is closed.
    Abort,
}

/// How often a held request looks whether it may go on. 5 ms.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl<E: Engine> Shard<E> {
    /// Waits while requests are held, as long as they may wait for a worker at most: only then it shows where they go.
    pub(super) async fn unheld(&self, patience: Duration) {
        let until = E::now() + patience;
        let is_held = || self.bulletin.gate().is_held() && !self.bulletin.gate().is_offline();
        while is_held() && E::now() < until {
            E::sleep_until(E::now() + LOOK_AGAIN).await;
        }
    }

    /// Where a request of a peer goes, if not to the application.
    pub(super) fn detour(&self, head: &RequestHead<'_>, live: &Live, peer: IpAddr) -> Option<Detour> {
        let gate = self.bulletin.gate();
        if gate.is_open() {
            return None;
        }
        self.bulletin.origin()?;
        if gate.is_offline() {
            return Some(Detour::origin(&Instruction::Offline));
        }
        if gate.is_broken() {
            return Some(Detour::origin(&Instruction::Misconfigured));
        }
        let site = gate.site();
        let rules = site.as_deref().map(|site| &*site.rules);
        if let Some(debugger) = gate.debugger().as_deref() {
            let target = std::str::from_utf8(path_of(head)?).unwrap_or_default();
            match debugger.asked(rules, target) {
                None => {}
                Some(Asked::Redirect(to)) => return Some(Detour::origin(&Instruction::Redirect(301, to.into()))),
                Some(Asked::Below(rest, query)) => {
                    return Some(Detour::origin(&Instruction::Debugger(rest.into(), query.into())));
                }
            }
        }
        let is_debugging = gate.session().is_some_and(|secret| secret.as_deref().is_some_and(|it| brings(head, it)));
        let debuggee = self.bulletin.debuggee().filter(|_| is_debugging).map(Detour::Debuggee);
        let Some(site) = site.as_deref() else { return debuggee };
        // Heads are ASCII where it matters: the method is one of a list, targets are visible characters.
        let request = site::Request {
            method: std::str::from_utf8(head.method).unwrap_or_default(),
            target: std::str::from_utf8(path_of(head)?).unwrap_or_default(),
            https: live.trusts(peer) && is_https(head),
            fields: &head.fields,
        };
        match site.decide(&request, &mut self.rewriting.borrow_mut()) {
            Decision::Application => debuggee,
            Decision::Origin(instruction) => Some(Detour::origin(&instruction)),
            Decision::Abort => Some(Detour::Abort),
        }
    }
}

impl Detour {
    /// To the origin, told this.
    pub(super) fn origin(instruction: &Instruction<'_>) -> Self {
        let mut target = String::new();
        instruction.write(&mut target);
        Self::Origin(target)
    }
}

/// Serves a request that is not for the application: the origin gets it with `target` in place of the client's own.
#[expect(clippy::too_many_arguments, reason = "an exchange's own, and where it goes")]
pub(super) async fn serve_by_origin<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    request: &Request<'_, '_>,
    target: &str,
    began: Timestamp,
    rest: Option<Slice>,
    outcome: &mut Outcome,
) -> After {
    let head = request.head.with_target(target.as_bytes());
    let bytes = request.bytes + target.len();
    let route = shard.bulletin.origin().unwrap_or_default();
    let Request { live, facts, id, .. } = *request;
    let request = Request { live, head: &head, bytes, facts, id, route };
    serve(shard, client, client_reads, &request, began, rest, outcome).await
}

/// Answers with the page of the origin that explains the failure. What the request has of a body stays here.
pub(super) async fn explain<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    client_reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    request: &Request<'_, '_>,
    failed: &mut Relay<'_>,
    outcome: &mut Outcome,
) -> After {
    let cause = outcome.cause.unwrap_or(Cause::NoWorker);
    let mut target = String::new();
    Instruction::Failure {
        cause: cause as u8,
        worker: outcome.process.map(|(worker, _)| worker.0),
        generation: outcome.process.map_or(0, |(_, generation)| generation.0),
    }
    .write(&mut target);
    let is_head = failed.request.method == MethodClass::Head;
    let head = RequestHead::bare(if is_head { b"HEAD" } else { b"GET" }, target.as_bytes());
    let mut facts = failed.request;
    facts.method = if is_head { MethodClass::Head } else { MethodClass::Get };
    (facts.body, facts.expect_continue, facts.upgrade) = (Framing::None, false, false);
    // What is left of the body would be taken for the next request.
    facts.keep_alive &= failed.request_done;
    let route = shard.bulletin.origin().unwrap_or_default();
    let page = Request { live: request.live, head: &head, bytes: target.len(), facts, id: request.id, route };
    let mut relay = Relay::new(&shard.pool, request.live, E::now(), facts);
    (relay.carry, relay.client_ended) = (failed.carry.take(), failed.client_ended);
    let mut told = Outcome::default();
    let after = attempts(shard, client, client_reads, &page, &mut relay, &mut told).await;
    outcome.bytes_out += relay.bytes_out;
    if told.owes_page || !relay.response_begun() && told.status == 0 {
        // The origin has failed too: a sentence has to do.
        return say_plainly(shard, client, failed, cause.into(), outcome).await;
    }
    outcome.status = told.status;
    after
}

/// Path and query of a target that has them.
fn path_of<'h>(head: &RequestHead<'h>) -> Option<&'h [u8]> {
    match head.form {
        Target::Origin(target) => Some(target),
        Target::Absolute { path: path @ [b'/', ..], .. } => Some(path),
        Target::Absolute { .. } => Some(b"/"),
        Target::Authority(_) | Target::Asterisk => None,
    }
}

/// Whether a request has the cookie of whoever debugs.
fn brings(head: &RequestHead<'_>, secret: &str) -> bool {
    let cookies = head.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(b"cookie"));
    let mut pairs = cookies.flat_map(|field| field.value.split(|&byte| byte == b';')).map(<[u8]>::trim_ascii);
    pairs.any(|pair| {
        let value = pair.strip_prefix(SESSION_COOKIE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value.is_some_and(|value| is_same(value, secret.as_bytes()))
    })
}
