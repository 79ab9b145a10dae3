//! What is done to the responses of workers: the session cookie and `iisnode-debug` are added, small pieces are gathered.
//!
//! All are off unless asked for, and then cost a look at a byte. A mark is what is known when the request is given to a
//! worker; the fields are written when the response's head is.

use std::net::IpAddr;

use forebay_core::buf::{Chunk, ChunkSize};
use forebay_core::http1::{Full, RequestHead, Sink as _, is_https};
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
        // A cookie, and what is in `Live` with some numbers: far less than 16 KiB.
        let mut chunk = self.pool.take(ChunkSize::Medium);
        if let Some(number) = marks.cookie {
            let _fits = Self::write_cookie(number, marks.is_secure, &mut chunk);
        }
        if marks.is_debug {
            let _fits = self.write_debug(marks, &mut chunk);
        }
        chunk
    }
}

impl<E: Engine> Shard<E> {
    /// iisnode's fields in its order, sizes in KiB. Its page file is the private memory of a process here.
    fn write_debug(&self, marks: &Marks, out: &mut Chunk) -> Result<(), Full> {
        let (live, bulletin) = (self.live.borrow(), &self.bulletin);
        let (own, node) = (bulletin.footprint(None), bulletin.footprint(Some(marks.worker)));
        let (own, pid, node) = (own.memory(), node.pid(), node.memory());
        let (mut active, mut requests) = (0, 0);
        for worker in bulletin.in_use() {
            active += u64::from(bulletin.in_flight(worker));
            requests += bulletin.requests(worker);
        }
        out.put_all(&[b"iisnode-debug: ", live.about.as_bytes()])?;
        let fields: [(&str, u64); 11] = [
            ("&node_pid=", u64::from(pid)),
            ("&worker_mem_ws=", own.resident_bytes >> 10),
            ("&worker_mem_pagefile=", own.private_bytes >> 10),
            ("&node_mem_ws=", node.resident_bytes >> 10),
            ("&node_mem_pagefile=", node.private_bytes >> 10),
            ("&app_processes=", live.workers as u64),
            ("&process_active_req=", u64::from(bulletin.in_flight(marks.worker))),
            ("&app_active_req=", active),
            ("&worker_total_req=", requests),
            ("&np_retry=", u64::from(marks.retries)),
            ("&req_time=", E::now().since(marks.since).as_millis() as u64),
        ];
        // Formatting as usual would be most of what the header costs.
        for (name, value) in fields {
            out.put_all(&[name.as_bytes(), itoa::Buffer::new().format(value).as_bytes()])?;
        }
        out.put_all(&[b"&hresult=0\r\n"])
    }

    fn write_cookie(number: u16, is_secure: bool, out: &mut Chunk) -> Result<(), Full> {
        let secure: &[u8] = if is_secure { b"; Secure" } else { b"" };
        let mut digits = itoa::Buffer::new();
        let number = digits.format(number).as_bytes();
        let name = COOKIE.as_bytes();
        out.put_all(&[b"Set-Cookie: ", name, b"=", number, b"; Path=/; HttpOnly; SameSite=Lax", secure, b"\r\n"])
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
