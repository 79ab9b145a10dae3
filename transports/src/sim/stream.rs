//! One end of a simulated connection.

use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::Poll;

use forebay_core::buf::{Chunk, Queue};

use super::link::Link;
use super::world::{self, World};
use crate::{Completion, Conn, Written};

/// One end of a connection: a client's, a worker's, or ours.
pub struct Stream {
    link: Rc<Link>,
    side: usize,
}

/// A connection's end, for whoever may have to break it while another holds it.
pub(super) struct Handle {
    link: Weak<Link>,
    side: usize,
}

impl Handle {
    /// The process that holds this end is gone.
    pub(super) fn kill(&self) {
        if let Some(link) = self.link.upgrade() {
            link.close(self.side);
        }
    }
}

impl Stream {
    /// Two ends of a new connection.
    pub(super) fn pair(world: &World) -> (Self, Self) {
        let link = Link::new(world);
        (Self { link: Rc::clone(&link), side: 0 }, Self { link, side: 1 })
    }

    pub(super) fn handle(&self) -> Handle {
        Handle { link: Rc::downgrade(&self.link), side: self.side }
    }

    /// Resets the connection for both ends at once.
    pub(super) fn cut(&self) {
        self.link.cut();
    }

    /// What may happen to any operation before it starts.
    async fn chaos(&self) {
        pause().await;
        if world::current().strikes(|faults| faults.reset) {
            self.link.cut();
        }
    }

    fn note(&self, count: &std::io::Result<usize>) {
        world::current().note(match count {
            Ok(count) => self.link.name() << 32 | *count as u64,
            Err(error) => u64::MAX - error.kind() as u64,
        });
    }
}

impl Conn for Stream {
    async fn read(&self, mut chunk: Chunk) -> Completion {
        debug_assert!(chunk.spare() > 0, "a read into a full chunk");
        self.chaos().await;
        let result = poll_fn(|cx| self.link.poll_read(self.side, &mut chunk, cx)).await;
        self.note(&result);
        (result, chunk)
    }

    async fn write(&self, mut parts: Queue) -> Written {
        debug_assert!(!parts.is_empty(), "a write of nothing");
        self.chaos().await;
        let result = poll_fn(|cx| self.link.poll_write(self.side, &parts, cx)).await;
        self.note(&result);
        if let Ok(count) = result {
            parts.advance(count);
        }
        (result, parts)
    }

    fn finish(&self) {
        self.link.finish(self.side);
    }

    fn abort(&self) {
        self.link.abort(self.side);
    }

    fn reset(&self) {
        self.link.reset(self.side);
    }

    fn is_quiet(&self) -> bool {
        self.link.is_quiet(self.side)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.link.close(self.side);
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({}.{})", self.link.name(), self.side)
    }
}

/// Lets other tasks run first, where that fault strikes.
pub(super) async fn pause() {
    if world::current().strikes(|faults| faults.pause) {
        yield_now().await;
    }
}

/// Gives the executor the choice who goes on.
pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
