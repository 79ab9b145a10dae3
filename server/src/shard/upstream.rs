//! Connections to workers: the one used last if it is still good, else a new one.

use std::io;

use forebay_core::buf::ChunkSize;
use forebay_core::dispatch::Kept;
use forebay_core::http1::ResponseFacts;
use forebay_core::id::WorkerId;
use forebay_core::time::Timestamp;
use forebay_transports::Conn;

use super::lease::Lease;
use super::timers::TICK;
use super::{Engine, Shard};
use crate::bulletin::{Door, Event, ShardStats};

/// A connection to a worker with what was learned on it.
pub(super) struct Link<C> {
    /// The connection.
    pub(super) conn: C,
    /// Size of the read that its responses needed last.
    pub(super) size: ChunkSize,
    /// When it was used last, on the coarse clock; none if that left open whether the worker had said all.
    used: Option<Timestamp>,
}

impl<E: Engine> Shard<E> {
    /// A connection to the leased worker.
    ///
    /// # Errors
    /// Nobody listens there, or not in time.
    pub(super) async fn connect(&self, lease: &Lease<'_, E>) -> io::Result<Link<E::Upstream>> {
        let pool = &self.upstreams[usize::from(lease.worker.0)];
        let now = self.timers.now();
        loop {
            let taken = pool.borrow_mut().take(lease.generation, now);
            match taken {
                Some(link) if self.is_fresh(&link, now) || link.conn.is_quiet() => return Ok(link),
                Some(_) => {}
                None => break,
            }
        }
        let stats = self.stats();
        ShardStats::add(&stats.dials, 1);
        let endpoint = self.bulletin.endpoint(lease.worker, lease.generation);
        match E::dial(&endpoint, E::now() + self.limits.dial_timeout).await {
            Ok(conn) => Ok(Link { conn, size: ChunkSize::Small, used: None }),
            Err(error) => {
                self.bulletin.report(Event::Refused(lease.worker, lease.generation));
                Err(error)
            }
        }
    }

    /// Whether a connection was used so recently that looking at it costs more than it saves: should the worker have
    /// closed it meanwhile, the write fails or the reset says that nothing was read, and any request is tried again.
    /// One that sent more than a response is another matter: its next client would get the rest for an answer. So this
    /// goes only for connections of which the last read took all that had arrived.
    /// Sockets of other people's workers come and go at any moment; those are always looked at.
    fn is_fresh(&self, link: &Link<E::Upstream>, now: Timestamp) -> bool {
        !self.external && link.used.is_some_and(|used| now.since(used) < TICK)
    }

    /// Offers a connection for the next request. A worker says with `Keep-Alive: timeout=N` when it will close; we are
    /// a second ahead of it, so that no request meets the closing.
    pub(super) fn keep(&self, lease: &Lease<'_, E>, mut link: Link<E::Upstream>, facts: &ResponseFacts, drained: bool) {
        let hint = facts.keep_alive_timeout.map(|wait| wait.saturating_sub(std::time::Duration::from_secs(1)));
        let wait = self.limits.upstream_idle_timeout.min(hint.unwrap_or(self.limits.upstream_idle_timeout));
        let now = self.timers.now();
        link.used = drained.then_some(now);
        let expires = now + wait;
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
