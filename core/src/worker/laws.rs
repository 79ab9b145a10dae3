//! Laws 5, 8 and 9 over whatever can happen to a slot.

use core::time::Duration;

use proptest::prelude::*;

use super::backoff::Backoff;
use super::lifecycle::{Lifecycle, Policy};
use super::table::{Action, Door, State, Want};
use crate::drain::Load;
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug)]
enum Op {
    Want(Want),
    Spawned,
    SpawnFailed(u32),
    Listening,
    Refused,
    Broken,
    Stuck,
    Captured,
    Exited(u32),
    Load(u32, u32),
    Pass(u64),
    PassToDeadline,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => proptest::sample::select(&Want::ALL[..]).prop_map(Op::Want),
        3 => Just(Op::Want(Want::Run)),
        6 => Just(Op::Spawned),
        1 => any::<u32>().prop_map(Op::SpawnFailed),
        6 => Just(Op::Listening),
        1 => Just(Op::Refused),
        1 => Just(Op::Broken),
        1 => Just(Op::Stuck),
        1 => Just(Op::Captured),
        4 => any::<u32>().prop_map(Op::Exited),
        2 => (0..3u32, 0..3u32).prop_map(|(f, t)| Op::Load(f, t)),
        4 => (0..5_000u64).prop_map(Op::Pass),
        6 => Just(Op::PassToDeadline),
    ];
    prop::collection::vec(op, 0..200)
}

fn policies() -> impl Strategy<Value = Policy> {
    (1..500u64, 1..40u64, 0..5_000u64, 0..5_000u64, 1..5_000u64).prop_map(|(min, factor, drain, tunnels, stop)| {
        let ms = Duration::from_millis;
        Policy {
            start_timeout: ms(3_000),
            drain_timeout: ms(drain),
            tunnel_drain_timeout: ms(tunnels),
            stop_timeout: ms(stop),
            backoff_min: ms(min),
            backoff_max: ms(min * factor),
        }
    })
}

/// A slot with its clock, and what the shards and the operating system know of it.
struct World {
    life: Lifecycle,
    now: Timestamp,
    door: Door,
    exists: bool,
    asked: Vec<Action>,
    /// When the slot was started by itself, not because somebody wanted it.
    restarts: Vec<Timestamp>,
}

impl World {
    fn new(policy: Policy) -> Self {
        Self {
            life: Lifecycle::new(policy),
            now: Timestamp::ZERO,
            door: Door::Shut,
            exists: false,
            asked: Vec::new(),
            restarts: Vec::new(),
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Want(want) => self.life.on_want(self.now, want),
            Op::Spawned if self.life.state().is_up() => {
                self.exists = true;
                self.life.on_spawned(self.now);
            }
            Op::Spawned => self.life.on_spawned(self.now),
            Op::SpawnFailed(random) => {
                self.exists = false;
                self.life.on_spawn_failed(self.now, random);
            }
            Op::Listening => self.life.on_listening(self.now),
            Op::Refused => self.life.on_refused(self.now),
            Op::Broken => self.life.on_broken(self.now),
            Op::Stuck => self.life.on_stuck(self.now),
            Op::Captured => self.life.on_captured(self.now),
            Op::Exited(random) => {
                self.exists = false;
                self.life.on_exited(self.now, random);
            }
            Op::Load(in_flight, tunnels) => self.life.on_load(self.now, Load { in_flight, tunnels }),
            Op::Pass(ms) => self.now = self.now + Duration::from_millis(ms),
            Op::PassToDeadline => {
                if self.life.next_deadline() != Timestamp::NEVER {
                    self.now = self.now.max(self.life.next_deadline());
                }
            }
        }
        self.life.on_tick(self.now);
        while let Some(action) = self.life.poll_action() {
            match action {
                Action::Publish(door) => self.door = door,
                Action::Spawn => {
                    assert!(!self.exists, "a second process in one slot");
                    if !matches!(op, Op::Want(_)) {
                        self.restarts.push(self.now);
                    }
                }
                Action::Probe | Action::Capture | Action::SendTerm | Action::SendKill | Action::Report(_) => {}
            }
            self.asked.push(action);
        }
        self.check();
    }

    fn check(&self) {
        let state = self.life.state();
        // Law 5.
        assert!(self.door != Door::Open || state == State::Ready, "open while {state:?}");
        assert!(state != State::Ready || self.door == Door::Open || self.life.want() != Want::Run);
        assert!(!self.exists || state.is_up(), "a process is forgotten in {state:?}");
        let waits = match state {
            State::Starting | State::Draining | State::Stuck | State::Stopping | State::Backoff => true,
            State::Down | State::Ready | State::Failed => false,
        };
        assert_eq!(waits, self.life.next_deadline() != Timestamp::NEVER, "{state:?} must have a bound");
    }

    /// Nothing goes wrong any more: processes start, listen after 100 ms and end 10 ms after they are asked to.
    fn heal(&mut self, bound: Duration) {
        let began = self.now;
        self.step(Op::Want(Want::Run));
        let mut steps = 0;
        while self.life.state() != State::Ready {
            steps += 1;
            assert!(steps < 100, "no way out of {:?}", self.life.state());
            assert!(self.now.since(began) <= bound, "{:?} after {:?}", self.life.state(), self.now.since(began));
            match self.life.state() {
                State::Starting if self.exists => {
                    self.step(Op::Pass(100));
                    self.step(Op::Listening);
                }
                State::Starting => self.step(Op::Spawned),
                State::Stopping if matches!(self.asked.last(), Some(Action::SendTerm | Action::SendKill)) => {
                    self.step(Op::Pass(10));
                    self.step(Op::Exited(0));
                }
                State::Draining => self.step(Op::Load(0, 0)),
                State::Stuck => self.step(Op::Captured),
                State::Stopping | State::Backoff | State::Down | State::Failed => self.step(Op::PassToDeadline),
                State::Ready => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn laws_5_and_8_hold_over_any_history(policy in policies(), ops in ops()) {
        let (min, max) = (policy.backoff_min.max(Backoff::DELAY_MIN), policy.backoff_max.max(Backoff::DELAY_MIN));
        let mut world = World::new(policy);
        for op in ops {
            world.step(op);
        }
        // Law 8: between two restarts lies ¾ of a delay, or a second of service.
        let least = (min * 3 / 4).min(Backoff::RECOVERED_AFTER);
        for pair in world.restarts.windows(2) {
            prop_assert!(pair[1].since(pair[0]) >= least, "{:?} < {least:?}", pair[1].since(pair[0]));
        }
        prop_assert!(max >= min);
    }

    #[test]
    fn law_8_a_worker_that_always_fails_slows_down_to_the_maximum(policy in policies(), randoms in prop::collection::vec(any::<u32>(), 64)) {
        let (min, max) = (policy.backoff_min.max(Backoff::DELAY_MIN), policy.backoff_max.max(Backoff::DELAY_MIN));
        let mut world = World::new(policy);
        world.step(Op::Want(Want::Run));
        for &random in &randoms {
            world.step(Op::Spawned);
            world.step(Op::Exited(random));
            world.step(Op::PassToDeadline);
        }
        prop_assert_eq!(world.restarts.len(), randoms.len(), "it never gives up");
        for (i, pair) in world.restarts.windows(2).enumerate() {
            let full = min.saturating_mul(1 << (i + 1).min(20)).min(max);
            let gap = pair[1].since(pair[0]);
            prop_assert!(gap >= full * 3 / 4 && gap <= full, "restart {}: {gap:?} of {full:?}", i + 1);
        }
    }

    #[test]
    fn law_9_a_wanted_worker_becomes_ready_once_faults_stop(policy in policies(), ops in ops()) {
        // At worst: a drain to the end, a process that must be killed, the longest delay, and a start.
        let bound = policy.drain_timeout.max(policy.tunnel_drain_timeout)
            + policy.stop_timeout
            + policy.start_timeout
            + policy.backoff_max.max(Backoff::DELAY_MIN)
            + Duration::from_secs(2);
        let mut world = World::new(policy);
        for op in ops {
            world.step(op);
        }
        world.heal(bound);
        prop_assert_eq!(world.door, Door::Open);
    }
}
