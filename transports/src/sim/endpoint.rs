//! Endpoints: who listens at which, workers or shards, and dialling it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use forebay_core::time::Timestamp;

use super::door::Door;
use super::stream::{Handle, pause};
use super::timers::Sleep;
use super::{Stream, world};
use crate::Endpoint;

/// How long a dial waits before it tries a full backlog again.
const REDIAL: Duration = Duration::from_millis(2);

/// Who listens where. A closed door is a socket file that a dead process left behind: dialling it is refused.
#[derive(Default)]
pub(super) struct Endpoints(RefCell<BTreeMap<PathBuf, Rc<Door<()>>>>);

impl Endpoints {
    /// Listens at `endpoint`, where somebody who is gone may have listened before.
    fn open(&self, endpoint: &Endpoint) -> io::Result<Rc<Door<()>>> {
        if self.at(endpoint).is_some_and(|door| door.is_open()) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let door = Door::new();
        self.0.borrow_mut().insert(endpoint.path().to_owned(), Rc::clone(&door));
        Ok(door)
    }

    /// Removes the endpoint, if `door` is what is there.
    fn remove(&self, endpoint: &Endpoint, door: &Rc<Door<()>>) {
        if self.at(endpoint).is_some_and(|found| Rc::ptr_eq(&found, door)) {
            self.0.borrow_mut().remove(endpoint.path());
        }
    }

    fn at(&self, endpoint: &Endpoint) -> Option<Rc<Door<()>>> {
        self.0.borrow().get(endpoint.path()).cloned()
    }

    pub(super) fn clear(&self) {
        let doors = std::mem::take(&mut *self.0.borrow_mut());
        drop(doors);
    }
}

/// A simulated worker's listener, with all connections it has accepted or made.
pub struct Worker {
    endpoint: Endpoint,
    door: Rc<Door<()>>,
    conns: RefCell<Vec<Handle>>,
}

impl Worker {
    /// Listens at `endpoint`, where a worker that is gone may have listened before.
    ///
    /// # Errors
    /// `AddrInUse` where one listens now.
    pub fn listen(endpoint: &Endpoint) -> io::Result<Self> {
        let door = world::current().endpoints.open(endpoint)?;
        Ok(Self { endpoint: endpoint.clone(), door, conns: RefCell::default() })
    }

    /// The next connection of a shard.
    ///
    /// # Errors
    /// `NotConnected` once closed or killed; injected ones.
    pub async fn accept(&self) -> io::Result<Stream> {
        pause().await;
        let (stream, ()) = poll_fn(|cx| self.door.poll_accept(cx)).await?;
        self.conns.borrow_mut().push(stream.handle());
        Ok(stream)
    }

    /// Dials a shard's [`Entrance`] as this process.
    ///
    /// # Errors
    /// As [`Engine::dial`](crate::Engine::dial).
    pub async fn dial(&self, entrance: &Endpoint, deadline: Timestamp) -> io::Result<Stream> {
        let stream = dial(entrance, deadline).await?;
        self.conns.borrow_mut().push(stream.handle());
        Ok(stream)
    }

    /// Stops listening: dialling is refused, connections stay.
    pub fn close(&self) {
        self.door.close();
    }

    /// Ends the process: nobody listens, and all its connections are closed, as a kernel does it: with a reset where
    /// bytes were unread, else with an end of stream and a reset of what is sent later.
    pub fn kill(&self) {
        self.close();
        self.conns.borrow().iter().for_each(Handle::kill);
    }

    /// Stops listening and removes the endpoint: dialling does not find it.
    pub fn remove(&self) {
        self.close();
        world::current().endpoints.remove(&self.endpoint, &self.door);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
    }
}

/// Accepts simulated workers for one shard.
pub struct Entrance {
    endpoint: Endpoint,
    door: Rc<Door<()>>,
}

impl Entrance {
    pub(super) fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let door = world::current().endpoints.open(endpoint)?;
        Ok(Self { endpoint: endpoint.clone(), door })
    }
}

impl crate::Entrance for Entrance {
    type Conn = Stream;

    async fn accept(&self) -> io::Result<Stream> {
        pause().await;
        poll_fn(|cx| self.door.poll_accept(cx)).await.map(|(stream, ())| stream)
    }

    fn close(&self) {
        self.door.close();
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.door.close();
        // It may outlive its world.
        if let Some(world) = world::try_current() {
            world.endpoints.remove(&self.endpoint, &self.door);
        }
    }
}

pub(super) async fn dial(endpoint: &Endpoint, deadline: Timestamp) -> io::Result<Stream> {
    pause().await;
    let world = world::current();
    if world.strikes(|faults| faults.dial_refused) {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    let hangs = world.strikes(|faults| faults.dial_hangs);
    if hangs && deadline != Timestamp::NEVER {
        Sleep::until(deadline).await;
        return Err(ErrorKind::TimedOut.into());
    }
    Sleep::until(deadline.min(world.now() + world.latency())).await;
    loop {
        let door = world.endpoints.at(endpoint).ok_or(ErrorKind::NotFound)?;
        if !door.is_open() {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        if !door.is_full() {
            let (ours, theirs) = Stream::pair(&world);
            door.push(theirs, ());
            return Ok(ours);
        }
        if world.now() >= deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        Sleep::until(deadline.min(world.now() + REDIAL)).await;
    }
}
