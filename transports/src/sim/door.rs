//! Connections that wait to be accepted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{Stream, world};

/// `EMFILE`: no descriptor is free in this process.
const NO_DESCRIPTORS: i32 = 24;

/// The queue in front of one listener: streams, each with what else is known of it.
pub(super) struct Door<T> {
    waiting: RefCell<VecDeque<(Stream, T)>>,
    acceptor: RefCell<Option<Waker>>,
    open: Cell<bool>,
}

impl<T> Door<T> {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self { waiting: RefCell::default(), acceptor: RefCell::default(), open: Cell::new(true) })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Whether the backlog takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.borrow().len() >= world::current().config.backlog
    }

    pub(super) fn push(&self, stream: Stream, about: T) {
        self.waiting.borrow_mut().push_back((stream, about));
        self.wake();
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, T)>> {
        if !self.open.get() {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            *self.acceptor.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let world = world::current();
        if world.strikes(|faults| faults.accept) {
            if world.chaos(|random| random.chance(500)) {
                return Poll::Ready(Err(io::Error::from_raw_os_error(NO_DESCRIPTORS)));
            }
            if let Some((stream, _)) = waiting.pop_front() {
                stream.cut();
                return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
            }
        }
        match waiting.pop_front() {
            Some(accepted) => Poll::Ready(Ok(accepted)),
            None => Poll::Pending,
        }
    }

    /// Accepts no more; who waits is reset.
    pub(super) fn close(&self) {
        self.open.set(false);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.iter().for_each(|(stream, _)| stream.cut());
        self.wake();
    }

    fn wake(&self) {
        self.acceptor.borrow_mut().take().into_iter().for_each(Waker::wake);
    }
}
