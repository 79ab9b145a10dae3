//! One end of the model: what it sends on its streams, and what it makes of what comes.

use super::DATA_BYTES_MAX;
use forebay_core::buf::Slice;
use forebay_core::pipe::{
    Decoder, Event, HeadEncoder, Outcome, ResetCode, Role, Signal, StreamId, Streams, flag, put_data, put_raw,
    put_reset, put_window,
};
use std::collections::BTreeMap;

/// What an exchange is going to be, decided when it is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// What its bytes are made of.
    pub(super) tag: u8,
    pub(super) request: u32,
    pub(super) response: u32,
    pub(super) upgrade: bool,
}

/// One end's view of an exchange: what it still sends, and what it has got.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) plan: Plan,
    pub(super) left: u32,
    pub(super) got: u32,
    pub(super) headed: bool,
    pub(super) peer_headed: bool,
    pub(super) raw: bool,
    pub(super) ended: bool,
    pub(super) given_up: bool,
}

impl Exchange {
    pub(super) const fn new(plan: Plan, left: u32) -> Self {
        let (got, no) = (0, false);
        Self { plan, left, got, headed: no, peer_headed: no, raw: no, ended: no, given_up: no }
    }
}

pub(super) struct Side {
    pub(super) role: Role,
    pub(super) window: u32,
    pub(super) streams: Streams,
    pub(super) decoder: Decoder<Slice>,
    pub(super) exchanges: BTreeMap<StreamId, Exchange>,
    /// Bytes for the other side.
    pub(super) outbox: Vec<u8>,
    pub(super) heads: HeadEncoder,
}

impl Side {
    fn pick(&self, which: u8) -> Option<StreamId> {
        let at = usize::from(which) % self.exchanges.len().max(1);
        self.exchanges.keys().nth(at).copied()
    }

    /// Applies what has come; returns how many exchanges were completed in good order.
    pub(super) fn take(&mut self, input: &mut Slice, plans: &BTreeMap<StreamId, Plan>) -> u32 {
        let mut completed = 0;
        loop {
            let event = match self.decoder.next(input) {
                Ok(Some(event)) => event,
                Ok(None) => return completed,
                Err(error) => panic!("{:?} takes its peer for faulty: {error}", self.role),
            };
            let outcome = self.streams.on_event(&event).expect("the other end keeps the rules");
            let Some((id, [signal, _end])) = event.signals() else { continue };
            if let Event::Request { head, .. } = &event {
                let plan = plans[&id];
                assert_eq!(head.fields.iter().last(), Some((&b"x-tag"[..], &[b'!' + plan.tag % 90][..])));
                assert!(self.exchanges.insert(id, Exchange::new(plan, plan.response)).is_none());
            }
            let Some(exchange) = self.exchanges.get_mut(&id) else {
                assert!(!outcome.deliver, "nobody is left to take {signal:?}");
                continue;
            };
            if outcome.deliver {
                exchange.peer_headed |= matches!(signal, Some(Signal::Response { .. } | Signal::Raw));
                exchange.raw |= signal == Some(Signal::Raw);
                if let Event::Data { piece, .. } = &event {
                    assert!(piece.iter().all(|byte| *byte == exchange.plan.tag), "a byte of another exchange");
                    exchange.got += piece.len() as u32;
                }
            }
            exchange.given_up |= outcome.answer || signal == Some(Signal::Reset);
            if outcome.answer {
                put_reset(id, ResetCode::Cancelled, &mut self.outbox).expect("no bound");
            }
            if outcome.closed {
                completed += u32::from(self.finish(id));
            }
        }
    }

    /// Forgets an exchange; true if all of it went through.
    fn finish(&mut self, id: StreamId) -> bool {
        let Some(exchange) = self.exchanges.remove(&id) else { return false };
        if exchange.given_up {
            return false;
        }
        let expected = match self.role {
            Role::Front => exchange.plan.response,
            Role::Worker => exchange.plan.request,
        };
        let is_refused_upgrade = exchange.plan.upgrade && !exchange.raw;
        assert!(exchange.got == expected || is_refused_upgrade, "{exchange:?}");
        true
    }

    /// Sends what can be sent next on a stream.
    pub(super) fn act(&mut self, which: u8, amount: u32) {
        let Some(id) = self.pick(which) else { return };
        let exchange = self.exchanges[&id];
        if exchange.ended || exchange.given_up || !self.streams.is_open(id) {
            return;
        }
        let bytes = exchange.left.min(amount).min(self.streams.credit(id)).min(DATA_BYTES_MAX);
        let ends = bytes == exchange.left;
        match self.role {
            Role::Front if exchange.plan.upgrade && !exchange.raw => {
                if exchange.peer_headed {
                    self.end(id, false);
                }
            }
            Role::Worker if !exchange.headed => self.head(id, bytes, ends, amount),
            Role::Front | Role::Worker if bytes > 0 => self.data(id, bytes),
            Role::Front | Role::Worker if exchange.left == 0 => self.end(id, false),
            Role::Front | Role::Worker => {}
        }
    }

    fn head(&mut self, id: StreamId, bytes: u32, ends: bool, amount: u32) {
        let exchange = self.exchanges[&id];
        if exchange.plan.upgrade && exchange.plan.tag & 1 == 0 {
            let _open = self.streams.send(id, Signal::Raw).expect("was offered");
            put_raw(id, &mut self.outbox).expect("no bound");
            self.exchanges.entry(id).and_modify(|it| (it.headed, it.raw) = (true, true));
            return;
        }
        if amount.is_multiple_of(5) {
            let _open = self.streams.send(id, Signal::Inform).expect("before the head");
            self.heads.inform(id, 103, [(&b"link"[..], &b"<x>"[..])], &mut self.outbox).expect("small");
        }
        let stop = ends && amount.is_multiple_of(7);
        let outcome = self.streams.send(id, Signal::Response { body: bytes, ends, stop }).expect("within credit");
        let flags = if ends { flag::END } else { 0 } | if stop { flag::STOP } else { 0 };
        self.heads.response(id, flags, 200, b"", [], bytes, &mut self.outbox).expect("small");
        self.sent(id, bytes, ends, outcome);
        self.exchanges.entry(id).and_modify(|it| {
            it.headed = true;
            it.given_up |= stop;
        });
    }

    fn data(&mut self, id: StreamId, bytes: u32) {
        let outcome = self.streams.send(id, Signal::Data(bytes)).expect("within credit");
        put_data(id, bytes, &mut self.outbox).expect("no bound");
        self.sent(id, bytes, false, outcome);
    }

    fn end(&mut self, id: StreamId, stop: bool) {
        let outcome = self.streams.send(id, Signal::End { stop }).expect("in a body");
        self.heads.end(id, stop, [(&b"x-sum"[..], &b"1"[..])], &mut self.outbox).expect("small");
        self.exchanges.entry(id).and_modify(|it| it.given_up |= stop);
        self.sent(id, 0, true, outcome);
    }

    fn sent(&mut self, id: StreamId, bytes: u32, ended: bool, outcome: Outcome) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        self.outbox.extend(vec![exchange.plan.tag; bytes as usize]);
        exchange.left -= bytes;
        exchange.ended |= ended;
        if outcome.closed {
            self.finish(id);
        }
    }

    /// The worker ends early and wants no more of the request.
    pub(super) fn stop(&mut self, which: u8) {
        let Some(id) = self.pick(which) else { return };
        let exchange = self.exchanges[&id];
        let is_possible = self.role == Role::Worker && exchange.headed && exchange.left == 0;
        if is_possible && !exchange.ended && !exchange.given_up {
            self.end(id, true);
        }
    }

    pub(super) fn give_up(&mut self, which: u8) {
        let Some(id) = self.pick(which) else { return };
        if let Ok(outcome) = self.streams.send(id, Signal::Reset) {
            put_reset(id, ResetCode::Cancelled, &mut self.outbox).expect("no bound");
            self.exchanges.entry(id).and_modify(|it| it.given_up = true);
            if outcome.closed {
                self.finish(id);
            }
        }
    }

    pub(super) fn use_up(&mut self, which: u8, amount: u32) {
        let Some(id) = self.pick(which) else { return };
        self.streams.on_used(id, amount);
        if let Some(credit) = self.streams.poll_grant(id) {
            put_window(id, credit, &mut self.outbox).expect("no bound");
        }
    }
}
