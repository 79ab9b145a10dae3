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
    fn find(&self, worker: WorkerId, generation: Generation) -> Option<Rc<Pipe<E>>> {
        let current = self.current.borrow();
        let pipe = current.get(usize::from(worker.0))?.as_ref()?;
        (pipe.generation == generation && pipe.state.borrow().is_open).then(|| Rc::clone(pipe))
    }

    /// Whether a process takes new streams.
    fn has(&self, worker: WorkerId, generation: Generation) -> bool {
        let current = self.current.borrow();
        let pipe = current.get(usize::from(worker.0)).and_then(Option::as_ref);
        pipe.is_some_and(|pipe| pipe.generation == generation && pipe.state.borrow().is_open)
    }

    pub(super) fn add(&self, pipe: &Rc<Pipe<E>>) {
        self.current.borrow_mut()[usize::from(pipe.worker.0)] = Some(Rc::clone(pipe));
        self.all.borrow_mut().push(Rc::clone(pipe));
    }

    pub(super) fn remove(&self, pipe: &Rc<Pipe<E>>) {
        let mut current = self.current.borrow_mut();
        let place = &mut current[usize::from(pipe.worker.0)];
        if place.as_ref().is_some_and(|it| Rc::ptr_eq(it, pipe)) {
            *place = None;
        }
        self.all.borrow_mut().retain(|it| !Rc::ptr_eq(it, pipe));
    }

    /// Asks every worker now and then whether its event loop turns, and says whose has not for too long.
    pub(in crate::shard) fn beat(&self, now: Timestamp, bulletin: &Bulletin) {
        let patience = bulletin.stuck_after();
        for pipe in &*self.all.borrow() {
            pipe.beat(now);
            if let Some(silence) = patience.and_then(|patience| pipe.silence(now, patience)) {
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
        self.pipes.find(worker, generation).filter(|_| !self.bulletin.is_demoted(worker, generation))
    }

    /// Whether a process takes new streams here.
    pub(in crate::shard) fn has_pipe(&self, worker: WorkerId, generation: Generation) -> bool {
        self.pipes.has(worker, generation) && !self.bulletin.is_demoted(worker, generation)
    }
}
