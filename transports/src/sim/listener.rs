//! Clients and where they connect: addresses, their shards' listeners, and [`connect`].

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use super::door::Door;
use super::stream::pause;
use super::timers::Sleep;
use super::{Stream, world};
use crate::{BindError, Listener, Peer};

/// How long a client waits before it tries a full backlog again.
const RETRY: Duration = Duration::from_millis(10);

/// The first port that port 0 stands for.
const FREE_PORTS: u16 = 20_000;

struct Address {
    address: SocketAddr,
    /// One door a shard.
    doors: Vec<Rc<Door<Peer>>>,
}

thread_local! {
    /// What is bound on this thread. Binding is allowed before a world is entered, so this is not part of one; a world
    /// clears it when it ends.
    static ADDRESSES: RefCell<Vec<Address>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn forget_addresses() {
    let addresses = ADDRESSES.with_borrow_mut(std::mem::take);
    drop(addresses);
}

/// A simulated address that is bound, but not yet served.
#[derive(Debug)]
pub struct Bound {
    pub(super) address: SocketAddr,
    shard: usize,
    served: bool,
}

impl Drop for Bound {
    fn drop(&mut self) {
        if !self.served
            && let Some(door) = door(self.address, self.shard)
        {
            door.close();
        }
    }
}

pub(super) fn bind(address: SocketAddr, shards: usize) -> Result<Vec<Bound>, BindError> {
    let taken =
        |address: SocketAddr| ADDRESSES.with_borrow(|all| all.iter().any(|one| one.is_open() && one.overlaps(address)));
    let mut real = address;
    if real.port() == 0 {
        let free = (FREE_PORTS..u16::MAX).find(|port| {
            real.set_port(*port);
            !taken(real)
        });
        real.set_port(free.ok_or_else(|| BindError { address, source: ErrorKind::AddrInUse.into() })?);
    }
    if taken(real) {
        return Err(BindError { address, source: ErrorKind::AddrInUse.into() });
    }
    let doors = (0..shards).map(|_| Door::new()).collect();
    ADDRESSES.with_borrow_mut(|all| {
        all.retain(|one| one.address != real);
        all.push(Address { address: real, doors });
    });
    Ok((0..shards).map(|shard| Bound { address: real, shard, served: false }).collect())
}

impl Address {
    fn is_open(&self) -> bool {
        self.doors.iter().any(|door| door.is_open())
    }

    fn overlaps(&self, address: SocketAddr) -> bool {
        let wildcard = self.address.ip().is_unspecified() || address.ip().is_unspecified();
        let same = self.address.ip() == address.ip();
        self.address.port() == address.port() && self.address.is_ipv4() == address.is_ipv4() && (same || wildcard)
    }
}

fn door(address: SocketAddr, shard: usize) -> Option<Rc<Door<Peer>>> {
    let find = |all: &Vec<Address>| all.iter().find(|one| one.address == address)?.doors.get(shard).cloned();
    // The thread's storage may be gone already when a leftover is dropped.
    ADDRESSES.try_with(|all| find(&all.borrow())).ok().flatten()
}

/// Accepts simulated clients for one shard.
pub struct TcpListener(Rc<Door<Peer>>);

impl TcpListener {
    pub(super) fn new(mut bound: Bound) -> io::Result<Self> {
        let door = door(bound.address, bound.shard).ok_or(ErrorKind::NotConnected)?;
        bound.served = true;
        Ok(Self(door))
    }
}

impl Listener for TcpListener {
    type Conn = Stream;

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        pause().await;
        poll_fn(|cx| self.0.poll_accept(cx)).await
    }

    fn close(&self) {
        self.0.close();
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Connects as a client and returns the client's end. Which shard gets it the seed decides.
///
/// # Errors
/// `ConnectionRefused` where nobody listens.
pub async fn connect(address: SocketAddr) -> io::Result<Stream> {
    pause().await;
    let world = world::current();
    Sleep::until(world.now() + world.latency()).await;
    loop {
        let open = ADDRESSES.with_borrow(|all| -> Vec<Rc<Door<Peer>>> {
            let bound = all.iter().filter(|one| one.overlaps(address));
            bound.flat_map(|one| &one.doors).filter(|door| door.is_open()).cloned().collect()
        });
        if open.is_empty() {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        let door = &open[world.chaos(|random| random.below(open.len()))];
        if !door.is_full() {
            let (client, server) = Stream::pair(&world);
            door.push(server, Peer { remote: client_address(world.next_name()), local: address });
            return Ok(client);
        }
        Sleep::until(world.now() + RETRY).await;
    }
}

/// A client's address: from TEST-NET-2 (RFC 5737), as many as there are.
fn client_address(name: u64) -> SocketAddr {
    let [.., host, high, low] = name.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(198, 51, 100, host), u16::from_be_bytes([high, low])))
}
