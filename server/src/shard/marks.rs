//! What is done to the responses of workers: the session cookie and `iisnode-debug` are added, small pieces are gathered.
//!
//! All are off unless asked for, and then cost a look at a byte. A mark is what is known when the request is given to a
//! worker; the fields are written when the response's head is.

use std::net::IpAddr;

use forebay_core::buf::{Chunk, ChunkSize};
use forebay_core::http1::{RequestHead, is_https};
use forebay_core::id::WorkerId;
use forebay_core::time::Timestamp;

use super::dispatch::{APPLICATION, COOKIE, Tie};
use super::{Engine, Shard};
use crate::config::Affinity;
use crate::live::Live;

/// What is to be added to one response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// The worker's number, for a cookie that names it.
    cookie: Option<u16>,
    /// Whether the cookie is for https alone.
    is_secure: bool,
    /// Whether the debug header is wanted.
    is_debug: bool,
    /// Whether the response's bytes are gathered, if its head allows that.
    pub(super) gathers: bool,
    /// Attempts before the one that is answered.
    retries: u8,
    /// Who has the request.
    worker: WorkerId,
    /// When it was given the request.
    since: Timestamp,
}

/// Writes the fields.
pub(super) trait Mark {
    /// Whole field lines, each with its end.
    fn write(&self, marks: &Marks) -> Chunk;
}

impl Marks {
    /// Nothing is added.
    pub(super) const NONE: Self = Self {
        cookie: None,
        is_secure: false,
        is_debug: false,
        gathers: false,
        retries: 0,
        worker: WorkerId(0),
        since: Timestamp::ZERO,
    };

    /// For a request with this head, on a route: only the application's responses are touched.
    pub(super) fn of(live: &Live, route: u16, head: &RequestHead<'_>, peer: IpAddr) -> Self {
        if route != APPLICATION {
            return Self::NONE;
        }
        let is_secure = live.affinity == Affinity::Cookie && live.trusts(peer) && is_https(head);
        let gathers = live.response.gather_bytes_max > 0;
        Self { is_secure, is_debug: live.response.debug_header, gathers, ..Self::NONE }
    }

    /// The request is given to a worker.
    pub(super) fn begin<E: Engine>(&mut self, shard: &Shard<E>, tie: Tie, worker: WorkerId) {
        if tie == Tie::Wanted {
            self.cookie = Some(shard.bulletin.station(worker).number);
        }
        if self.is_debug {
            (self.worker, self.since) = (worker, E::now());
        }
    }

    /// And to another one.
    pub(super) fn retry(&mut self) {
        self.retries = self.retries.saturating_add(1);
    }

    /// The fields, if there are any.
    pub(super) fn written(&self, mark: &dyn Mark) -> Option<Chunk> {
        (self.cookie.is_some() || self.is_debug).then(|| mark.write(self))
    }
}

impl<E: Engine> Mark for Shard<E> {
    fn write(&self, marks: &Marks) -> Chunk {
        use std::io::Write as _;
        // A cookie, and what is in `Live` with some numbers: far less than 16 KiB.
        let mut chunk = self.pool.take(ChunkSize::Medium);
        let mut out = Out(&mut chunk);
        if let Some(number) = marks.cookie {
            let secure = if marks.is_secure { "; Secure" } else { "" };
            let _fits = write!(out, "Set-Cookie: {COOKIE}={number}; Path=/; HttpOnly; SameSite=Lax{secure}\r\n");
        }
        if marks.is_debug {
            let _fits = self.write_debug(marks, &mut out);
        }
        chunk
    }
}

impl<E: Engine> Shard<E> {
    /// iisnode's fields in its order, sizes in KiB. Its page file is the private memory of a process here.
    fn write_debug(&self, marks: &Marks, out: &mut Out<'_>) -> std::io::Result<()> {
        use std::io::Write as _;
        let (live, bulletin) = (self.live.borrow(), &self.bulletin);
        let (own, node) = (bulletin.footprint(None), bulletin.footprint(Some(marks.worker)));
        let (own, pid, node) = (own.memory(), node.pid(), node.memory());
        let active: u32 = bulletin.in_use().map(|worker| bulletin.in_flight(worker)).sum();
        let requests: u64 = bulletin.in_use().map(|worker| bulletin.requests(worker)).sum();
        write!(out, "iisnode-debug: {}&node_pid={pid}", live.about)?;
        write!(out, "&worker_mem_ws={}&worker_mem_pagefile={}", own.resident_bytes >> 10, own.private_bytes >> 10)?;
        write!(out, "&node_mem_ws={}&node_mem_pagefile={}", node.resident_bytes >> 10, node.private_bytes >> 10)?;
        write!(out, "&app_processes={}", live.workers)?;
        write!(out, "&process_active_req={}&app_active_req={active}", bulletin.in_flight(marks.worker))?;
        write!(out, "&worker_total_req={requests}&np_retry={}", marks.retries)?;
        write!(out, "&req_time={}&hresult=0\r\n", E::now().since(marks.since).as_millis())
    }
}

/// A chunk to be written into.
struct Out<'c>(&'c mut Chunk);

impl std::io::Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.put(bytes).map(|()| bytes.len()).map_err(|_full| std::io::ErrorKind::WriteZero.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// For tests in which nothing is added.
#[cfg(test)]
pub(super) struct Unmarked;

#[cfg(test)]
impl Mark for Unmarked {
    fn write(&self, _: &Marks) -> Chunk {
        forebay_core::buf::Pool::new(0).take(ChunkSize::Small)
    }
}
