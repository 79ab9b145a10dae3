//! [`Entrance`] and `Engine::open`: workers that dial in.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Waker};

use forebay_core::buf::{ChunkSize, Pool, Slice};
use forebay_transports::{Conn, Endpoint, Entrance};

use crate::harness::{Harness, a_moment, far, join, promptly, read_up_to, write_all};

/// A worker's attempt must fail: nobody listens.
async fn is_refused<E: Harness>(endpoint: &Endpoint) {
    let kind = E::enter(endpoint).await.err().unwrap().kind();
    // A pipe leaves nothing behind, unless connections are left: then it is busy.
    let on_pipes = [ErrorKind::NotFound, ErrorKind::TimedOut];
    assert!(kind == ErrorKind::ConnectionRefused || !E::HALF_CLOSE && on_pipes.contains(&kind), "{kind}");
}

pub(crate) async fn workers_enter_in_order_and_may_write_first<E: Harness>() {
    let (endpoint, pool) = (E::endpoint(), Pool::new(0));
    let entrance = E::open(&endpoint).unwrap();
    let mut workers = Vec::new();
    for name in [b"0", b"1", b"2"] {
        let worker = E::enter(&endpoint).await.unwrap();
        write_all(&worker, Slice::from_static(name).into()).await.unwrap();
        workers.push(worker);
    }
    for (name, worker) in [b"0", b"1", b"2"].into_iter().zip(&workers) {
        let ours = promptly::<E, _>("an accept", entrance.accept()).await.unwrap();
        assert_eq!(read_up_to(&ours, &pool, 1).await, name);
        assert!(ours.is_quiet());
        write_all(&ours, Slice::from_static(name).into()).await.unwrap();
        assert_eq!(read_up_to(worker, &pool, 1).await, name);
    }
}

pub(crate) async fn an_accept_waits_for_a_worker<E: Harness>() {
    let endpoint = E::endpoint();
    let entrance = E::open(&endpoint).unwrap();
    let mut accept = pin!(entrance.accept());
    assert!(accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let late = async {
        a_moment::<E>().await;
        E::enter(&endpoint).await.unwrap()
    };
    let (ours, _worker) = promptly::<E, _>("the accept", join(accept, late)).await;
    ours.unwrap();
}

pub(crate) async fn closing_completes_the_accept_of_a_worker<E: Harness>() {
    let entrance = E::open(&E::endpoint()).unwrap();
    let mut accept = pin!(entrance.accept());
    assert!(accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let late = async {
        a_moment::<E>().await;
        entrance.close();
    };
    let (result, ()) = promptly::<E, _>("the accept", join(accept, late)).await;
    assert_eq!(result.err().unwrap().kind(), ErrorKind::NotConnected);
    assert_eq!(entrance.accept().await.err().unwrap().kind(), ErrorKind::NotConnected, "and later ones");
}

pub(crate) async fn a_closed_entrance_refuses_workers_and_keeps_those_it_has<E: Harness>() {
    let (endpoint, pool) = (E::endpoint(), Pool::new(0));
    let entrance = E::open(&endpoint).unwrap();
    let worker = E::enter(&endpoint).await.unwrap();
    let ours = entrance.accept().await.unwrap();
    entrance.close();
    is_refused::<E>(&endpoint).await;
    drop(entrance);
    write_all(&worker, Slice::from_static(b"still").into()).await.unwrap();
    assert_eq!(read_up_to(&ours, &pool, 5).await, b"still");
}

pub(crate) async fn who_was_not_accepted_is_cut_off<E: Harness>() {
    let (endpoint, pool) = (E::endpoint(), Pool::new(0));
    let entrance = E::open(&endpoint).unwrap();
    let worker = E::enter(&endpoint).await.unwrap();
    drop(entrance);
    let (result, _) = promptly::<E, _>("the end", worker.read(pool.take(ChunkSize::Small))).await;
    assert!(matches!(result, Ok(0) | Err(_)), "{result:?}");
}

pub(crate) async fn a_dropped_entrance_is_not_found<E: Harness>() {
    let endpoint = E::endpoint();
    drop(E::open(&endpoint).unwrap());
    assert_eq!(E::enter(&endpoint).await.err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(E::dial(&endpoint, far::<E>()).await.err().unwrap().kind(), ErrorKind::NotFound);
    E::open(&endpoint).unwrap();
}

pub(crate) async fn an_entrance_in_use_is_an_error<E: Harness>() {
    let endpoint = E::endpoint();
    let entrance = E::open(&endpoint).unwrap();
    assert_eq!(E::open(&endpoint).err().unwrap().kind(), ErrorKind::AddrInUse);
    // The attempt took nothing away, and whatever it dialled is gone.
    let (_worker, _ours) = join(async { E::enter(&endpoint).await.unwrap() }, entrance.accept()).await;
}

pub(crate) async fn what_the_dead_left_is_replaced<E: Harness>() {
    let endpoint = E::endpoint();
    drop(E::work(&endpoint));
    is_refused::<E>(&endpoint).await;
    let entrance = E::open(&endpoint).unwrap();
    let _worker = E::enter(&endpoint).await.unwrap();
    promptly::<E, _>("an accept", entrance.accept()).await.unwrap();
}

pub(crate) async fn a_late_drop_leaves_the_next_entrance_alone<E: Harness>() {
    let endpoint = E::endpoint();
    let old = E::open(&endpoint).unwrap();
    old.close();
    let new = E::open(&endpoint).unwrap();
    drop(old);
    let _worker = E::enter(&endpoint).await.unwrap();
    promptly::<E, _>("an accept", new.accept()).await.unwrap();
}
