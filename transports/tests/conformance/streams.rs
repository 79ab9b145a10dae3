//! [`Conn`]: reading, writing, ending and breaking. `a` is our end, `b` the other.

#![expect(clippy::extra_unused_type_parameters, reason = "all tests have one signature, for the macro")]

use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Waker};

use forebay_core::buf::{ChunkSize, Pool, Queue, Slice};
use forebay_transports::{Conn, Engine};

use crate::harness::{a_moment, eventually, holding, join, promptly, queue, read_up_to, write_all};

fn text(bytes: &'static [u8]) -> Queue {
    Queue::from(Slice::from_static(bytes))
}

/// Bytes that tell their position.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i % 251) as u8 ^ (i >> 16) as u8).collect()
}

/// Writes until the connection takes no more, and returns the write that waits, not yet complete, with what was
/// accepted before it.
async fn fill<'a, E: Engine>(
    conn: &'a impl Conn,
    pool: &Pool,
) -> (impl Future<Output = forebay_transports::Written> + 'a, usize) {
    let mut written = 0;
    loop {
        let mut write = Box::pin(conn.write(queue(pool, &[7; 32 * 1024])));
        let mut cx = Context::from_waker(Waker::noop());
        let polled = write.as_mut().poll(&mut cx);
        if let std::task::Poll::Ready((result, _)) = polled {
            written += result.unwrap();
            continue;
        }
        // It may wait for its turn rather than for the peer: a moment tells them apart.
        let mut timer = pin!(a_moment::<E>());
        let done = std::future::poll_fn(|cx| match write.as_mut().poll(cx) {
            std::task::Poll::Ready((result, _)) => std::task::Poll::Ready(Some(result.unwrap())),
            std::task::Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        })
        .await;
        match done {
            Some(count) => written += count,
            None => return (write, written),
        }
    }
}

pub(crate) async fn a_read_appends<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    write_all(&b, text(b" world")).await.unwrap();
    let (result, chunk) = a.read(holding(&pool, b"hello")).await;
    assert_eq!(result.unwrap(), 6);
    assert_eq!(&chunk[..], b"hello world");
}

pub(crate) async fn a_read_completes_with_what_is_there<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    write_all(&b, text(b"abc")).await.unwrap();
    let (result, chunk) = a.read(pool.take(ChunkSize::Large)).await;
    assert_eq!((result.unwrap(), &chunk[..]), (3, &b"abc"[..]));
}

pub(crate) async fn a_read_waits_for_the_first_byte<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    let mut read = pin!(a.read(pool.take(ChunkSize::Small)));
    assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let late = async {
        a_moment::<E>().await;
        write_all(&b, text(b"x")).await.unwrap();
    };
    let ((result, chunk), ()) = join(read, late).await;
    assert_eq!((result.unwrap(), &chunk[..]), (1, &b"x"[..]));
}

pub(crate) async fn a_read_fills_what_room_there_is<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    write_all(&b, text(b"abc")).await.unwrap();
    let full = vec![b'.'; ChunkSize::Small.capacity() - 1];
    let (result, chunk) = a.read(holding(&pool, &full)).await;
    assert_eq!((result.unwrap(), chunk.spare(), chunk.last()), (1, 0, Some(&b'a')));
    let (result, chunk) = a.read(pool.take(ChunkSize::Small)).await;
    assert_eq!((result.unwrap(), &chunk[..]), (2, &b"bc"[..]));
}

pub(crate) async fn the_end_comes_after_all_bytes<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    let bytes = pattern(40_000);
    write_all(&b, queue(&pool, &bytes)).await.unwrap();
    drop(b);
    assert!(promptly::<E, _>("the end", read_up_to(&a, &pool, usize::MAX)).await == bytes);
    let (again, chunk) = a.read(holding(&pool, b"kept")).await;
    assert_eq!((again.unwrap(), &chunk[..]), (0, &b"kept"[..]), "the end stays");
}

pub(crate) async fn finishing_leaves_the_other_direction_open<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    if !E::HALF_CLOSE {
        return;
    }
    write_all(&a, text(b"question")).await.unwrap();
    a.finish();
    assert_eq!(read_up_to(&b, &pool, usize::MAX).await, b"question");
    write_all(&b, text(b"answer")).await.unwrap();
    b.finish();
    assert_eq!(read_up_to(&a, &pool, usize::MAX).await, b"answer");
}

pub(crate) async fn nothing_is_written_after_finishing<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    if !E::HALF_CLOSE {
        return;
    }
    a.finish();
    let (result, rest) = a.write(queue(&pool, b"late")).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(rest.len(), 4, "what was not accepted comes back");
    drop(b);
}

pub(crate) async fn an_abort_completes_a_read_in_flight<E: Engine, A: Conn, B: Conn>(a: A, _b: B, pool: Pool) {
    let mut read = pin!(a.read(holding(&pool, b"kept")));
    assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let late = async {
        a_moment::<E>().await;
        a.abort();
    };
    let ((result, chunk), ()) = promptly::<E, _>("the read", join(read, late)).await;
    assert!(matches!(result, Ok(0) | Err(_)), "{result:?}");
    assert_eq!(&chunk[..], b"kept");
}

pub(crate) async fn an_abort_completes_a_write_in_flight<E: Engine, A: Conn, B: Conn>(a: A, _b: B, pool: Pool) {
    let (write, written) = fill::<E>(&a, &pool).await;
    assert!(written > 0);
    a.abort();
    let (result, rest) = promptly::<E, _>("the write", write).await;
    assert!(result.is_err() && !rest.is_empty(), "{result:?}");
}

pub(crate) async fn after_an_abort_operations_complete_at_once<E: Engine, A: Conn, B: Conn>(a: A, _b: B, pool: Pool) {
    a.abort();
    a.abort();
    a.finish();
    let (result, _) = promptly::<E, _>("a read", a.read(pool.take(ChunkSize::Small))).await;
    assert!(matches!(result, Ok(0) | Err(_)), "{result:?}");
    let (result, _) = promptly::<E, _>("a write", a.write(text(b"late"))).await;
    assert!(result.is_err());
    assert!(!a.is_quiet());
}

pub(crate) async fn an_abort_ends_the_peers_stream<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    write_all(&a, text(b"last words")).await.unwrap();
    a.abort();
    assert_eq!(promptly::<E, _>("the end", read_up_to(&b, &pool, usize::MAX)).await, b"last words");
}

pub(crate) async fn a_reset_completes_what_is_in_flight<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    let (write, _) = fill::<E>(&a, &pool).await;
    let mut read = pin!(a.read(holding(&pool, b"kept")));
    assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let late = async {
        a_moment::<E>().await;
        a.reset();
    };
    let (((result, chunk), (written, rest)), ()) = promptly::<E, _>("both", join(join(read, write), late)).await;
    assert!(matches!(result, Ok(0) | Err(_)), "{result:?}");
    assert_eq!(&chunk[..], b"kept");
    assert!(written.is_err() && !rest.is_empty(), "{written:?}");
    drop(b);
}

pub(crate) async fn after_a_reset_operations_complete_at_once<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    write_all(&b, text(b"unread")).await.unwrap();
    a.reset();
    a.reset();
    a.abort();
    a.finish();
    let (result, _) = promptly::<E, _>("a write", a.write(text(b"late"))).await;
    assert!(result.is_err());
    // Bytes that had arrived may still come.
    let read = async { while matches!(a.read(pool.take(ChunkSize::Small)).await.0, Ok(1..)) {} };
    promptly::<E, _>("reads", read).await;
    assert!(!a.is_quiet());
    drop(a);
    let read = async { while matches!(b.read(pool.take(ChunkSize::Small)).await.0, Ok(1..)) {} };
    promptly::<E, _>("the peer's reads", read).await;
}

pub(crate) async fn a_quiet_connection_is_open_and_has_nothing_to_read<E: Engine, A: Conn, B: Conn>(
    a: A,
    b: B,
    pool: Pool,
) {
    assert!(a.is_quiet() && b.is_quiet());
    write_all(&b, text(b"x")).await.unwrap();
    eventually::<E>("bytes are noticed", || !a.is_quiet()).await;
    assert_eq!(read_up_to(&a, &pool, 1).await, b"x", "looking takes nothing away");
    assert!(a.is_quiet());
    drop(b);
    eventually::<E>("the end is noticed", || !a.is_quiet()).await;
}

pub(crate) async fn short_writes_carry_every_byte_in_order<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    let bytes = pattern(8 << 20);
    let writing = async {
        write_all(&a, queue(&pool, &bytes)).await.unwrap();
        drop(a);
    };
    let ((), read) = promptly::<E, _>("all bytes", join(writing, read_up_to(&b, &pool, usize::MAX))).await;
    assert!(read == bytes, "{} of {} bytes, or not the same", read.len(), bytes.len());
}

pub(crate) async fn a_burst_of_writes_is_as_many_writes<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    let bytes = pattern(1 << 20);
    let writing = async {
        for piece in bytes.chunks(5000) {
            E::expect_writes(8);
            write_all(&a, queue(&pool, piece)).await.unwrap();
        }
        drop(a);
    };
    let ((), read) = promptly::<E, _>("all bytes", join(writing, read_up_to(&b, &pool, usize::MAX))).await;
    assert!(read == bytes, "{} of {} bytes, or not the same", read.len(), bytes.len());
}

/// Writes one slice after the other, as a burst, until an error.
async fn burst_until_error<E: Engine>(conn: &impl Conn, pool: &Pool) {
    loop {
        E::expect_writes(8);
        let (result, rest) = conn.write(queue(pool, &[7; 8000])).await;
        if result.is_err() {
            assert_eq!(rest.len(), 8000, "what was not accepted comes back");
            return;
        }
    }
}

pub(crate) async fn a_burst_ends_with_its_connection<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    let late = async {
        a_moment::<E>().await;
        a.abort();
    };
    promptly::<E, _>("an aborted burst", join(burst_until_error::<E>(&a, &pool), late)).await;
    drop(a);
    promptly::<E, _>("a burst to nobody", burst_until_error::<E>(&b, &pool)).await;
}

pub(crate) async fn a_reset_ends_a_burst<E: Engine, A: Conn, B: Conn>(a: A, _b: B, pool: Pool) {
    let late = async {
        a_moment::<E>().await;
        a.reset();
    };
    promptly::<E, _>("the burst", join(burst_until_error::<E>(&a, &pool), late)).await;
}

pub(crate) async fn a_write_takes_from_the_front_and_keeps_the_rest<E: Engine, A: Conn, B: Conn>(
    a: A,
    b: B,
    pool: Pool,
) {
    // More slices than one call takes, and none joined with the next: each is a chunk of its own.
    let slices = Queue::SLICES_MAX * 2 + 1;
    let parts: Queue = (0..slices).map(|i| holding(&pool, &[i as u8; 3]).freeze()).collect();
    assert_eq!(parts.slices().len(), slices);
    let expected: Vec<u8> = (0..slices).flat_map(|i| [i as u8; 3]).collect();
    write_all(&a, parts).await.unwrap();
    assert_eq!(read_up_to(&b, &pool, expected.len()).await, expected);
}

pub(crate) async fn a_dead_peer_is_an_error<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    drop(b);
    // The first bytes may still be accepted: over TCP only their answer tells that nobody is there.
    let write_until_error = async {
        loop {
            let (result, rest) = a.write(queue(&pool, b"anyone?")).await;
            match result {
                Ok(count) => assert!(count > 0),
                Err(error) => return (error, rest),
            }
            a_moment::<E>().await;
        }
    };
    let (error, rest) = promptly::<E, _>("an error", write_until_error).await;
    let expected = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::WriteZero];
    assert!(expected.contains(&error.kind()), "{error:?}");
    assert_eq!(rest.len(), 7);
}

pub(crate) async fn a_peer_that_left_bytes_unread_is_an_error<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    write_all(&a, text(b"never read")).await.unwrap();
    eventually::<E>("the bytes are there", || !b.is_quiet()).await;
    drop(b);
    let (result, chunk) = promptly::<E, _>("an error", a.read(holding(&pool, b"kept"))).await;
    assert_eq!(&chunk[..], b"kept");
    // A pipe just ends.
    if E::HALF_CLOSE || result.is_err() {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}

pub(crate) async fn both_directions_are_independent<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    let (there, back) = (pattern(3 << 20), pattern(2 << 20));
    let ours = join(write_all(&a, queue(&pool, &there)), read_up_to(&a, &pool, back.len()));
    let theirs = join(write_all(&b, queue(&pool, &back)), read_up_to(&b, &pool, there.len()));
    let ((sent, got_back), (answered, got_there)) = promptly::<E, _>("both", join(ours, theirs)).await;
    sent.unwrap();
    answered.unwrap();
    assert!(got_there == there && got_back == back);
}

pub(crate) async fn a_read_dropped_in_flight_harms_nothing<E: Engine, A: Conn, B: Conn>(a: A, b: B, pool: Pool) {
    {
        let mut read = pin!(a.read(holding(&pool, b"lost")));
        assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    eventually::<E>("the chunk comes home", || pool.stats().away == [0; 3]).await;
    write_all(&b, text(b"x")).await.unwrap();
    let (result, chunk) = a.read(pool.take(ChunkSize::Small)).await;
    assert_eq!((result.unwrap(), &chunk[..]), (1, &b"x"[..]));
}
