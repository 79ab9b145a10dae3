//! How a process that speaks frames dials in to every shard, and what it says there on its own.

use std::rc::Rc;
use std::time::Duration;

use forebay_core::id::{Generation, WorkerId};
use forebay_core::pipe::{
    Header, Hello, Kind, Stats, StreamId, VERSION, put_closing, put_demote, put_hello, put_stack, put_stats,
};
use forebay_transports::sim::{Sim, Stream};
use forebay_transports::{Conn, Engine};

use super::{DATA_BYTES_MAX, Pipe};
use crate::bytes::{Pieces, send};
use crate::plan::{Kind as World, below, chance, nap, now, sleep};
use crate::wire::Wire;
use crate::worker::Process;
use crate::world::entrance;

/// Dials in to every shard, and again when a connection has ended.
pub(crate) fn join(process: &Process) {
    for shard in 0..process.book.plan.shards {
        Sim::spawn(stay(process.clone(), shard));
    }
}

async fn stay(process: Process, shard: usize) {
    let book = Rc::clone(&process.book);
    nap(1 << below(10)).await;
    while !process.gone.get() && !process.demoted.get() && !book.over.get() {
        if process.deaf.get() {
            sleep(Duration::from_millis(20)).await;
            continue;
        }
        let dialled = process.listener.dial(&entrance(shard), now() + Duration::from_secs(1)).await;
        if let Ok(conn) = dialled
            && !process.gone.get()
        {
            book.pipe_is_there(shard, true);
            if chance(100) && !book.calm.get() {
                be_strange(&process, conn).await;
            } else {
                serve(&process, shard, conn).await;
            }
            Sim::spawn({
                let book = Rc::clone(&book);
                async move {
                    sleep(book.plan.travel() * 2 + book.plan.limits.dial_timeout + Duration::from_secs(2)).await;
                    book.pipe_is_there(shard, false);
                }
            });
        }
        nap(if book.calm.get() { 20 } else { 1 << below(11) }).await;
    }
}

/// Serves one connection to its end.
async fn serve(process: &Process, shard: usize, conn: Stream) {
    let pipe = Pipe::new(process.clone(), shard, conn, 1 << (10 + below(8)));
    let generation = if chance(300) { Generation(0) } else { process.generation };
    pipe.say(|_, out| hello(process, generation, pipe.window, out));
    Sim::spawn(Rc::clone(&pipe).write());
    Sim::spawn(Rc::clone(&pipe).tend());
    pipe.read().await;
    if pipe.state.borrow().welcome.is_some() {
        process.book.pipe_is_up(shard, false);
    }
}

fn hello(process: &Process, generation: Generation, window: u32, out: &mut Vec<u8>) {
    let endpoint = process.book.bulletin.endpoint(process.worker, process.generation);
    let hello = Hello {
        version: VERSION + below(2) as u16,
        worker: if chance(500) { process.worker } else { WorkerId(u16::MAX) },
        features: if chance(300) { u32::MAX } else { 0 },
        generation,
        pid: process.generation.0 << 16 | u32::from(process.worker.0),
        window,
        data_bytes_max: DATA_BYTES_MAX,
        node_version: b"v20.0.0",
        endpoint: endpoint.path().to_str().unwrap(),
    };
    put_hello(&hello, out).unwrap();
}

/// Says what no worker of ours says, or nothing: it is not let in, and the connection is closed.
async fn be_strange(process: &Process, conn: Stream) {
    let book = &process.book;
    let mut bytes = Vec::new();
    hello(process, process.generation, 4096, &mut bytes);
    match below(6) {
        0 => bytes.truncate(below(bytes.len() as u64) as usize),
        1 => bytes[8] = b'X',
        2 => bytes[12..14].fill(0),
        3 => {
            let at = bytes.len() - 1;
            bytes[at] = b'/';
        }
        4 => bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        _ => bytes[3] = Kind::Pong as u8,
    }
    book.count("strangers");
    let mut wire = Wire::new(conn);
    send(&wire.conn, &bytes, Pieces::random()).await;
    let since = now();
    while wire.fill().await.is_ok() {}
    if !wire.is_empty() {
        book.violate(4, "a stranger was answered");
    }
    let most = book.plan.limits.dial_timeout + book.plan.travel() * 2 + Duration::from_secs(1);
    if now().since(since) > most {
        book.violate(3, format!("a stranger was kept for {:?}", now().since(since)));
    }
}

impl Pipe {
    /// Says things now and then that are not about any exchange, and ends the connection if the process wants it.
    async fn tend(self: Rc<Self>) {
        while self.state.borrow().welcome.is_none() && !self.has_ended() {
            self.bell.heard().await;
        }
        let process = &self.process;
        let restless = process.book.plan.kind == World::Any && chance(400);
        while !self.has_ended() {
            nap(1 << below(12)).await;
            if self.state.borrow().closing || self.has_ended() || self.state.borrow().garbled {
                continue;
            }
            let is_leaving = process.closing.get() || process.demoted.get() && chance(100);
            match below(12) {
                _ if is_leaving && chance(500) => self.close_soon(chance(300)),
                0 if restless && !process.book.calm.get() => self.close_soon(chance(300)),
                1 if restless && chance(200) => self.demote(),
                2 => self.say(|_, out| put_stats(&Stats { rss: 1, ..Stats::default() }, out).unwrap()),
                3 => self.say(|_, out| {
                    // Whoever does not know it skips it.
                    let len = below(300) as u32;
                    let header = Header { number: 0x80 + below(0x80) as u8, len, stream: StreamId(below(100) as u32) };
                    out.extend_from_slice(&header.bytes());
                    out.resize(out.len() + len as usize, 0x17);
                }),
                4 => self.say(|_, out| put_stack(&vec![0xfe; below(2000) as usize], out).unwrap()),
                _ => {}
            }
        }
    }

    /// The application has closed its server: no request is taken any more, and those that are here are finished.
    pub(super) fn close_soon(self: &Rc<Self>, impolite: bool) {
        if std::mem::replace(&mut self.state.borrow_mut().closing, true) || self.state.borrow().garbled {
            return;
        }
        self.process.book.count("closings");
        self.say(|_, out| put_closing(out).unwrap());
        Sim::spawn(Rc::clone(self).leave(impolite));
    }

    /// Plain HTTP from here on, on all connections.
    fn demote(self: &Rc<Self>) {
        if self.process.book.plan.frames_only || self.process.book.calm.get() {
            return;
        }
        self.process.book.count("demotions");
        self.process.demoted.set(true);
        self.state.borrow_mut().closing = true;
        self.say(|_, out| put_demote(b"\xffit listens elsewhere", out).unwrap());
        Sim::spawn(Rc::clone(self).leave(false));
        let (pipe, said) = (Rc::clone(self), now());
        Sim::spawn(async move {
            let known = pipe.flushed().await && !pipe.state.borrow().mute;
            sleep(pipe.process.book.plan.travel() * 4 + Duration::from_secs(8)).await;
            if known && !pipe.has_ended() {
                pipe.process.demoted_at.set(Some((said, now())));
            }
        });
    }

    /// Closes the connection when the last exchange is over. Who is polite lets what is on its way arrive, to refuse it.
    async fn leave(self: Rc<Self>, impolite: bool) {
        loop {
            while !self.state.borrow().calls.is_empty() && !self.has_ended() {
                self.bell.heard().await;
            }
            if !self.flushed().await || impolite {
                break;
            }
            let until = now() + self.process.book.plan.travel() * 2 + Duration::from_millis(500);
            while now() < until && !self.process.book.calm.get() {
                sleep(Duration::from_millis(50)).await;
            }
            if self.state.borrow().calls.is_empty() {
                break;
            }
        }
        self.conn.abort();
    }
}
