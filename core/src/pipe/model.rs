//! Two ends back to back under any schedule: the property tests and the fuzz target drive this one model.
//!
//! A front and a worker with made-up exchanges talk over two byte strings. What happens next is read from a script of
//! bytes: open, send, cancel, use up, deliver so many bytes. The model panics where a law is broken: an end takes the
//! other for faulty, a byte shows up in another exchange, more is held than the window, a stream is left over.

use super::{
    Client, Decoder, Event, HeadEncoder, Opening, Outcome, ResetCode, Role, Signal, StreamId, Streams, flag, put_data,
    put_raw, put_reset, put_window,
};
use crate::buf::{ChunkSize, Pool, Slice};
use crate::pipe::{Hello, VERSION, Welcome, put_hello, put_welcome};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// Body bytes that either end accepts in a frame.
const DATA_BYTES_MAX: u32 = 4096;
/// Steps within which everything is over once nobody starts anything: far more than ever needed.
const SETTLE_ROUNDS_MAX: usize = 10_000;

/// What an exchange is going to be, decided when it is opened.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// What its bytes are made of.
    tag: u8,
    request: u32,
    response: u32,
    upgrade: bool,
}

/// One end's view of an exchange: what it still sends, and what it has got.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    plan: Plan,
    left: u32,
    got: u32,
    headed: bool,
    peer_headed: bool,
    raw: bool,
    ended: bool,
    given_up: bool,
}

impl Exchange {
    const fn new(plan: Plan, left: u32) -> Self {
        let (got, no) = (0, false);
        Self { plan, left, got, headed: no, peer_headed: no, raw: no, ended: no, given_up: no }
    }
}

struct Side {
    role: Role,
    window: u32,
    streams: Streams,
    decoder: Decoder<Slice>,
    exchanges: BTreeMap<StreamId, Exchange>,
    /// Bytes for the other side.
    outbox: Vec<u8>,
    heads: HeadEncoder,
}

/// A front and a worker, connected.
pub struct World {
    pool: Pool,
    front: Side,
    worker: Side,
    plans: BTreeMap<StreamId, Plan>,
    opened: u32,
    completed: u32,
}

const NOBODY: Client<'static> = Client { address: b"", port: 0, local_port: 0, https: false };

impl World {
    /// A connection of up to `streams_max` streams, with the windows of the front and of the worker.
    #[must_use]
    pub fn new(streams_max: u16, front_window: u32, worker_window: u32) -> Self {
        let side = |role: Role, send, receive| Side {
            role,
            window: receive,
            streams: Streams::new(role, streams_max, send, receive),
            decoder: Decoder::new(role.peer(), DATA_BYTES_MAX),
            exchanges: BTreeMap::new(),
            outbox: Vec::new(),
            heads: HeadEncoder::default(),
        };
        let mut front = side(Role::Front, worker_window, front_window);
        let mut worker = side(Role::Worker, front_window, worker_window);
        let hello = Hello {
            version: VERSION,
            worker: crate::id::WorkerId(0),
            features: 0,
            generation: crate::id::Generation(1),
            pid: 1,
            window: worker_window,
            data_bytes_max: DATA_BYTES_MAX,
            node_version: b"v0",
        };
        let (window, data_bytes_max) = (front_window, DATA_BYTES_MAX);
        let welcome = Welcome { version: VERSION, streams_max, features: 0, window, data_bytes_max };
        put_hello(&hello, &mut worker.outbox).expect("no bound");
        put_welcome(&hello.answer(&welcome), &mut front.outbox).expect("no bound");
        Self { pool: Pool::new(1 << 20), front, worker, plans: BTreeMap::new(), opened: 0, completed: 0 }
    }

    /// Exchanges that were carried through to both ends without being given up.
    #[must_use]
    pub const fn completed(&self) -> u32 {
        self.completed
    }

    /// Lets the next thing happen, as three bytes of a script say.
    pub fn step(&mut self, [op, which, size]: [u8; 3]) {
        let amount = 1 + u32::from(size) * u32::from(size) / 8;
        match op % 12 {
            0 | 1 => self.open(which, size),
            2 | 3 => self.front.act(which, amount),
            4 | 5 => self.worker.act(which, amount),
            6 => self.front.use_up(which, amount),
            7 => self.worker.use_up(which, amount),
            8 => self.deliver(Role::Front, amount as usize),
            9 => self.deliver(Role::Worker, amount as usize),
            10 if size < 64 => self.front.give_up(which),
            10 if size < 128 => self.worker.give_up(which),
            10 => self.worker.stop(which),
            _ => {
                self.deliver(Role::Front, 1 << 14);
                self.deliver(Role::Worker, 1 << 14);
            }
        }
        self.check();
    }

    /// Lets everything that was begun come to its end, and checks that nothing is left.
    pub fn settle(&mut self) {
        for _ in 0..SETTLE_ROUNDS_MAX {
            self.deliver(Role::Front, usize::MAX);
            self.deliver(Role::Worker, usize::MAX);
            for side in [&mut self.front, &mut self.worker] {
                for which in 0..side.exchanges.len() as u8 {
                    side.use_up(which, u32::MAX);
                    side.act(which, u32::MAX);
                }
            }
            self.check();
            let open = self.front.streams.open_count() + self.worker.streams.open_count();
            if open == 0 && self.front.outbox.is_empty() && self.worker.outbox.is_empty() {
                assert!(self.front.exchanges.is_empty() && self.worker.exchanges.is_empty());
                return;
            }
        }
        panic!("streams are stuck: {:?} {:?}", self.front.exchanges, self.worker.exchanges);
    }

    fn check(&mut self) {
        for side in [&mut self.front, &mut self.worker] {
            assert_eq!(side.exchanges.len(), side.streams.open_count());
            for id in side.exchanges.keys() {
                assert!(side.streams.held(*id) <= side.window, "more is held than the window");
            }
        }
    }

    fn open(&mut self, which: u8, size: u8) {
        let upgrade = which & 7 == 7;
        let request = if upgrade { 0 } else { u32::from(which >> 3) * u32::from(size) };
        let inline = request.min(u32::from(size)).min(DATA_BYTES_MAX);
        let ends = inline == request && !upgrade;
        let Ok(id) = self.front.streams.open(inline, ends, upgrade) else { return };
        self.opened += 1;
        let plan = Plan {
            tag: self.opened as u8,
            request: if upgrade { u32::from(size) * 20 } else { request },
            response: u32::from(size.rotate_left(3)) * u32::from(which & 0x3f),
            upgrade,
        };
        assert!(self.plans.insert(id, plan).is_none_or(|old| old.tag != plan.tag || self.opened > 255));
        let mut exchange = Exchange::new(plan, plan.request - inline);
        exchange.ended = ends;
        exchange.headed = true;
        self.front.exchanges.insert(id, exchange);
        let opening = Opening { stream: id, body: inline, ends, client: NOBODY };
        let flags = if upgrade { flag::UPGRADE } else { 0 };
        let fields = [(&b"Host"[..], &b"a"[..]), (b"x-tag", &[b'!' + plan.tag % 90])];
        let Side { heads, outbox, .. } = &mut self.front;
        heads.plain_request(flags, b"POST", b"/", fields, &opening, outbox).expect("small");
        outbox.extend(vec![plan.tag; inline as usize]);
    }

    /// Moves bytes on the way to `to`, in one piece.
    fn deliver(&mut self, to: Role, bytes: usize) {
        let (from, side) = match to {
            Role::Front => (&mut self.worker, &mut self.front),
            Role::Worker => (&mut self.front, &mut self.worker),
        };
        let mut left = bytes.min(from.outbox.len());
        while left > 0 {
            let count = left.min(ChunkSize::Large.capacity());
            left -= count;
            let size = ChunkSize::holding(count).expect("no more than the largest");
            let mut chunk = self.pool.take(size);
            chunk.put(&from.outbox[..count]).expect("chosen to fit");
            from.outbox.drain(..count);
            let mut input = chunk.freeze();
            self.completed += side.take(&mut input, &self.plans);
        }
    }
}

impl Side {
    fn pick(&self, which: u8) -> Option<StreamId> {
        let at = usize::from(which) % self.exchanges.len().max(1);
        self.exchanges.keys().nth(at).copied()
    }

    /// Applies what has come; returns how many exchanges were completed in good order.
    fn take(&mut self, input: &mut Slice, plans: &BTreeMap<StreamId, Plan>) -> u32 {
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
    fn act(&mut self, which: u8, amount: u32) {
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
        if amount % 5 == 0 {
            let _open = self.streams.send(id, Signal::Inform).expect("before the head");
            self.heads.inform(id, 103, [(&b"link"[..], &b"<x>"[..])], &mut self.outbox).expect("small");
        }
        let stop = ends && amount % 7 == 0;
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
    fn stop(&mut self, which: u8) {
        let Some(id) = self.pick(which) else { return };
        let exchange = self.exchanges[&id];
        let is_possible = self.role == Role::Worker && exchange.headed && exchange.left == 0;
        if is_possible && !exchange.ended && !exchange.given_up {
            self.end(id, true);
        }
    }

    fn give_up(&mut self, which: u8) {
        let Some(id) = self.pick(which) else { return };
        if let Ok(outcome) = self.streams.send(id, Signal::Reset) {
            put_reset(id, ResetCode::Cancelled, &mut self.outbox).expect("no bound");
            self.exchanges.entry(id).and_modify(|it| it.given_up = true);
            if outcome.closed {
                self.finish(id);
            }
        }
    }

    fn use_up(&mut self, which: u8, amount: u32) {
        let Some(id) = self.pick(which) else { return };
        self.streams.on_used(id, amount);
        if let Some(credit) = self.streams.poll_grant(id) {
            put_window(id, credit, &mut self.outbox).expect("no bound");
        }
    }
}
