//! Dispatch: choosing a worker, counting a request in and out, waiting, and keeping connections.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use forebay::bulletin::{Bulletin, Door, Notice};
use forebay_core::dispatch::{Candidate, IdlePool, SPILL_FLOOR, WaitQueue, choose};
use forebay_core::id::{Generation, WorkerId};
use forebay_core::time::Timestamp;
use forebay_transports::Endpoint;

const IN_FLIGHT_MAX: u32 = 1024;
const GENERATION: Generation = Generation(1);

fn choosing(c: &mut Criterion) {
    let mut group = c.benchmark_group("choose");
    for count in [2usize, 16, 64] {
        let mut bench = |name: &str, in_flight: u32| {
            group.bench_function(format!("{name}/{count} workers"), |b| {
                b.iter(|| {
                    let at = |i| Candidate { open: true, in_flight: in_flight + black_box(i as u32 & 1) };
                    choose(black_box(0), count, IN_FLIGHT_MAX, at)
                });
            });
        };
        bench("the own worker at low load", 0);
        bench("all busy", 4 * SPILL_FLOOR);
    }
    group.finish();
}

fn bulletin(slots: u16) -> Bulletin {
    let route = std::iter::once(0..slots).collect();
    let bulletin = Bulletin::new(route, 1, Box::new(|_, _| Endpoint::new("nowhere")));
    for slot in 0..slots {
        bulletin.publish(WorkerId(slot), Notice { generation: GENERATION, home: slot, door: Door::Open });
    }
    bulletin
}

fn entering(c: &mut Criterion) {
    let mut group = c.benchmark_group("bulletin");
    let board = bulletin(2);
    group.bench_function("enter and leave", |b| {
        b.iter(|| {
            let entered = board.enter(black_box(WorkerId(0)), IN_FLIGHT_MAX);
            board.leave(WorkerId(0));
            entered
        });
    });
    group.bench_function("look at a slot", |b| {
        b.iter(|| (board.notice(black_box(WorkerId(1))), board.in_flight(WorkerId(1))));
    });
    group.bench_function("count a finished exchange", |b| {
        b.iter(|| board.stats(0).observe(black_box(200), black_box(std::time::Duration::from_micros(700))));
    });
    group.finish();
}

fn waiting(c: &mut Criterion) {
    let mut group = c.benchmark_group("wait queue");
    for waiters in [0usize, 1000] {
        let mut queue = WaitQueue::new(waiters + 1);
        for _ in 0..waiters {
            queue.join(()).expect("there is room");
        }
        group.bench_function(format!("join and leave behind {waiters}"), |b| {
            b.iter(|| {
                let ticket = queue.join(()).expect("there is room");
                queue.leave(black_box(ticket))
            });
        });
    }
    group.finish();
}

fn keeping(c: &mut Criterion) {
    let mut group = c.benchmark_group("idle pool");
    let (now, later) = (Timestamp::from_nanos(1), Timestamp::from_nanos(1_000_000));
    for resting in [1usize, 512] {
        let mut pool = IdlePool::new(resting);
        for conn in 0..resting as u64 {
            pool.keep([conn; 4], GENERATION, later);
        }
        group.bench_function(format!("take and keep, {resting} resting"), |b| {
            b.iter(|| {
                let conn = pool.take(GENERATION, black_box(now)).expect("one rests there");
                pool.keep(conn, GENERATION, later)
            });
        });
        group.bench_function(format!("sweep, {resting} resting"), |b| {
            b.iter(|| pool.sweep(Some(GENERATION), black_box(now), |conn| conn[0] < u64::MAX));
        });
    }
    group.finish();
}

criterion_group!(benches, choosing, entering, waiting, keeping);
criterion_main!(benches);
