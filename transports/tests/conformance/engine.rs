//! [`Engine`]: dialling workers, the clock, and tasks.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use forebay_core::buf::{ChunkSize, Pool, Slice};
use forebay_core::time::Timestamp;
use forebay_transports::Conn;

use crate::harness::{Harness, a_moment, clients, eventually, far, promptly, read_up_to, write_all};

pub(crate) async fn dialling_nobody_is_not_found<E: Harness>() {
    let error = E::dial(&E::endpoint(), far::<E>()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

pub(crate) async fn dialling_the_dead_is_refused<E: Harness>() {
    let endpoint = E::endpoint();
    drop(E::work(&endpoint));
    let error = E::dial(&endpoint, far::<E>()).await.err().unwrap();
    let expected = if E::HALF_CLOSE { ErrorKind::ConnectionRefused } else { ErrorKind::NotFound };
    assert_eq!(error.kind(), expected, "a pipe leaves nothing behind");
}

pub(crate) async fn a_dial_times_out_at_its_deadline<E: Harness>() {
    let endpoint = E::endpoint();
    let worker = E::work(&endpoint);
    let mut waiting = Vec::new();
    let (error, deadline) = loop {
        let deadline = E::now() + Duration::from_millis(30);
        match E::dial(&endpoint, deadline).await {
            Ok(conn) => waiting.push(conn),
            Err(error) => break (error, deadline),
        }
        assert!(waiting.len() < 10_000, "the backlog has no end");
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(E::now() >= deadline);
    // Room in the backlog lets a dial through that waits.
    let (dialled, _accepted) = crate::harness::join(E::dial(&endpoint, far::<E>()), async {
        a_moment::<E>().await;
        E::accept(&worker).await
    })
    .await;
    dialled.unwrap();
}

pub(crate) async fn sleepers_wake_in_order_and_never_early<E: Harness>() {
    let woken = Rc::new(RefCell::new(Vec::new()));
    let start = E::now();
    for millis in [30, 10, 50, 20, 40] {
        let woken = Rc::clone(&woken);
        E::spawn(async move {
            let deadline = start + Duration::from_millis(millis);
            E::sleep_until(deadline).await;
            woken.borrow_mut().push((millis, E::now() >= deadline));
        });
    }
    eventually::<E>("all wake", || woken.borrow().len() == 5).await;
    assert_eq!(*woken.borrow(), [10, 20, 30, 40, 50].map(|millis| (millis, true)));
    promptly::<E, _>("a deadline in the past", E::sleep_until(Timestamp::ZERO)).await;
}

pub(crate) async fn a_sleep_may_be_dropped<E: Harness>() {
    {
        let mut short = pin!(E::sleep_until(E::now() + Duration::from_millis(1)));
        let mut never = pin!(E::sleep_until(Timestamp::NEVER));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(short.as_mut().poll(&mut cx).is_pending() && never.as_mut().poll(&mut cx).is_pending());
        a_moment::<E>().await;
        assert!(never.as_mut().poll(&mut cx).is_pending());
    }
    a_moment::<E>().await;
}

pub(crate) async fn time_does_not_run_backwards<E: Harness>() {
    let mut last = E::now();
    for _ in 0..1000 {
        let now = E::now();
        assert!(now >= last);
        last = now;
    }
    a_moment::<E>().await;
    assert!(E::now() > last);
}

struct SetOnDrop(Rc<Cell<u32>>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

pub(crate) async fn a_panic_ends_one_task_alone<E: Harness>() {
    let dropped = Rc::new(Cell::new(0));
    let alive = Rc::new(Cell::new(0));
    let (guard, counter) = (SetOnDrop(Rc::clone(&dropped)), Rc::clone(&alive));
    E::spawn(async move {
        let _guard = guard;
        E::sleep_until(E::now() + Duration::from_millis(1)).await;
        panic!("expected by the test");
    });
    E::spawn(async move {
        loop {
            counter.set(counter.get() + 1);
            E::sleep_until(E::now() + Duration::from_millis(1)).await;
        }
    });
    eventually::<E>("what the task owned is dropped", || dropped.get() == 1).await;
    let before = alive.get();
    eventually::<E>("other tasks go on", || alive.get() > before + 2).await;
}

/// A nested run on a thread of its own, because the tasks that are left over are looked at after it.
pub(crate) async fn tasks_left_over_are_dropped<E: Harness>() {
    thread_local! {
        static DROPPED: Rc<Cell<u32>> = Rc::default();
    }
    let thread = std::thread::spawn(|| {
        let ran = E::run(&forebay_transports::EngineOptions::default(), || async {
            let guard = SetOnDrop(DROPPED.with(Rc::clone));
            E::spawn(async move {
                let _guard = guard;
                E::sleep_until(Timestamp::NEVER).await;
            });
            a_moment::<E>().await;
        });
        ran.unwrap();
        DROPPED.with(|dropped| dropped.get())
    });
    assert_eq!(thread.join().unwrap(), 1);
}

pub(crate) async fn tasks_that_yield_starve_neither_tasks_nor_io<E: Harness>() {
    let (stop, turns) = (Rc::new(Cell::new(false)), Rc::new([Cell::new(0), Cell::new(0)]));
    for i in 0..2 {
        let (stop, turns) = (Rc::clone(&stop), Rc::clone(&turns));
        E::spawn(async move {
            while !stop.get() {
                turns[i].set(turns[i].get() + 1);
                E::yield_now().await;
            }
        });
    }
    let pool = Pool::new(0);
    let (client, ours) = clients::<E>().await;
    let buffers = pool.clone();
    E::spawn(async move {
        let (result, chunk) = ours.read(buffers.take(ChunkSize::Small)).await;
        assert_eq!(result.unwrap(), 4);
        write_all(&ours, chunk.freeze().into()).await.unwrap();
    });
    write_all(&client, Slice::from_static(b"ping").into()).await.unwrap();
    assert_eq!(read_up_to(&client, &pool, 4).await, b"ping");
    while turns.iter().any(|turns| turns.get() < 10) {
        E::yield_now().await;
    }
    stop.set(true);
}

pub(crate) async fn what_tasks_left_over_had_in_flight_comes_home<E: Harness>() {
    let thread = std::thread::spawn(|| {
        let pool = Pool::new(0);
        let buffers = pool.clone();
        let ran = E::run(&forebay_transports::EngineOptions::default(), || async move {
            let (client, ours) = clients::<E>().await;
            E::spawn(async move {
                let _client = client;
                let (result, _) = ours.read(buffers.take(ChunkSize::Small)).await;
                drop(result);
            });
            a_moment::<E>().await;
        });
        ran.unwrap();
        pool.stats().away
    });
    assert_eq!(thread.join().unwrap(), [0; 3]);
}
