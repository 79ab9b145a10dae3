//! Reading and writing allocate nothing once a connection is warm; and what a parked connection costs.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as tests do")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::net::TcpStream;

use forebay_core::buf::{ChunkSize, Pool, Queue};
use forebay_transports::monoio::{self, Monoio, Stream};
use forebay_transports::{Conn, Engine, EngineOptions, Listener};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static READ_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread.
struct Counting;

fn count(allocations: u64, bytes: i64) {
    // Both may be gone already when a thread ends.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + allocations));
    let _ = BYTES.try_with(|n| n.set(n.get() + bytes));
}

const fn signed(bytes: usize) -> i64 {
    bytes as i64
}

// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, signed(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, -signed(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, signed(size) - signed(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs a test in the engine, on a thread of its own.
fn run<F: Future<Output = ()>>(driver: &'static str, test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if driver == "epoll" {
            monoio::force_epoll_on_this_thread();
        }
        let main = || async {
            assert_eq!(Monoio::driver(), driver);
            test().await;
        };
        Monoio::run(&EngineOptions::default(), main)
    });
    let ran: io::Result<()> = thread.join().unwrap();
    ran.unwrap();
}

fn pair(listener: &std::net::TcpListener) -> (Stream, Stream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    (Stream::adopt(client).unwrap(), Stream::adopt(ours).unwrap())
}

async fn echo_once(client: &Stream, ours: &Stream, pool: &Pool) {
    let mut ping = pool.take(ChunkSize::Small);
    ping.put(b"ping").unwrap();
    let (result, _) = client.write(Queue::from(ping.freeze())).await;
    assert_eq!(result.unwrap(), 4);
    let (result, chunk) = ours.read(pool.take(ChunkSize::Small)).await;
    assert_eq!(result.unwrap(), 4);
    let mut queue = Queue::from(chunk.freeze());
    let mut tail = pool.take(ChunkSize::Medium);
    tail.put(b"pong").unwrap();
    queue.push(tail.freeze());
    let (result, rest) = ours.write(queue).await;
    assert_eq!((result.unwrap(), rest.len()), (8, 0));
    let (result, _) = client.read(pool.take(ChunkSize::Small)).await;
    assert_eq!(result.unwrap(), 8);
}

async fn steady_echo() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, ours) = pair(&listener);
    let pool = Pool::new(1 << 20);
    for _ in 0..10 {
        echo_once(&client, &ours, &pool).await;
    }
    let before = ALLOCATIONS.get();
    for _ in 0..1000 {
        echo_once(&client, &ours, &pool).await;
    }
    assert_eq!(ALLOCATIONS.get() - before, 0, "allocations in 2000 reads and 2000 writes");
}

#[test]
fn reads_and_writes_allocate_nothing_on_io_uring() {
    run("io_uring", steady_echo);
}

#[test]
fn reads_and_writes_allocate_nothing_on_epoll() {
    run("epoll", steady_echo);
}

/// A write that has to wait for the peer allocates nothing either.
async fn full_peer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, ours) = pair(&listener);
    let pool = Pool::new(64 << 20);
    let waits = std::rc::Rc::new(Cell::new(0));
    let (buffers, waited) = (pool.clone(), std::rc::Rc::clone(&waits));
    let (before, after) = (std::rc::Rc::new(Cell::new(0)), std::rc::Rc::new(Cell::new(u64::MAX)));
    let (start, end) = (std::rc::Rc::clone(&before), std::rc::Rc::clone(&after));
    Monoio::spawn(async move {
        for round in 0..400 {
            let mut chunk = buffers.take(ChunkSize::Large);
            chunk.put(&[7; 250_000]).unwrap();
            let mut queue = Queue::from(chunk.freeze());
            while !queue.is_empty() {
                let (result, rest) = client.write(queue).await;
                waited.set(waited.get() + u32::from(!rest.is_empty()));
                result.unwrap();
                queue = rest;
            }
            match round {
                200 => start.set(ALLOCATIONS.get()),
                399 => end.set(ALLOCATIONS.get()),
                _ => {}
            }
        }
    });
    let mut all = 0;
    while all < 100_000_000 {
        let (result, _) = ours.read(pool.take(ChunkSize::Large)).await;
        all += result.unwrap();
    }
    assert!(waits.get() > 10, "the peer was full {} times", waits.get());
    assert_eq!(after.get() - before.get(), 0);
}

#[test]
fn a_write_that_waits_allocates_nothing() {
    run("io_uring", full_peer);
    run("epoll", full_peer);
}

#[test]
fn sleeping_allocates_nothing() {
    run("io_uring", || async {
        let nap = || Monoio::sleep_until(Monoio::now() + std::time::Duration::from_micros(100));
        nap().await;
        let before = ALLOCATIONS.get();
        for _ in 0..20 {
            nap().await;
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

#[test]
fn a_parked_connection_costs_little() {
    run("io_uring", || async {
        const CONNECTIONS: i64 = 400;
        let bound = Monoio::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap().pop().unwrap();
        let address = Monoio::local_addr(&bound);
        let listener = Monoio::listen(bound).unwrap();
        let pool = Pool::new(0);
        let mut clients = Vec::with_capacity(1024);
        let mut parked = 0;
        let mut bytes = [0; 2];
        for checkpoint in &mut bytes {
            for _ in 0..CONNECTIONS {
                clients.push(TcpStream::connect(address).unwrap());
                let (conn, _) = listener.accept().await.unwrap();
                let chunk = pool.take(ChunkSize::Small);
                Monoio::spawn(async move {
                    let read = conn.read(chunk);
                    READ_BYTES.set(size_of_val(&read));
                    drop(read.await);
                });
                parked += 1;
            }
            Monoio::yield_now().await;
            *checkpoint = BYTES.get();
        }
        let each = (bytes[1] - bytes[0]) / CONNECTIONS;
        println!("{parked} parked connections: {each} bytes each, 512 of them the chunk, {} a read", READ_BYTES.get());
        assert!(each <= 1536 && READ_BYTES.get() <= 256, "{each} bytes, {} a read", READ_BYTES.get());
    });
}
