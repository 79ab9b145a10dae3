//! Which workers have dialled in to this shard.

use std::cell::RefCell;
use std::rc::Rc;

use forebay_core::id::{Generation, WorkerId};
use forebay_core::time::Timestamp;
use forebay_transports::Conn;

use super::Pipe;
use crate::bulletin::{Bulletin, Event};
use crate::shard::{Engine, Shard};

/// The newest connection of each slot's process, and those before it that still have streams.
pub(in crate::shard) struct Pipes<E: Engine> {
    current: RefCell<Vec<Option<Rc<Pipe<E>>>>>,
    all: RefCell<Vec<Rc<Pipe<E>>>>,
}

impl<E: Engine> Pipes<E> {
    /// For so many slots.
    pub(in crate::shard) fn new(slots: u16) -> Self {
        Self { current: RefCell::new((0..slots).map(|_| None).collect()), all: RefCell::default() }
    }

    /// The connection to a process, if it takes new streams.
    fn find(&self, worker: WorkerId, generation: Generation, bulletin: &Bulletin) -> Option<Rc<Pipe<E>>> {
        let current = self.current.borrow();
        let pipe = current.get(usize::from(worker.0))?.as_ref()?;
        pipe.serves(generation, bulletin).then(|| Rc::clone(pipe))
    }

    /// Whether a process takes new streams.
    fn has(&self, worker: WorkerId, generation: Generation, bulletin: &Bulletin) -> bool {
        let current = self.current.borrow();
        let pipe = current.get(usize::from(worker.0)).and_then(Option::as_ref);
        pipe.is_some_and(|pipe| pipe.serves(generation, bulletin))
    }

    pub(super) fn add(&self, pipe: &Rc<Pipe<E>>) {
        self.all.borrow_mut().push(Rc::clone(pipe));
        self.settle(pipe.worker);
    }

    pub(super) fn remove(&self, pipe: &Rc<Pipe<E>>) {
        self.all.borrow_mut().retain(|it| !Rc::ptr_eq(it, pipe));
        self.settle(pipe.worker);
    }

    /// A process that is gone may be heard of last: what it sent before can arrive behind its successor's HELLO.
    fn settle(&self, worker: WorkerId) {
        let all = self.all.borrow();
        let newest = all.iter().filter(|pipe| pipe.worker == worker).max_by_key(|pipe| pipe.generation);
        self.current.borrow_mut()[usize::from(worker.0)] = newest.cloned();
    }

    /// Asks every worker now and then whether its event loop turns, and says whose has not for too long.
    pub(in crate::shard) fn beat(&self, now: Timestamp, bulletin: &Bulletin) {
        let Some(patience) = bulletin.stuck_after() else { return };
        for pipe in &*self.all.borrow() {
            pipe.beat(now, patience);
            if let Some(silence) = pipe.silence(now, patience) {
                bulletin.report(Event::Stuck(pipe.worker, pipe.generation, silence));
            }
        }
    }

    /// Breaks every connection.
    pub(in crate::shard) fn abort_all(&self) {
        for pipe in &*self.all.borrow() {
            pipe.conn.abort();
        }
    }
}

impl<E: Engine> Shard<E> {
    /// The connection over which a process takes new streams here.
    pub(in crate::shard) fn pipe_of(&self, worker: WorkerId, generation: Generation) -> Option<Rc<Pipe<E>>> {
        self.pipes.find(worker, generation, &self.bulletin)
    }

    /// Whether a process can be given requests where frames are asked for: it takes them here, or has said that it
    /// needs plain HTTP.
    pub(in crate::shard) fn is_fed(&self, worker: WorkerId, generation: Generation) -> bool {
        self.pipes.has(worker, generation, &self.bulletin) || self.bulletin.is_demoted(worker, generation)
    }
}
