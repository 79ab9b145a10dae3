//! Dispatch against models: who gets a request, who waits, which connections rest, what is tried again.

use std::cell::RefCell;
use std::time::Duration;

use crate::input::Input;
use forebay_core::dispatch::{
    Candidate, Failure, IdlePool, Kept, SPILL_FLOOR, Seen, Ticket, Verdict, WaitQueue, after_failure, choose, stick,
};
use forebay_core::id::Generation;
use forebay_core::time::Timestamp;

/// Operations of one input.
const OPERATIONS_MAX: usize = 500;

/// The four deciders through any sequence of operations.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let max = input.below(6);
    let mut queue = Waiting { queue: WaitQueue::new(max), model: Vec::new(), given: Vec::new(), max };
    let max = input.below(6);
    let mut idle = Idle { pool: IdlePool::new(max), model: Vec::new(), next: 0, now: Timestamp::ZERO, max };
    for _ in 0..OPERATIONS_MAX {
        match input.byte() {
            Some(0..64) => choice(&mut input),
            Some(64..128) => queue.step(&mut input),
            Some(128..224) => idle.step(&mut input),
            Some(224..) => failure(&mut input),
            None => break,
        }
    }
}

/// Law 5 and the policy's own words: see [`choose`].
fn choice(input: &mut Input<'_>) {
    let (count, max) = (input.below(6), u32::from(input.word() % 80));
    let own = input.below(8);
    let workers: Vec<Candidate> = (0..count)
        .map(|_| Candidate { open: input.flag(), in_flight: u32::from(input.byte().unwrap_or(0)) % 90 })
        .collect();
    let asked = RefCell::new(vec![0u8; count]);
    let chosen = choose(own, count, max, |i| {
        asked.borrow_mut()[i] += 1;
        workers[i]
    });
    assert!(asked.borrow().iter().all(|&times| times <= 1));
    let usable = |i: &usize| workers[*i].open && workers[*i].in_flight < max;
    let least = (0..count).filter(usable).filter(|&i| i != own).min_by_key(|&i| (workers[i].in_flight, i));
    let mine = (own < count).then_some(own).filter(usable);
    let expected = match (mine, least) {
        (Some(own), Some(other)) => {
            let (mine, theirs) = (workers[own].in_flight, workers[other].in_flight);
            Some(if mine < SPILL_FLOOR || mine <= 2 * theirs + SPILL_FLOOR { own } else { other })
        }
        (mine, least) => mine.or(least),
    };
    assert_eq!(chosen, expected);
    sticking(&workers, max, u64::from(input.word()));
}

/// Whoever is chosen by a key has room, and stays chosen whatever becomes of the others.
fn sticking(workers: &[Candidate], max: u32, key: u64) {
    let usable = |i: usize| workers[i].open && workers[i].in_flight < max;
    let chosen = stick(key, workers.len(), max, |i| workers[i]);
    assert_eq!(chosen.is_some(), (0..workers.len()).any(usable));
    let Some(chosen) = chosen else { return };
    assert!(usable(chosen));
    for gone in (0..workers.len()).filter(|&i| i != chosen) {
        let without = |i: usize| Candidate { open: workers[i].open && i != gone, ..workers[i] };
        assert_eq!(stick(key, workers.len(), max, without), Some(chosen), "only the keys of {gone} may move");
    }
}

struct Waiting {
    queue: WaitQueue<u32>,
    model: Vec<(Ticket, u32)>,
    given: Vec<Ticket>,
    max: usize,
}

impl Waiting {
    fn step(&mut self, input: &mut Input<'_>) {
        if input.flag() {
            let serial = u32::try_from(self.given.len()).unwrap_or(u32::MAX);
            match self.queue.join(serial) {
                Ok(ticket) => {
                    assert!(self.given.last().is_none_or(|last| *last < ticket), "tickets are never reused");
                    self.given.push(ticket);
                    self.model.push((ticket, serial));
                }
                Err(back) => assert!(back == serial && self.model.len() == self.max),
            }
        } else if !self.given.is_empty() {
            let ticket = self.given[input.below(self.given.len())];
            let place = self.model.iter().position(|(waiting, _)| *waiting == ticket);
            assert_eq!(self.queue.leave(ticket), place.is_some());
            place.map(|place| self.model.remove(place));
        }
        assert_eq!((self.queue.len(), self.queue.is_empty()), (self.model.len(), self.model.is_empty()));
        assert!(self.queue.len() <= self.max);
        assert_eq!(self.queue.front(), self.model.first().map(|(_, serial)| serial));
        for ticket in &self.given {
            assert_eq!(self.queue.is_front(*ticket), self.model.first().is_some_and(|(first, _)| first == ticket));
        }
    }
}

struct Idle {
    pool: IdlePool<u32>,
    /// Connection, generation and expiry, the one used last at the end.
    model: Vec<(u32, Generation, Timestamp)>,
    next: u32,
    now: Timestamp,
    max: usize,
}

impl Idle {
    fn step(&mut self, input: &mut Input<'_>) {
        let generation = Generation(1 + u32::from(input.flag()));
        match input.below(4) {
            0 => self.keep(generation, Duration::from_millis(u64::from(input.word()))),
            1 => self.take(generation),
            2 => self.sweep(input.flag().then_some(generation), 1 + u32::from(input.byte().unwrap_or(0)) % 4),
            _ => self.now = self.now + Duration::from_millis(u64::from(input.word())),
        }
        assert_eq!((self.pool.len(), self.pool.is_empty()), (self.model.len(), self.model.is_empty()));
        assert!(self.pool.len() <= self.max);
    }

    fn keep(&mut self, generation: Generation, rest: Duration) {
        let expires = self.now + rest;
        self.next += 1;
        match self.pool.keep(self.next, generation, expires) {
            Kept::Yes => self.model.push((self.next, generation, expires)),
            Kept::No(conn) => assert!(conn == self.next && self.model.len() == self.max),
        }
    }

    fn take(&mut self, generation: Generation) {
        let now = self.now;
        let is_good = |(_, of, expires): &(u32, Generation, Timestamp)| *of == generation && *expires > now;
        let found = self.model.iter().rposition(is_good);
        let expected = found.map(|i| self.model[i].0);
        self.model.truncate(found.unwrap_or(0));
        assert_eq!(self.pool.take(generation, now), expected);
    }

    fn sweep(&mut self, generation: Option<Generation>, divisor: u32) {
        let (now, sound) = (self.now, |conn: &u32| conn.is_multiple_of(divisor));
        self.pool.sweep(generation, now, sound);
        self.model.retain(|(conn, of, expires)| Some(*of) == generation && *expires > now && sound(conn));
    }
}

/// Law 6: what was perhaps applied is repeated only where that does no harm, and nothing once the client has a byte.
fn failure(input: &mut Input<'_>) {
    let seen = [Seen::Nothing, Seen::Unread, Seen::Perhaps][input.below(3)];
    let failure = Failure {
        seen,
        response_begun: input.flag(),
        idempotent: input.flag(),
        held: input.flag(),
        attempts_left: input.flag(),
    };
    let verdict = after_failure(failure);
    assert_eq!(verdict == Verdict::Cut, failure.response_begun);
    let harmless = seen != Seen::Perhaps || failure.idempotent;
    let possible = failure.held && failure.attempts_left && !failure.response_begun;
    assert_eq!(verdict == Verdict::Again, harmless && possible, "{failure:?}");
}
