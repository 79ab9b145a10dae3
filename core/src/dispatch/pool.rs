//! Connections to one worker that rest between requests: last in, first out, bounded in number and age.
//!
//! The most recently used is taken first, so a low load keeps few connections warm and the rest grow old and go.

use alloc::vec::Vec;

use crate::id::Generation;
use crate::time::Timestamp;

/// What became of a connection that was offered to the pool.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept<T> {
    /// It rests here.
    Yes,
    /// The pool is full: close it.
    No(T),
}

#[derive(Debug)]
struct Resting<T> {
    conn: T,
    generation: Generation,
    expires: Timestamp,
}

/// The resting connections of one shard to one slot of the worker table.
#[derive(Debug)]
pub struct IdlePool<T> {
    resting: Vec<Resting<T>>,
    max: usize,
}

impl<T> IdlePool<T> {
    /// A pool of at most `max` connections.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { resting: Vec::new(), max }
    }

    /// From now on at most `max` connections are kept. Those that rest here already stay until they expire.
    pub fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Takes the connection used last that leads to `generation` and has not expired at `now`. Those found before it
    /// that do not qualify are dropped, that is closed.
    pub fn take(&mut self, generation: Generation, now: Timestamp) -> Option<T> {
        while let Some(last) = self.resting.pop() {
            if last.generation == generation && last.expires > now {
                return Some(last.conn);
            }
        }
        None
    }

    /// Offers a connection to `generation` that may be used again until `expires`.
    pub fn keep(&mut self, conn: T, generation: Generation, expires: Timestamp) -> Kept<T> {
        if self.resting.len() >= self.max {
            return Kept::No(conn);
        }
        self.resting.push(Resting { conn, generation, expires });
        Kept::Yes
    }

    /// Drops what has expired at `now`, leads to another process than `generation`, or is not `sound`.
    pub fn sweep(&mut self, generation: Option<Generation>, now: Timestamp, sound: impl Fn(&T) -> bool) {
        self.resting.retain(|r| Some(r.generation) == generation && r.expires > now && sound(&r.conn));
    }

    /// How many rest here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.resting.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.resting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: Generation = Generation(1);

    fn at(n: u64) -> Timestamp {
        Timestamp::from_nanos(n)
    }

    #[test]
    fn last_in_first_out_and_bounded() {
        let mut pool = IdlePool::new(2);
        assert_eq!(pool.keep('a', G, at(10)), Kept::Yes);
        assert_eq!(pool.keep('b', G, at(10)), Kept::Yes);
        assert_eq!(pool.keep('c', G, at(10)), Kept::No('c'));
        assert_eq!((pool.take(G, at(1)), pool.take(G, at(1)), pool.take(G, at(1))), (Some('b'), Some('a'), None));
    }

    #[test]
    fn neither_expired_nor_foreign_connections_are_given_out() {
        let mut pool = IdlePool::new(9);
        pool.keep('a', G, at(10));
        pool.keep('b', G.next(), at(10));
        assert_eq!((pool.take(G.next(), at(10)), pool.len()), (None, 0));
        pool.keep('a', G, at(10));
        pool.keep('b', G, at(20));
        pool.keep('c', G, at(20));
        pool.sweep(Some(G), at(15), |&c| c != 'c');
        assert_eq!((pool.len(), pool.take(G, at(15))), (1, Some('b')));
        pool.keep('a', G, at(10));
        pool.sweep(None, at(0), |_| true);
        assert!(pool.is_empty());
    }
}
