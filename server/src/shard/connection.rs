//! One client: read a head, serve the request, and again, until one side has had enough.
//!
//! What an idle connection costs is decided here: its task holds the socket, one read with a small chunk, and a few
//! words. Everything an exchange needs lives in an arena block for as long as the exchange lasts.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use forebay_core::buf::{Chunk, ChunkSize, Slice};
use forebay_core::http1::{HeadScanner, Reject, Scan};
use forebay_transports::{Completion, Conn, Peer};

use super::ending::After;
use super::exchange::exchange;
use super::op::{Op, reader, settle};
use super::record::Outcome;
use super::respond::{Answer, Then};
use super::timers::Timer;
use super::{Engine, Shard};
use crate::bulletin::{ShardStats, Shed};
use crate::status::Cause;

/// How long a closing connection waits for the client to read the answer. 2 s.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes a closing connection still takes from the client, unread. 1 MiB. Closing over unread bytes would reset the
/// connection, and the reset can overtake the answer (RFC 9112 section 9.6).
const LINGER_BYTES_MAX: usize = 1 << 20;

/// A client's connection and what is known of it.
pub(super) struct Client<E: Engine> {
    /// The connection.
    pub(super) conn: E::Downstream,
    /// Its deadline.
    pub(super) timer: Timer,
    /// The route its listener belongs to.
    pub(super) route: u16,
    /// Its address; an IPv4 address in IPv6 form is one of IPv4.
    pub(super) address: IpAddr,
    /// Its port.
    pub(super) port: u16,
    /// What it connected to.
    pub(super) local: SocketAddr,
}

/// Why no request came.
enum NoRequest {
    /// The client left or rested too long, or the server drains: nothing is owed.
    Over,
    /// What came is not acceptable.
    Reject(Reject),
}

/// A client counted as connected; uncounted when dropped.
struct Counted<E: Engine>(Rc<Shard<E>>);

impl<E: Engine> Counted<E> {
    fn new(shard: Rc<Shard<E>>) -> Self {
        shard.open.set(shard.open.get() + 1);
        ShardStats::add(&shard.stats().accepted, 1);
        ShardStats::add(&shard.stats().connections, 1);
        Self(shard)
    }
}

impl<E: Engine> Drop for Counted<E> {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        ShardStats::sub(&self.0.stats().connections, 1);
    }
}

/// Takes note of a client and starts to serve it. Beyond `connections_max` it is told so instead.
pub(super) fn start<E: Engine>(shard: &Rc<Shard<E>>, conn: E::Downstream, peer: Peer, route: u16) {
    let crowded = shard.open.get() >= shard.live.borrow().limits.connections_max;
    let ip = peer.remote.ip();
    let client = Client {
        conn,
        timer: shard.timers.register(),
        route,
        address: ip.to_canonical(),
        port: peer.remote.port(),
        local: peer.local,
    };
    let counted = Counted::new(Rc::clone(shard));
    if crowded {
        shard.count_shed(Shed::Connections);
        E::spawn(turn_away(counted, client));
    } else {
        E::spawn(serve(counted, client));
    }
}

/// Serves one client until its connection is closed.
async fn serve<E: Engine>(counted: Counted<E>, client: Client<E>) {
    let shard = &*counted.0;
    let mut reads = pin!(reader(&client.conn));
    let polite = requests(shard, &client, reads.as_mut()).await;
    close(shard, &client, reads, polite).await;
}

async fn turn_away<E: Engine>(counted: Counted<E>, client: Client<E>) {
    let shard = &*counted.0;
    let reads = pin!(reader(&client.conn));
    let answer = Answer::shed(Shed::Connections, Cause::Connections);
    let sent = shard.answer(&client.conn, &client.timer, answer, Then::CLOSE).await;
    close(shard, &client, reads, sent).await;
}

/// Serves requests until the connection is to be closed; true if the client should still get to read.
async fn requests<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    mut reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
) -> bool {
    let mut carry = None;
    loop {
        let head = match next_head(shard, client, reads.as_mut(), &mut carry).await {
            Ok(head) => head,
            Err(NoRequest::Over) => return false,
            Err(NoRequest::Reject(reject)) => {
                shard.record(client, &[], shard.next_id(), E::now(), &Outcome::rejected(reject));
                // Boxed: an idle connection should not carry the room for a refusal.
                return Box::pin(shard.answer(&client.conn, &client.timer, reject.into(), Then::CLOSE)).await;
            }
        };
        let run = shard.arena.place(exchange(shard, client, reads.as_mut(), head, carry.take()));
        match run.await {
            After::Next(rest) => carry = rest,
            After::Close => return true,
            After::Abort => return false,
        }
    }
}

/// The next request's head; what was read beyond it is left in `carry`.
async fn next_head<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    mut reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    carry: &mut Option<Slice>,
) -> Result<Slice, NoRequest> {
    // Read anew each time: a reload may come while the client rests.
    let max = || shard.live.borrow().limits.head_bytes_max as usize;
    let head_timeout = || shard.live.borrow().limits.head_timeout;
    let mut scanner = HeadScanner::default();
    let mut partial: Option<Chunk> = None;
    if let Some(rest) = carry.take() {
        match scanner.scan(&rest, max()).map_err(NoRequest::Reject)? {
            Scan::Complete { head_len } => {
                return Ok(split(rest, scanner.skipped(), head_len, carry));
            }
            Scan::Incomplete => partial = Some(grown(shard, &rest)),
        }
    }
    let mut begun = partial.is_some();
    client.timer.set(if begun { head_timeout() } else { shard.live.borrow().limits.keep_alive_timeout });
    loop {
        if !reads.is_busy() {
            reads.as_mut().start(partial.take().unwrap_or_else(|| shard.pool.take(ChunkSize::Small)));
        }
        let event = poll_fn(|cx| {
            if let Poll::Ready(done) = reads.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            // A connection at rest is closed when the server drains; the sweep wakes it to see that.
            if !begun && !shard.is_serving() {
                return Poll::Ready(None);
            }
            client.timer.poll(cx).map(|()| None)
        });
        let Some((result, chunk)) = event.await else {
            client.timer.clear();
            let late = Reject { status: 408, reason: "The request's head did not arrive in time." };
            return Err(if begun { NoRequest::Reject(late) } else { NoRequest::Over });
        };
        if !matches!(result, Ok(1..)) {
            return Err(NoRequest::Over);
        }
        match scanner.scan(&chunk, max()).map_err(NoRequest::Reject)? {
            Scan::Complete { head_len } => {
                client.timer.clear();
                return Ok(split(chunk.freeze(), scanner.skipped(), head_len, carry));
            }
            Scan::Incomplete => {
                if !begun && scanner.has_begun(&chunk) {
                    begun = true;
                    client.timer.set(head_timeout());
                }
                partial = Some(if chunk.spare() > 0 { chunk } else { grown(shard, &chunk) });
            }
        }
    }
}

/// Cuts a head out of what was read; the rest is carried over.
fn split(mut bytes: Slice, skipped: usize, head_len: usize, carry: &mut Option<Slice>) -> Slice {
    bytes.advance(skipped);
    let head = bytes.split_to(head_len);
    *carry = (!bytes.is_empty()).then_some(bytes);
    head
}

/// The bytes in a chunk with room for more. Heads are bounded below the largest size, so there always is one.
fn grown<E: Engine>(shard: &Shard<E>, bytes: &[u8]) -> Chunk {
    let size = ChunkSize::holding(bytes.len() + 1).unwrap_or(ChunkSize::Large);
    let mut chunk = shard.pool.take(size);
    let _fits = chunk.put(bytes);
    chunk
}

/// Closes a connection. A polite close lets the client read what was written last, for a while.
async fn close<E: Engine>(
    shard: &Shard<E>,
    client: &Client<E>,
    mut reads: Pin<&mut impl Op<Chunk, Done = Completion>>,
    polite: bool,
) {
    if polite {
        client.conn.finish();
        client.timer.set(LINGER);
        let mut budget = LINGER_BYTES_MAX;
        let mut size = ChunkSize::Small;
        while budget > 0 {
            if !reads.is_busy() {
                reads.as_mut().start(shard.pool.take(size));
            }
            let event = poll_fn(|cx| {
                if let Poll::Ready(done) = reads.as_mut().poll(cx) {
                    return Poll::Ready(Some(done));
                }
                client.timer.poll(cx).map(|()| None)
            });
            match event.await {
                Some((Ok(count @ 1..), chunk)) => {
                    size = chunk.size().after_read(count);
                    budget = budget.saturating_sub(count);
                }
                Some(_) | None => break,
            }
        }
    }
    if reads.is_busy() {
        client.conn.abort();
        settle(reads).await;
    }
}
