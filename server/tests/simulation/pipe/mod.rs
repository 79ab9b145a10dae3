//! A worker's side of the pipe protocol: one connection to one shard, many exchanges on it.
//!
//! Frames are decoded and written by the codec of the core, whose streams say what may be sent; what is done with them
//! is this worker's own.

mod body;
mod call;
mod garbage;
mod life;
mod tunnel;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use forebay_core::buf::{ChunkSize, Pool, Slice};
use forebay_core::pipe::{
    Decoder, Event, HeadEncoder, Pong, ResetCode, Role, Signal, StreamId, Streams, Welcome, put_pong, put_reset,
};
use forebay_core::time::Timestamp;
use forebay_transports::Conn;
use forebay_transports::Engine;
use forebay_transports::sim::{Sim, Stream};

use crate::bytes::{Pieces, send};
use crate::plan::{below, now, sleep};
use crate::worker::Process;
use call::Call;
pub(crate) use life::join;

/// Body bytes in one frame that these workers accept.
const DATA_BYTES_MAX: u32 = 16 * 1024;

/// Wakes everybody who waits for something on a connection.
#[derive(Default)]
struct Bell {
    rung: Cell<u64>,
    wakers: RefCell<Vec<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.rung.set(self.rung.get() + 1);
        self.wakers.take().into_iter().for_each(Waker::wake);
    }

    /// Waits until it rings.
    async fn heard(&self) {
        let before = self.rung.get();
        poll_fn(|cx| {
            if self.rung.get() != before {
                return Poll::Ready(());
            }
            self.wakers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// One connection.
pub(crate) struct Pipe {
    process: Process,
    shard: usize,
    /// What HELLO says of the window.
    window: u32,
    conn: Rc<Stream>,
    state: RefCell<State>,
    bell: Bell,
    /// When it was welcome.
    since: Cell<Timestamp>,
    /// Nothing is read before.
    stuck_until: Cell<Timestamp>,
    /// When nothing was read last.
    paused_at: Cell<Timestamp>,
}

struct State {
    streams: Streams,
    encoder: HeadEncoder,
    /// What the front said of itself.
    welcome: Option<Welcome>,
    calls: BTreeMap<u32, Rc<Call>>,
    /// To be written, and how much ever was.
    out: Vec<u8>,
    is_writing: bool,
    /// Requests that come are refused.
    closing: bool,
    /// Something was said that the front cannot accept.
    garbled: bool,
    /// It has stopped inside of a frame: nothing more can be said.
    mute: bool,
    ended: bool,
}

impl Pipe {
    fn new(process: Process, shard: usize, conn: Stream, window: u32) -> Rc<Self> {
        let state = State {
            streams: Streams::new(Role::Worker, 1, 1, window),
            encoder: HeadEncoder::default(),
            welcome: None,
            calls: BTreeMap::new(),
            out: Vec::new(),
            is_writing: false,
            closing: false,
            garbled: false,
            mute: false,
            ended: false,
        };
        Rc::new(Self {
            process,
            shard,
            window,
            conn: Rc::new(conn),
            state: RefCell::new(state),
            bell: Bell::default(),
            since: Cell::default(),
            stuck_until: Cell::default(),
            paused_at: Cell::default(),
        })
    }

    fn has_ended(&self) -> bool {
        self.state.borrow().ended
    }

    /// Writes frames.
    fn say(&self, write: impl FnOnce(&mut HeadEncoder, &mut Vec<u8>)) {
        let State { encoder, out, mute, .. } = &mut *self.state.borrow_mut();
        if !*mute {
            write(encoder, out);
        }
        self.bell.ring();
    }

    /// Ends the connection inside of the frame that was said last.
    async fn break_off(&self) {
        self.state.borrow_mut().mute = true;
        self.flushed().await;
        self.conn.abort();
    }

    /// Takes note of a frame that is about to be said; false if it must not be.
    fn may(&self, id: StreamId, signal: Signal) -> bool {
        self.state.borrow_mut().streams.send(id, signal).is_ok()
    }

    fn is_open(&self, id: StreamId) -> bool {
        self.state.borrow_mut().streams.is_open(id)
    }

    /// Gives an exchange up, if its response is not complete.
    fn reset(&self, id: StreamId, code: ResetCode) {
        if self.may(id, Signal::Reset) {
            self.say(|_, out| put_reset(id, code, out).unwrap());
        }
    }

    /// Waits until everything that was said is written; false if it cannot be.
    async fn flushed(&self) -> bool {
        loop {
            let (ended, idle) = {
                let state = self.state.borrow();
                (state.ended, !state.is_writing && state.out.is_empty())
            };
            if ended || idle {
                return !ended;
            }
            self.bell.heard().await;
        }
    }

    /// Writes what is there, over and over, in pieces as the connection has them.
    async fn write(self: Rc<Self>) {
        let pieces = match below(5) {
            0 => Pieces { bytes_max: 1 + below(400) as usize, pause_ms: 0 },
            1 => Pieces { bytes_max: 1 + below(5000) as usize, pause_ms: 3 },
            _ => Pieces::WHOLE,
        };
        loop {
            let bytes = std::mem::take(&mut self.state.borrow_mut().out);
            let was_writing = std::mem::replace(&mut self.state.borrow_mut().is_writing, !bytes.is_empty());
            if bytes.is_empty() {
                if self.has_ended() {
                    return;
                }
                if was_writing {
                    self.bell.ring();
                }
                self.bell.heard().await;
                continue;
            }
            let pieces = if self.process.book.calm.get() { Pieces::WHOLE } else { pieces };
            if !send(&self.conn, &bytes, pieces).await {
                return;
            }
        }
    }

    /// Reads frames until the connection is over.
    async fn read(self: &Rc<Self>) {
        let (pool, mut decoder) = (Pool::new(0), Decoder::<Slice>::new(Role::Front, DATA_BYTES_MAX));
        'connection: loop {
            self.pause().await;
            let (result, chunk) = self.conn.read(pool.take(ChunkSize::Large)).await;
            if !matches!(result, Ok(1..)) {
                break;
            }
            let mut input = chunk.freeze();
            loop {
                match decoder.next(&mut input) {
                    Ok(None) => break,
                    Ok(Some(event)) => {
                        if !self.take(&event) {
                            break 'connection;
                        }
                    }
                    Err(error) => {
                        self.process.book.violate(4, format!("the front said what is {error}"));
                        break 'connection;
                    }
                }
            }
        }
        self.conn.abort();
        self.state.borrow_mut().ended = true;
        self.bell.ring();
    }

    /// Does nothing while the process is stuck.
    async fn pause(&self) {
        let is_stuck = || self.process.deaf.get() || now() < self.stuck_until.get() && !self.process.book.calm.get();
        while is_stuck() && !self.process.gone.get() {
            self.paused_at.set(now());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes what the front said. False if that ends the connection.
    fn take(self: &Rc<Self>, event: &Event<'_, Slice>) -> bool {
        match event {
            Event::Welcome(welcome) => self.on_welcome(welcome),
            Event::Ping(token) => {
                self.say(|_, out| put_pong(&Pong { token: *token, delay_us: 1 }, out).unwrap());
                true
            }
            Event::Drain => true,
            event => {
                let outcome = self.state.borrow_mut().streams.on_event(event);
                match outcome {
                    Ok(outcome) => self.on_stream(event, outcome.deliver, outcome.answer),
                    Err(error) => {
                        let text = format!("{event:?}");
                        self.process.book.violate(4, format!("the front said {:.200}: {error}", text));
                        return false;
                    }
                }
                true
            }
        }
    }

    fn on_welcome(&self, welcome: &Welcome) -> bool {
        let book = &self.process.book;
        let (shards, window) = (book.plan.shards, book.plan.limits.window_bytes);
        if (welcome.version, usize::from(welcome.shards), welcome.window) != (1, shards, window) {
            book.violate(4, format!("{welcome:?}"));
        }
        let mut state = self.state.borrow_mut();
        state.streams = Streams::new(Role::Worker, welcome.streams_max, welcome.window, self.window);
        state.welcome = Some(*welcome);
        self.since.set(now());
        drop(state);
        book.pipe_is_up(self.shard, true);
        book.count("pipes");
        self.bell.ring();
        true
    }

    fn on_stream(self: &Rc<Self>, event: &Event<'_, Slice>, deliver: bool, answer: bool) {
        let Some((id, _)) = event.signals() else { return };
        if answer {
            self.say(|_, out| put_reset(id, ResetCode::Cancelled, out).unwrap());
        }
        if let Event::Request { head, body, .. } = event {
            // Nothing that is on its way is so slow.
            if let Some((said, known)) = self.process.demoted_at.get()
                && (self.since.get().max(self.paused_at.get()) < said && known < now())
                && self.process.book.plan.config.faults.stall == 0
            {
                self.process.book.violate(5, "a process that wants plain HTTP was sent frames");
            }
            if self.state.borrow().closing {
                self.process.book.count("refused when closing");
                return self.reset(id, ResetCode::Refused);
            }
            let ends = head.flags & forebay_core::pipe::flag::END != 0 && *body == 0;
            let call = Rc::new(Call::new(self, id, head, ends));
            self.state.borrow_mut().calls.insert(id.0, Rc::clone(&call));
            Sim::spawn(call.live());
        } else if deliver && let Some(call) = self.state.borrow().calls.get(&id.0) {
            call.take(event);
        }
        self.bell.ring();
    }
}
