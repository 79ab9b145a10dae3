//! Where workers dial in, and the reader of each connection: greeting, frames, the end.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use forebay_core::buf::{ChunkSize, Slice};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::pipe::{Decoder, Error, Event, Hello, Pong, Role, VERSION, Welcome, put_ping, put_welcome};
use forebay_core::time::Timestamp;
use forebay_transports::{Conn, Entrance};

use super::{DATA_BYTES_MAX, Pipe, STREAMS_MAX, State};
use crate::bulletin::{Event as Report, Version as Runtime};
use crate::shard::op::{Op, reader, settle};
use crate::shard::{ACCEPT_PAUSE, Engine, Shard};

/// Time between two PINGs while nothing else is asked of the worker. 1 s.
const BEAT: Duration = Duration::from_secs(1);

/// Time between two PINGs while requests wait for their responses, unless `workers.stuck_after` is near that. 5 s: when a
/// process is killed we learn whether it had read what was written last, and that should be the request.
const BEAT_BUSY_MAX: Duration = Duration::from_secs(5);

/// What counts at most between two looks for an answer. 500 ms: several times what they are apart.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// When a silence is told again: the one who is told may have been busy. 5 s.
const TELL_AGAIN: Duration = Duration::from_secs(5);

/// A worker's life signs.
#[derive(Debug)]
pub(super) struct Heart {
    /// When the last PING was sent.
    asked: Timestamp,
    /// Its token, while there is no answer.
    token: Option<u64>,
    /// When we last looked for an answer.
    looked: Timestamp,
    /// For how long we have looked in vain. Time in which we did not look does not count: then it was us who slept.
    waited: Duration,
}

impl Heart {
    /// Of a connection that begins: its worker has just said that it lives.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { asked: now, looked: now, token: None, waited: Duration::ZERO }
    }
}

/// Accepts workers until the entrance is closed.
pub(in crate::shard) async fn welcome_workers<E: Engine>(shard: Rc<Shard<E>>, entrance: Rc<E::Entrance>) {
    loop {
        match entrance.accept().await {
            Ok(conn) => E::spawn(serve(Rc::clone(&shard), conn)),
            Err(error) if error.kind() == ErrorKind::NotConnected => return,
            Err(error) => {
                tracing::warn!("cannot accept a worker: {error}; trying again in {} ms", ACCEPT_PAUSE.as_millis());
                E::sleep_until(E::now() + ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection from HELLO to its end.
async fn serve<E: Engine>(shard: Rc<Shard<E>>, conn: E::Upstream) {
    let mut decoder = Decoder::<Slice>::new(Role::Worker, DATA_BYTES_MAX);
    let Some((conn, hello, rest)) = greeting(&shard, conn, &mut decoder).await else { return };
    // As long as the connection lasts: both ends count by it.
    let window = shard.live.borrow().limits.window_bytes;
    let pipe = Rc::new(Pipe::new(&hello, conn, &shard, window));
    let welcome = Welcome {
        version: hello.version.min(VERSION),
        streams_max: STREAMS_MAX,
        features: 0,
        window,
        data_bytes_max: DATA_BYTES_MAX,
        shards: shard.shards,
    };
    // A few bytes always fit.
    let _fits = put_welcome(&welcome, &mut pipe.state.borrow_mut().out);
    pipe.flush.want();
    let writer = Rc::clone(&pipe);
    E::spawn(async move { writer.write().await });
    shard.pipes.add(&pipe);
    shard.bulletin.on_dialled(pipe.worker, pipe.generation, hello.pid, hello.runtime);
    shard.wake_all_queues();
    let end = read(&shard, &pipe, &mut decoder, rest).await;
    shard.pipes.remove(&pipe);
    shard.bulletin.on_hung_up(pipe.worker, pipe.generation);
    pipe.on_broken(end == Ok(true));
    pipe.conn.abort();
    if let Err(error) = end {
        shard.bulletin.report(Report::Malformed(pipe.worker, pipe.generation, error.name()));
    }
}

/// What a worker said of itself, by value.
pub(super) struct Introduced {
    pub(super) worker: WorkerId,
    pub(super) generation: Generation,
    version: u16,
    pid: u32,
    runtime: Option<Runtime>,
    pub(super) window: u32,
    pub(super) data_bytes_max: u32,
}

/// Waits for HELLO, `dial_timeout` at most, and finds whose connection it is. A stranger's is closed.
async fn greeting<E: Engine>(
    shard: &Shard<E>,
    conn: E::Upstream,
    decoder: &mut Decoder<Slice>,
) -> Option<(E::Upstream, Introduced, Slice)> {
    let timer = shard.timers.register();
    timer.set(shard.live.borrow().limits.dial_timeout);
    let introduced = {
        let mut reads = pin!(reader(&conn));
        loop {
            reads.as_mut().start(shard.pool.take(ChunkSize::Small));
            let done = poll_fn(|cx| match reads.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending => timer.poll(cx).map(|()| None),
            });
            let Some((result, chunk)) = done.await else {
                conn.abort();
                settle(reads).await;
                return None;
            };
            if !matches!(result, Ok(1..)) {
                return None;
            }
            let mut input = chunk.freeze();
            match decoder.next(&mut input) {
                Ok(Some(Event::Hello(hello))) => break introduce(shard, &hello).map(|it| (it, input)),
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return None,
            }
        }
    };
    introduced.map(|(introduced, rest)| (conn, introduced, rest))
}

fn introduce<E: Engine>(shard: &Shard<E>, hello: &Hello<'_>) -> Option<Introduced> {
    let endpoint = hello.endpoint;
    let Some((worker, generation)) = shard.bulletin.whose(endpoint, hello.generation) else {
        tracing::warn!(target: "forebay", "process {} dialled in for {endpoint}, which is no worker's", hello.pid);
        return None;
    };
    tracing::debug!(target: "forebay", "{worker} (process {}) speaks frames", hello.pid);
    let Hello { version, pid, window, data_bytes_max, .. } = *hello;
    let runtime = std::str::from_utf8(hello.node_version).ok().and_then(Runtime::parse);
    Some(Introduced { worker, generation, version, pid, runtime, window, data_bytes_max })
}

/// Takes frames until the connection ends; true if the worker left bytes unread.
async fn read<E: Engine>(
    shard: &Shard<E>,
    pipe: &Rc<Pipe<E>>,
    decoder: &mut Decoder<Slice>,
    rest: Slice,
) -> Result<bool, Error> {
    let (mut input, mut size) = (rest, ChunkSize::Medium);
    loop {
        let mut responses = 0;
        while let Some(event) = decoder.next(&mut input)? {
            match event {
                Event::Pong(pong) => pipe.on_pong(&pong),
                Event::Stats(stats) => shard.bulletin.set_vitals(pipe.worker, pipe.generation, &stats),
                Event::Closing => pipe.state.borrow_mut().is_open = false,
                Event::Demote(reason) => {
                    pipe.state.borrow_mut().is_open = false;
                    if shard.bulletin.demote(pipe.worker, pipe.generation) {
                        let reason = String::from_utf8_lossy(reason).into();
                        shard.bulletin.report(Report::Demoted(pipe.worker, pipe.generation, reason));
                    }
                }
                Event::Stack(stack) => {
                    let stack = String::from_utf8_lossy(stack);
                    tracing::error!(target: "forebay", "{} hung here:\n{stack}", pipe.worker);
                }
                event @ (Event::Hello(_)
                | Event::Welcome(_)
                | Event::Ping(_)
                | Event::Drain
                | Event::Request { .. }
                | Event::Response { .. }
                | Event::Inform { .. }
                | Event::Data { .. }
                | Event::End { .. }
                | Event::Reset { .. }
                | Event::Window { .. }
                | Event::Raw(_)) => {
                    responses += usize::from(matches!(event, Event::Response { .. }));
                    pipe.on_event(&event, shard)?;
                }
            }
        }
        E::expect_writes(responses);
        let (result, chunk) = pipe.conn.read(shard.pool.take(size)).await;
        let count = match result {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) => return Ok(error.kind() == ErrorKind::ConnectionReset),
        };
        size = chunk.size().after_read(count).max(ChunkSize::Medium);
        input = chunk.freeze();
    }
}

impl<E: Engine> Pipe<E> {
    /// Asks whether the event loop turns, if the last answer is a while ago.
    pub(super) fn beat(&self, now: Timestamp, patience: Duration) {
        let mut state = self.state.borrow_mut();
        let State { heart, out, is_dead, inboxes, .. } = &mut *state;
        let pause = if inboxes.is_empty() { BEAT } else { (patience / 4).clamp(BEAT, BEAT_BUSY_MAX) };
        if *is_dead || heart.token.is_some() || now.since(heart.asked) < pause {
            return;
        }
        (heart.asked, heart.looked) = (now, now);
        let token = now.since(Timestamp::ZERO).as_micros() as u64;
        heart.token = Some(token);
        // Sixteen bytes always fit.
        let _fits = put_ping(token, out);
        drop(state);
        self.flush.want();
    }

    fn on_pong(&self, pong: &Pong) {
        let heart = &mut self.state.borrow_mut().heart;
        if heart.token == Some(pong.token) {
            (heart.token, heart.waited) = (None, Duration::ZERO);
        }
    }

    /// For how long there has been no answer, if that is longer than `patience`; now and then while it lasts.
    pub(super) fn silence(&self, now: Timestamp, patience: Duration) -> Option<Duration> {
        let heart = &mut self.state.borrow_mut().heart;
        let passed = now.since(heart.looked).min(LOOK_MAX);
        heart.looked = now;
        heart.token?;
        heart.waited += passed;
        if heart.waited < patience {
            return None;
        }
        heart.waited = patience.saturating_sub(TELL_AGAIN);
        Some(now.since(heart.asked))
    }
}
