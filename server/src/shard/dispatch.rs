//! Which worker gets a request: the one it is tied to, else the shard's own, or the next in turn.

use std::net::IpAddr;

use forebay_core::dispatch::{Candidate, choose, rotate, stick};
use forebay_core::http1::RequestHead;
use forebay_core::id::WorkerId;

use super::lease::Lease;
use super::{Engine, Shard};
use crate::bulletin::{Condition, Door};
use crate::config::{Affinity, Dispatch};
use crate::live::Live;

/// The cookie that ties a client to a worker; iisnode's name for it.
pub(super) const COOKIE: &str = "iisnode.session.cookie";

/// The route whose workers take turns and are named by cookies: the application's. Others have one slot.
pub(super) const APPLICATION: u16 = 0;

/// What ties a request to one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    /// Nothing.
    None,
    /// Whom this number stands for, among those that are open.
    Key(u64),
    /// The worker with this number, as long as it is ready.
    Number(u16),
    /// The worker that it happens to get: the client is to be told which.
    Wanted,
}

impl<E: Engine> Shard<E> {
    /// What ties a request to a worker.
    pub(super) fn tie(&self, live: &Live, route: u16, head: &RequestHead<'_>, address: IpAddr) -> Tie {
        match live.affinity {
            _ if route != APPLICATION => Tie::None,
            Affinity::Off => Tie::None,
            Affinity::Address => Tie::Key(key(address)),
            // engine.io names its protocol's version in every request of a session.
            Affinity::Auto => {
                let query = head.target.iter().position(|&byte| byte == b'?').map(|at| &head.target[at..]);
                let is_engine_io = |query: &[u8]| query.windows(5).any(|word| matches!(word, b"?EIO=" | b"&EIO="));
                if query.is_some_and(is_engine_io) { Tie::Key(key(address)) } else { Tie::None }
            }
            Affinity::Cookie => {
                let numbers = head.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(b"cookie"));
                let named = numbers.filter_map(|field| number_in(field.value)).find(|&number| self.has(route, number));
                named.map_or(Tie::Wanted, Tie::Number)
            }
        }
    }

    /// Whether there is to be a worker with this number.
    fn has(&self, route: u16, number: u16) -> bool {
        self.bulletin.route(usize::from(route)).any(|slot| {
            let station = self.bulletin.station(WorkerId(slot));
            station.number == number && station.condition != Condition::Unwanted
        })
    }

    /// Counts a request into a worker that has room: the one it is tied to, else one by the rule of dispatch.
    pub(super) fn try_enter(&self, route: u16, tie: Tie, live: &Live) -> Option<Lease<'_, E>> {
        let (slots, max) = (self.bulletin.route(usize::from(route)), live.limits.in_flight_max);
        let count = usize::from(slots.end - slots.start);
        let worker = |i: usize| WorkerId(slots.start + u16::try_from(i).unwrap_or(u16::MAX));
        let now = self.timers.now();
        let frames_only = self.frames_only && !self.is_origin(route);
        let at = |i| {
            let (worker, notice) = (worker(i), self.bulletin.notice(worker(i)));
            let open = notice.door == Door::Open
                && !self.suspects.has(worker, notice.generation, now)
                && (!frames_only || self.is_fed(worker, notice.generation));
            Candidate { open, in_flight: self.bulletin.in_flight(worker) }
        };
        let is_usable = |&i: &usize| {
            let candidate = at(i);
            candidate.open && candidate.in_flight < max
        };
        let is_own = |&i: &usize| {
            let notice = self.bulletin.notice(worker(i));
            notice.door == Door::Open && usize::from(notice.home) == self.index
        };
        let by_rule = || match live.dispatch {
            Dispatch::RoundRobin if route != APPLICATION => choose(count, count, max, at),
            Dispatch::Local => choose((0..count).find(is_own).unwrap_or(count), count, max, at),
            Dispatch::RoundRobin => {
                let in_turn = |i| self.bulletin.station(worker(i)).condition != Condition::Unwanted || at(i).open;
                // A turn is taken by who can use it: those who wait look again and again.
                let is_any = self.bulletin.is_assembled() && (0..count).any(|i| is_usable(&i));
                is_any.then(|| rotate(self.bulletin.next_turn(), count, max, in_turn, at))?
            }
        };
        // A worker may close its door or fill up between the look and the count: look again, as often as there are
        // workers.
        for _ in 0..=count {
            let chosen = match tie {
                Tie::Key(key) => stick(key, count, max, at),
                Tie::Number(number) => {
                    let is_it = |&i: &usize| self.bulletin.station(worker(i)).number == number && is_usable(&i);
                    (0..count).find(is_it).or_else(by_rule)
                }
                Tie::None | Tie::Wanted => by_rule(),
            };
            let worker = worker(chosen?);
            if let Some(generation) = self.bulletin.enter(worker, max) {
                return Some(Lease { shard: self, route, worker, generation, tunnel: false });
            }
        }
        None
    }
}

/// The network part of an IPv6 address: hosts of one network may use several addresses of it.
fn key(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
    }
}

/// The number in the value of a `Cookie` field (RFC 6265 section 4.2.1), if the cookie is among its pairs.
fn number_in(value: &[u8]) -> Option<u16> {
    value.split(|&byte| byte == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let number = pair.strip_prefix(COOKIE.as_bytes())?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
        // At most five digits, and nothing else: "+1" and "01" were not written here.
        let is_plain = number.iter().all(u8::is_ascii_digit) && (number.len() == 1 || number.first() != Some(&b'0'));
        if is_plain { str::from_utf8(number).ok()?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_pairs_and_nowhere_else() {
        for (value, number) in [
            ("iisnode.session.cookie=3", Some(3)),
            ("a=b; iisnode.session.cookie=12; c=d", Some(12)),
            ("a=b;iisnode.session.cookie=0;", Some(0)),
            ("iisnode.session.cookie = 7 ", Some(7)),
            ("iisnode.session.cookie=x; iisnode.session.cookie=2", Some(2)),
            ("my-iisnode.session.cookie=3", None),
            ("iisnode.session.cookies=3", None),
            ("a=iisnode.session.cookie=3", None),
            ("iisnode.session.cookie=-1", None),
            ("iisnode.session.cookie=+1", None),
            ("iisnode.session.cookie=01", None),
            ("iisnode.session.cookie=", None),
            ("iisnode.session.cookie=70000", None),
            ("", None),
        ] {
            assert_eq!(number_in(value.as_bytes()), number, "{value}");
        }
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let key = |text: &str| key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::2:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
    }
}
