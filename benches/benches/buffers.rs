//! Buffers: what it costs to take memory, share it, queue it for a write and bring it home.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use forebay_core::buf::{Arena, ChunkSize, Pool, Queue, Slice};

/// As much as an exchange's state.
struct State([u64; 300]);

fn chunks(c: &mut Criterion) {
    let pool = Pool::new(16 << 20);
    let mut group = c.benchmark_group("chunk");
    for size in ChunkSize::ALL {
        group.bench_function(format!("take and drop/{size:?}"), |b| b.iter(|| drop(black_box(pool.take(size)))));
    }
    group.bench_function("take, put 100 bytes, freeze, drop", |b| {
        b.iter(|| {
            let mut chunk = pool.take(ChunkSize::Small);
            chunk.put(black_box(&[b'x'; 100])).expect("it fits");
            black_box(chunk.freeze())
        });
    });
    group.finish();
}

fn filled(pool: &Pool) -> Slice {
    let mut chunk = pool.take(ChunkSize::Small);
    chunk.put(&[b'x'; 400]).expect("it fits");
    chunk.freeze()
}

fn slices(c: &mut Criterion) {
    let pool = Pool::new(16 << 20);
    let slice = filled(&pool);
    let mut group = c.benchmark_group("slice");
    group.bench_function("clone and drop", |b| b.iter(|| black_box(&slice).clone()));
    group.bench_function("slice a range", |b| b.iter(|| black_box(&slice).slice(10..200)));
    group.bench_function("split", |b| {
        b.iter(|| {
            let mut rest = slice.clone();
            (rest.split_to(100), rest)
        });
    });
    group.finish();
}

fn queues(c: &mut Criterion) {
    let pool = Pool::new(16 << 20);
    let mut group = c.benchmark_group("queue");
    group.bench_function("head and body, written at once", |b| {
        let (head, body) = (filled(&pool), filled(&pool));
        b.iter(|| {
            let mut queue = Queue::new();
            queue.push(head.clone());
            queue.push(body.clone());
            queue.advance(black_box(queue.len()));
            queue
        });
    });
    group.bench_function("16 slices, written in 4", |b| {
        let parts: Vec<Slice> = (0..16).map(|_| filled(&pool)).collect();
        b.iter(|| {
            let mut queue: Queue = parts.iter().cloned().collect();
            while !queue.is_empty() {
                queue.advance(black_box(1600));
            }
            queue
        });
    });
    group.bench_function("a chunk in 16 parts that join", |b| {
        let whole = filled(&pool);
        b.iter(|| (0..16).map(|i| whole.slice(i * 25..(i + 1) * 25)).collect::<Queue>());
    });
    group.bench_function("from pool to pool", |b| {
        b.iter(|| {
            let mut queue = Queue::from(pool.take(ChunkSize::Medium).freeze());
            queue.push(filled(&pool));
            queue.advance(black_box(150));
            queue
        });
    });
    group.finish();
}

fn arena(c: &mut Criterion) {
    let arena = Arena::new(16);
    let mut group = c.benchmark_group("arena");
    group.bench_function("place and drop 2400 bytes", |b| {
        b.iter(|| {
            let placed = arena.place(State([black_box(7); 300]));
            black_box(placed.0[299])
        });
    });
    group.bench_function("box and drop 2400 bytes", |b| {
        b.iter(|| {
            let boxed = Box::new(State([black_box(7); 300]));
            black_box(boxed.0[299])
        });
    });
    group.finish();
}

criterion_group!(benches, chunks, slices, queues, arena);
criterion_main!(benches);
