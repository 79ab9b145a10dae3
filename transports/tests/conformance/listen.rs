//! [`Listener`] and [`Engine::bind`]: who is accepted where, and when nobody is.

use std::cell::Cell;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use forebay_core::buf::{ChunkSize, Pool, Queue, Slice};
use forebay_transports::{Conn, Engine, Listener};

use crate::harness::{Harness, a_moment, clients, eventually, join, loopback, promptly, read_up_to, write_all};

fn bind_one<E: Engine>() -> (E::Listener, std::net::SocketAddr) {
    let bound = E::bind(loopback(), 1).unwrap().pop().unwrap();
    let address = E::local_addr(&bound);
    assert_ne!(address.port(), 0, "port 0 is resolved");
    (E::listen(bound).unwrap(), address)
}

pub(crate) async fn accepting_tells_both_addresses<E: Harness>() {
    let (listener, address) = bind_one::<E>();
    let (_client, client_address) = E::connect(address).await.unwrap();
    let (_ours, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.local, address);
    if let Some(expected) = client_address {
        assert_eq!(peer.remote, expected);
    }
    // On a wildcard the local address is the one that the client chose.
    let bound = E::bind("0.0.0.0:0".parse().unwrap(), 1).unwrap().pop().unwrap();
    let mut address = E::local_addr(&bound);
    address.set_ip([127, 0, 0, 1].into());
    let listener = E::listen(bound).unwrap();
    let _client = E::connect(address).await.unwrap();
    assert_eq!(listener.accept().await.unwrap().1.local, address);
}

pub(crate) async fn clients_are_not_delayed<E: Harness>() {
    let (listener, address) = bind_one::<E>();
    let _client = E::connect(address).await.unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    assert_ne!(E::nodelay(&ours), Some(false));
}

pub(crate) async fn closing_completes_an_accept_in_flight<E: Harness>() {
    let (listener, _) = bind_one::<E>();
    let mut accept = pin!(listener.accept());
    assert!(accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let late = async {
        a_moment::<E>().await;
        listener.close();
    };
    let (result, ()) = promptly::<E, _>("the accept", join(accept, late)).await;
    assert_eq!(result.err().unwrap().kind(), ErrorKind::NotConnected);
    assert_eq!(listener.accept().await.err().unwrap().kind(), ErrorKind::NotConnected, "and later ones");
}

pub(crate) async fn a_closed_listener_refuses_clients<E: Harness>() {
    let (listener, address) = bind_one::<E>();
    listener.close();
    let result = E::connect(address).await;
    assert_eq!(result.err().unwrap().kind(), ErrorKind::ConnectionRefused);
}

/// The one thing that tells a response that was cut short from one that ends with its connection.
pub(crate) async fn a_client_is_told_of_a_reset<E: Harness>() {
    let pool = Pool::new(0);
    for (is_reading, is_unread) in [(false, false), (true, false), (false, true)] {
        let (client, ours) = clients::<E>().await;
        write_all(&ours, Slice::from_static(b"half of").into()).await.unwrap();
        assert_eq!(read_up_to(&client, &pool, 7).await, b"half of");
        if is_unread {
            write_all(&client, Slice::from_static(b"more").into()).await.unwrap();
        }
        if is_reading {
            let mut read = pin!(ours.read(pool.take(ChunkSize::Small)));
            assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            ours.reset();
            let _ended = promptly::<E, _>("our read", read).await;
        } else {
            ours.reset();
        }
        drop(ours);
        let (result, _) = promptly::<E, _>("the client's read", client.read(pool.take(ChunkSize::Small))).await;
        if E::tells_resets() {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionReset, "{is_reading} {is_unread}");
        }
    }
}

/// Accepts for ever and counts.
async fn count<L: Listener>(listener: Rc<L>, accepted: Rc<Cell<usize>>) {
    let mut conns = Vec::new();
    while let Ok((conn, _)) = listener.accept().await {
        conns.push(conn);
        accepted.set(accepted.get() + 1);
    }
}

/// A shard's listener, and how many it has accepted.
type Shard<E> = (Rc<<E as Engine>::Listener>, Rc<Cell<usize>>);

/// Two shards on this thread.
fn two_shards<E: Engine>() -> (std::net::SocketAddr, [Shard<E>; 2]) {
    let bound = E::bind(loopback(), 2).unwrap();
    let address = E::local_addr(&bound[0]);
    assert_eq!(address, E::local_addr(&bound[1]));
    let shards: Vec<_> = bound
        .into_iter()
        .map(|bound| {
            let listener = Rc::new(E::listen(bound).unwrap());
            let accepted = Rc::new(Cell::new(0));
            E::spawn(count(Rc::clone(&listener), Rc::clone(&accepted)));
            (listener, accepted)
        })
        .collect();
    (address, shards.try_into().ok().unwrap())
}

pub(crate) async fn shards_share_one_address<E: Harness>() {
    let (address, [one, two]) = two_shards::<E>();
    let mut clients = Vec::new();
    for _ in 0..64 {
        clients.push(E::connect(address).await.unwrap());
    }
    eventually::<E>("all are accepted", || one.1.get() + two.1.get() == 64).await;
    assert!(one.1.get() > 0 && two.1.get() > 0, "{} and {}", one.1.get(), two.1.get());
}

pub(crate) async fn a_closed_shard_leaves_its_clients_to_the_others<E: Harness>() {
    let (address, [one, two]) = two_shards::<E>();
    one.0.close();
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(E::connect(address).await.unwrap());
    }
    eventually::<E>("all are accepted", || two.1.get() == 32).await;
    assert_eq!(one.1.get(), 0);
}

pub(crate) async fn an_address_in_use_is_an_error<E: Harness>() {
    let first = E::bind(loopback(), 2).unwrap();
    let address = E::local_addr(&first[0]);
    let error = E::bind(address, 2).err().unwrap();
    assert_eq!((error.source.kind(), error.address), (ErrorKind::AddrInUse, address));
    let listener = E::listen(first.into_iter().next().unwrap()).unwrap();
    assert_eq!(E::bind(address, 1).err().unwrap().source.kind(), ErrorKind::AddrInUse, "nor while it is served");
    drop(listener);
}

pub(crate) async fn an_address_is_free_again_after_use<E: Harness>() {
    let (listener, address) = bind_one::<E>();
    let (client, _) = E::connect(address).await.unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    // The side that ends first keeps the address in TIME_WAIT.
    drop(ours);
    drop(client);
    drop(listener);
    let mut bound = None;
    eventually::<E>("the address is free", || {
        bound = E::bind(address, 1).ok();
        bound.is_some()
    })
    .await;
}

pub(crate) async fn a_thousand_connections<E: Harness>() {
    const CONNECTIONS: usize = 1000;
    let (listener, address) = bind_one::<E>();
    let pool = Pool::new(1 << 20);
    let echo = pool.clone();
    E::spawn(async move {
        while let Ok((conn, _)) = listener.accept().await {
            let pool = echo.clone();
            E::spawn(async move {
                loop {
                    let (result, chunk) = conn.read(pool.take(ChunkSize::Small)).await;
                    match result {
                        Ok(count) if count > 0 => write_all(&conn, Queue::from(chunk.freeze())).await.unwrap(),
                        _ => break,
                    }
                }
            });
        }
    });
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(E::connect(address).await.unwrap().0);
    }
    for round in 0..3 {
        for client in &clients {
            write_all(client, Queue::from(Slice::from_static(b"ping"))).await.unwrap();
        }
        for client in &clients {
            let echoed = promptly::<E, _>("an echo", read_up_to(client, &pool, 4)).await;
            assert_eq!(echoed, b"ping", "round {round}");
        }
        E::sleep_until(E::now() + Duration::from_millis(1)).await;
    }
    drop(clients);
    eventually::<E>("all are gone", || pool.stats().away == [0; 3]).await;
}
