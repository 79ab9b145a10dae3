//! What a relay holds is bounded, whatever comes in which pieces.

use forebay_core::http1::{RequestHead, judge_request};

use super::*;
use crate::shard::marks::Unmarked;
use forebay_core::limits::Limits;

#[test]
fn a_client_that_does_not_read_what_comes_byte_by_byte_does_not_cost_a_chunk_a_byte() {
    let (pool, live) = (Pool::new(0), Live::plain(Limits::default(), None));
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    let facts = judge_request(&RequestHead::parse(head, 10).unwrap()).unwrap();
    let mut relay = Relay::new(&pool, &live, Timestamp::ZERO, facts);
    let terms = Terms { may_keep_alive: true, date: &[b' '; 29], now: Timestamp::ZERO, mark: &Unmarked };
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    for byte in answer.iter().chain(&[b'x'; 50_000]) {
        let mut chunk = pool.take(ChunkSize::Medium);
        chunk.put(&[*byte]).unwrap();
        relay.on_raw(&Queue::from(chunk.freeze()), &terms).unwrap();
        relay.squeeze();
        let most = Queue::PINNED_PER_BYTE_MAX * live.limits.window_bytes as usize;
        assert!(pool.stats().away_bytes() <= most + 2 * ChunkSize::Medium.allocation());
    }
    assert!(relay.is_tunnel() && relay.to_client.len() > 50_000);
}

#[test]
fn a_body_that_comes_byte_by_byte_is_not_held_at_a_chunk_a_byte() {
    let (pool, live) = (Pool::new(0), Live::plain(Limits::default(), None));
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n";
    let facts = judge_request(&RequestHead::parse(head, 10).unwrap()).unwrap();
    let mut relay = Relay::new(&pool, &live, Timestamp::ZERO, facts);
    for _ in 0..10_000 {
        let mut chunk = pool.take(ChunkSize::Small);
        chunk.put(b"x").unwrap();
        relay.on_client_bytes(chunk.freeze()).unwrap();
        relay.to_worker.clear();
        assert!(pool.stats().away_bytes() <= (Queue::SLICES_MAX + 1) * ChunkSize::Small.allocation());
    }
    assert!(relay.request_done && !relay.is_held());
}
