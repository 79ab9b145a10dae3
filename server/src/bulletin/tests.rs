//! What is published is what is read, and counts come out even.

use super::*;

fn bulletin() -> Bulletin {
    Bulletin::new(vec![0..2, 2..3], 1, Box::new(|w, g| Endpoint::new(format!("{w}-{}", g.0))))
}

#[test]
fn notices_survive_packing() {
    let b = bulletin();
    for door in [Door::Shut, Door::Open, Door::Draining] {
        let notice = Notice { generation: Generation(u32::MAX), home: u16::MAX, door };
        b.publish(WorkerId(2), notice);
        assert_eq!(b.notice(WorkerId(2)), notice);
    }
}

#[test]
fn only_open_slots_with_room_are_entered() {
    let (b, w) = (bulletin(), WorkerId(1));
    let publish = |door| b.publish(w, Notice { generation: Generation(7), home: 0, door });
    assert_eq!(b.enter(w, 2), None);
    publish(Door::Open);
    assert_eq!((b.enter(w, 2), b.enter(w, 2), b.enter(w, 2)), (Some(Generation(7)), Some(Generation(7)), None));
    publish(Door::Draining);
    b.into_tunnel(w);
    assert_eq!((b.in_flight(w), b.tunnels(w), b.enter(w, 2)), (1, 1, None));
    b.leave(w);
    b.leave_tunnel(w);
    assert_eq!((b.in_flight(w), b.tunnels(w), b.requests(w)), (0, 0, 2));
}

#[test]
fn only_slots_in_use_are_looked_at() {
    let b = bulletin();
    b.set_used(0, 1);
    assert_eq!((b.route(0), b.room(0), b.slots()), (0..1, 0..2, 3));
    assert_eq!(b.in_use().collect::<Vec<_>>(), [WorkerId(0), WorkerId(2)]);
    b.set_used(0, 9);
    assert_eq!(b.route(0), 0..2, "not the next route's");
}

#[test]
fn the_origin_is_no_worker() {
    let b = bulletin().with_origin();
    assert_eq!((b.origin(), b.route(2), b.slots()), (Some(2), 3..4, 5));
    assert_eq!((b.debuggee(), b.route(3)), (Some(3), 4..5));
    assert_eq!(b.in_use().count(), 3);
    let notice = Notice { generation: Generation(1), home: 0, door: Door::Open };
    b.publish(WorkerId(3), notice);
    assert_eq!(b.whose("w3-1", Generation(1)), None);
    assert_eq!(b.whose("w2-1", Generation(1)), Some((WorkerId(2), Generation(1))));
    // A server that stops waits for its answers too.
    assert!(b.enter(WorkerId(3), 1).is_some());
    assert_eq!(b.left().in_flight, 1);
}

#[test]
fn latencies_fall_into_their_buckets() {
    let s = ShardStats::default();
    s.observe(200, Duration::from_micros(100));
    s.observe(503, Duration::from_micros(101));
    s.observe(0, Duration::from_secs(3600));
    let n = |c: &AtomicU64| c.load(Relaxed);
    assert_eq!((n(&s.latency[0]), n(&s.latency[1]), n(&s.latency[16])), (1, 1, 1));
    assert_eq!((n(&s.responses[2]), n(&s.responses[5]), n(&s.responses[0])), (1, 1, 1));
}
