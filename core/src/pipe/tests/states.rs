//! The state machine: single rules by hand. Whole histories are in the fuzz package, by its model.

use super::super::*;

const OPEN: Signal = Signal::Request { body: 0, ends: false, upgrade: false };
const WHOLE: Signal = Signal::Response { body: 0, ends: true, stop: false };

fn pair() -> (Streams, Streams) {
    (Streams::new(Role::Front, 8, 4096, 4096), Streams::new(Role::Worker, 8, 4096, 4096))
}

#[test]
fn a_late_window_does_not_reach_the_slots_next_use() {
    let (mut front, mut worker) = pair();
    let id = front.open(0, false, false).unwrap();
    worker.receive(id, OPEN).unwrap();
    front.send(id, Signal::Data(4096)).unwrap();
    worker.receive(id, Signal::Data(4096)).unwrap();
    worker.send(id, WHOLE).unwrap();
    worker.on_used(id, 4096);
    let credit = worker.poll_grant(id).unwrap();
    front.receive(id, WHOLE).unwrap();
    assert!(front.send(id, Signal::End { stop: false }).unwrap().closed);
    let next = front.open(0, false, false).unwrap();
    assert_eq!((next.slot(), next.usage()), (id.slot(), id.usage() + 1));
    assert!(!front.receive(id, Signal::Window(credit)).unwrap().deliver);
    assert_eq!(front.credit(next), 4096);
    assert_eq!(front.receive(id, Signal::Data(1)), Err(Error::BadStream));
}

#[test]
fn a_cancel_that_crosses_the_answer_is_dropped() {
    let (mut front, mut worker) = pair();
    let id = front.open(0, true, false).unwrap();
    worker.receive(id, Signal::Request { body: 0, ends: true, upgrade: false }).unwrap();
    assert!(worker.send(id, WHOLE).unwrap().closed);
    assert!(!front.send(id, Signal::Reset).unwrap().closed);
    assert_eq!(front.send(id, Signal::Reset), Err(Misuse::State));
    assert_eq!(worker.receive(id, Signal::Reset).unwrap(), Outcome::default());
    let late = front.receive(id, WHOLE).unwrap();
    assert_eq!((late.deliver, late.closed), (false, true));
}

#[test]
fn a_reset_is_answered_by_who_has_not_finished() {
    let (mut front, mut worker) = pair();
    let id = front.open(0, false, false).unwrap();
    worker.receive(id, OPEN).unwrap();
    worker.send(id, Signal::Reset).unwrap();
    assert_eq!(worker.send(id, Signal::Reset), Err(Misuse::State));
    front.send(id, Signal::Data(10)).unwrap();
    let outcome = front.receive(id, Signal::Reset).unwrap();
    assert_eq!(outcome, Outcome { deliver: true, answer: true, closed: true });
    assert!(!worker.receive(id, Signal::Data(10)).unwrap().deliver);
    assert!(worker.receive(id, Signal::Reset).unwrap().closed);
}

#[test]
fn stop_makes_the_front_give_up_the_request_only() {
    let (mut front, mut worker) = pair();
    let id = front.open(0, false, false).unwrap();
    worker.receive(id, OPEN).unwrap();
    let stop = Signal::Response { body: 0, ends: true, stop: true };
    assert!(!worker.send(id, stop).unwrap().closed);
    assert_eq!(front.receive(id, stop).unwrap(), Outcome { deliver: true, answer: true, closed: true });
    assert!(worker.receive(id, Signal::Reset).unwrap().closed);
}

#[test]
fn an_offered_stream_waits_for_the_worker() {
    let (mut front, mut worker) = pair();
    let id = front.open(0, false, true).unwrap();
    let offered = Signal::Request { body: 0, ends: false, upgrade: true };
    worker.receive(id, offered).unwrap();
    assert_eq!(front.send(id, Signal::Data(1)), Err(Misuse::State));
    assert_eq!(worker.receive(id, Signal::Data(1)), Err(Error::BadState));
    worker.send(id, Signal::Raw).unwrap();
    front.receive(id, Signal::Raw).unwrap();
    front.send(id, Signal::Data(1)).unwrap();
    worker.receive(id, Signal::Data(1)).unwrap();
    let plain = front.open(0, true, false).unwrap();
    assert_eq!(front.receive(plain, Signal::Raw), Err(Error::BadState));
}

#[test]
fn bounds_are_kept() {
    let (mut front, mut worker) = pair();
    let ids: Vec<_> = (0..8).map(|_| front.open(0, true, false).unwrap()).collect();
    assert_eq!(front.open(0, true, false), Err(Misuse::NoSlot));
    assert_eq!(worker.open(0, true, false), Err(Misuse::State));
    assert_eq!(worker.receive(StreamId::new(9, 0), OPEN), Err(Error::BadStream));
    assert_eq!(worker.receive(StreamId::new(1, 0), Signal::Data(1)), Err(Error::BadStream));
    worker.receive(ids[0], OPEN).unwrap();
    assert_eq!(worker.receive(ids[0], OPEN), Err(Error::BadState));
    assert_eq!(worker.receive(ids[0], Signal::Data(4097)), Err(Error::CreditExceeded));
    assert_eq!(worker.send(ids[0], Signal::Response { body: 4097, ends: true, stop: false }), Err(Misuse::Credit));
    assert_eq!(
        worker.receive(ids[1], Signal::Request { body: 4097, ends: true, upgrade: false }),
        Err(Error::CreditExceeded)
    );
    assert_eq!(front.open_count(), 8);
}

/// Every frame in every state of its sender's half, as `PROTOCOL.md` has it.
#[test]
fn the_whole_table() {
    use super::super::signal::{Half, front_half, worker_half};
    let signals = [
        ("RESPONSE", Signal::Response { body: 0, ends: false, stop: false }),
        ("RESPONSE+END", WHOLE),
        ("INFORM", Signal::Inform),
        ("RAW", Signal::Raw),
        ("DATA", Signal::Data(1)),
        ("END", Signal::End { stop: false }),
        ("END+STOP", Signal::End { stop: true }),
        ("RESET", Signal::Reset),
        ("WINDOW", Signal::Window(1)),
    ];
    let mut table = String::new();
    for (name, signal) in signals {
        let cell = |next: Option<Half>| next.map_or("-".into(), |half| format!("{half:?}"));
        let front = [Half::Held, Half::Body, Half::Done].map(|half| cell(front_half(half, signal)));
        let worker = [Half::Head, Half::Body, Half::Done].map(|half| cell(worker_half(half, true, signal)));
        table += &format!("| {name} | {} | {} |\n", front.join(" | "), worker.join(" | "));
    }
    let document = include_str!("../PROTOCOL.md");
    assert!(document.contains(&table), "PROTOCOL.md does not have\n{table}");
}
