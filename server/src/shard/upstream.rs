//! Connections to workers: the one used last if it is still good, else a new one.

use std::io::{self, ErrorKind};
use std::time::Duration;

use forebay_core::buf::ChunkSize;
use forebay_core::dispatch::Kept;
use forebay_core::http1::ResponseFacts;
use forebay_core::id::WorkerId;
use forebay_transports::Conn;

use super::lease::Lease;
use super::{Engine, Shard};
use crate::bulletin::{Door, Event, ShardStats};

/// A connection to a worker with what was learned on it.
pub(super) struct Link<C> {
    /// The connection.
    pub(super) conn: C,
    /// Size of the read that its responses needed last.
    pub(super) size: ChunkSize,
    /// Whether it has carried no request yet.
    pub(super) is_new: bool,
}

/// How long before the announced end of an idle connection it is used no more. 1 s: the unit of the announcement.
const AHEAD: Duration = Duration::from_secs(1);

/// Time between the first and the last socket of a killed process, on a machine with more to do than vCPUs. 100 ms.
const LAST_GASP: Duration = Duration::from_millis(100);

/// How often such a process is looked at meanwhile. 5 ms.
const GLANCE: Duration = Duration::from_millis(5);

impl<E: Engine> Shard<E> {
    /// A connection to the leased worker; with `fresh` a new one, whatever rests here.
    ///
    /// # Errors
    /// Nobody listens there, or not in time.
    pub(super) async fn connect(&self, lease: &Lease<'_, E>, fresh: bool) -> io::Result<Link<E::Upstream>> {
        let pool = &self.upstreams[usize::from(lease.worker.0)];
        let now = self.timers.now();
        let rested = || if fresh { None } else { pool.borrow_mut().take(lease.generation, now) };
        // However recently it was used: bytes that came since would pass for the answer to this request. The look is one
        // system call; only a read that is always in flight, one for each connection at rest, would see as much.
        match std::iter::from_fn(rested).find(|link| link.conn.is_quiet()) {
            Some(link) => Ok(link),
            None => self.dial(lease).await,
        }
    }

    /// Whether the worker runs on: it accepts a connection, and keeps it for a while.
    ///
    /// Accepting alone says little. The sockets of a killed process are closed one by one, the one it listens on last,
    /// and what was connected meanwhile is reset with it. The connection made to find out is closed: node counts one
    /// that has brought no request as busy, and a server that is told to close would wait for it.
    pub(super) async fn is_listening(&self, lease: &Lease<'_, E>) -> bool {
        if !self.is_current(lease) {
            return false;
        }
        let link = match self.dial(lease).await {
            Ok(link) => link,
            Err(error) => return !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused),
        };
        let until = E::now() + LAST_GASP;
        while self.is_current(lease) && link.conn.is_quiet() {
            if E::now() >= until {
                return true;
            }
            E::sleep_until(E::now() + GLANCE).await;
        }
        false
    }

    /// Whether the leased process still serves.
    pub(super) fn is_current(&self, lease: &Lease<'_, E>) -> bool {
        let notice = self.bulletin.notice(lease.worker);
        notice.generation == lease.generation && notice.door == Door::Open
    }

    async fn dial(&self, lease: &Lease<'_, E>) -> io::Result<Link<E::Upstream>> {
        let stats = self.stats();
        ShardStats::add(&stats.dials, 1);
        let endpoint = self.bulletin.endpoint(lease.worker, lease.generation);
        let wait = self.live.borrow().limits.dial_timeout;
        match E::dial(&endpoint, E::now() + wait).await {
            Ok(conn) => Ok(Link { conn, size: ChunkSize::Small, is_new: true }),
            Err(error) => {
                self.bulletin.report(Event::Refused(lease.worker, lease.generation));
                Err(error)
            }
        }
    }

    /// Offers a connection for the next request. A worker says with `Keep-Alive: timeout=N` when it will close; we are
    /// ahead of it, so that no request meets the closing.
    pub(super) fn keep(&self, lease: &Lease<'_, E>, link: Link<E::Upstream>, facts: &ResponseFacts) {
        let hint = facts.keep_alive_timeout.map(|wait| wait.saturating_sub(AHEAD));
        let most = self.live.borrow().limits.upstream_idle_timeout;
        let wait = hint.map_or(most, |hint| most.min(hint));
        let expires = self.timers.now() + wait;
        let kept = self.upstreams[usize::from(lease.worker.0)].borrow_mut().keep(link, lease.generation, expires);
        match kept {
            Kept::Yes | Kept::No(_) => {}
        }
    }

    /// Closes connections that rested too long, whose worker closed them, or whose process is gone or draining.
    pub(super) fn sweep_upstreams(&self) {
        let now = self.timers.now();
        for (slot, pool) in self.upstreams.iter().enumerate() {
            let mut pool = pool.borrow_mut();
            if !pool.is_empty() {
                let notice = self.bulletin.notice(WorkerId(u16::try_from(slot).unwrap_or(u16::MAX)));
                let generation = (notice.door == Door::Open).then_some(notice.generation);
                pool.sweep(generation, now, |link| link.conn.is_quiet());
            }
        }
    }
}
