//! Requests for which no worker has room: first come, first served, bounded in number.
//!
//! The age bound is the waiter's own: it knows its arrival and gives up by [`leave`](WaitQueue::leave). Only the
//! front of the queue may try to enter a worker, so nobody is overtaken.

use alloc::collections::VecDeque;

/// A place in the queue. Tickets are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// The requests of one shard and route that wait for a worker; `T` is how to tell the waiter that it is at the front.
#[derive(Debug)]
pub struct WaitQueue<T> {
    waiters: VecDeque<(Ticket, T)>,
    next: u64,
    max: usize,
}

impl<T> WaitQueue<T> {
    /// A queue for at most `max` waiters.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { waiters: VecDeque::new(), next: 0, max }
    }

    /// From now on at most `max` wait. Those who do already stay.
    pub fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Takes a place at the end.
    ///
    /// # Errors
    /// Gives `waiter` back when `max` wait already.
    pub fn join(&mut self, waiter: T) -> Result<Ticket, T> {
        if self.waiters.len() >= self.max {
            return Err(waiter);
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiters.push_back((ticket, waiter));
        Ok(ticket)
    }

    /// Gives a place up, served or not. False if it was given up before.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        // Tickets are in order, so a binary search finds the place.
        let found = self.waiters.binary_search_by_key(&ticket, |(t, _)| *t);
        found.is_ok_and(|i| self.waiters.remove(i).is_some())
    }

    /// Whether this place is the first.
    #[must_use]
    pub fn is_front(&self, ticket: Ticket) -> bool {
        self.waiters.front().is_some_and(|(t, _)| *t == ticket)
    }

    /// The first waiter.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        self.waiters.front().map(|(_, waiter)| waiter)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a plain list: order of arrival is kept, the bound holds, and leaving twice does nothing.
        #[test]
        fn behaves_as_a_bounded_list(max in 0usize..5, ops in proptest::collection::vec((any::<bool>(), 0usize..8), 0..60)) {
            let mut queue = WaitQueue::new(max);
            let mut model: Vec<(Ticket, usize)> = Vec::new();
            let mut all = Vec::new();
            for (i, (join, which)) in ops.into_iter().enumerate() {
                if join {
                    match queue.join(i) {
                        Ok(ticket) => {
                            model.push((ticket, i));
                            all.push(ticket);
                        }
                        Err(back) => prop_assert!(back == i && model.len() == max),
                    }
                } else if let Some(&ticket) = all.get(which) {
                    let before = model.len();
                    model.retain(|(t, _)| *t != ticket);
                    prop_assert_eq!(queue.leave(ticket), model.len() < before);
                }
                prop_assert!(queue.len() <= max);
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.front(), model.first().map(|(_, i)| i));
                for (t, _) in &model {
                    prop_assert_eq!(queue.is_front(*t), model[0].0 == *t);
                }
            }
        }
    }
}
