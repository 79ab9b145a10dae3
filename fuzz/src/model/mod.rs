//! Two ends back to back under any schedule: the property tests and the fuzz target drive this one model.
//!
//! A front and a worker with made-up exchanges talk over two byte strings. What happens next is read from a script of
//! bytes: open, send, cancel, use up, deliver so many bytes. The model panics where a law is broken: an end takes the
//! other for faulty, a byte shows up in another exchange, more is held than the window, a stream is left over.

mod side;

use forebay_core::buf::{ChunkSize, Pool};
use forebay_core::pipe::{
    Client, Decoder, HeadEncoder, Hello, Opening, Role, StreamId, Streams, VERSION, Welcome, flag, put_hello,
    put_welcome,
};
use side::{Exchange, Plan, Side};
use std::collections::BTreeMap;

/// Body bytes that either end accepts in a frame.
const DATA_BYTES_MAX: u32 = 4096;
/// Steps within which everything is over once nobody starts anything: far more than ever needed.
const SETTLE_ROUNDS_MAX: usize = 10_000;

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
            worker: forebay_core::id::WorkerId(0),
            features: 0,
            generation: forebay_core::id::Generation(1),
            pid: 1,
            window: worker_window,
            data_bytes_max: DATA_BYTES_MAX,
            node_version: b"v0",
            endpoint: "",
        };
        let (window, data_bytes_max) = (front_window, DATA_BYTES_MAX);
        let welcome = Welcome { version: VERSION, streams_max, features: 0, window, data_bytes_max, shards: 1 };
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
