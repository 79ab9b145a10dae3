//! One worker's life through any history, then through a calm one: laws 5, 8 and 9.

use std::time::Duration;

use crate::input::Input;
use forebay_core::drain::Load;
use forebay_core::time::Timestamp;
use forebay_core::worker::{Action, Backoff, Door, Lifecycle, Policy, State, Want};

/// Operations of one input.
const OPERATIONS_MAX: usize = 500;

/// A slot with its clock, and what the shards and the operating system know of it.
struct World {
    life: Lifecycle,
    now: Timestamp,
    door: Door,
    exists: bool,
    last: Option<Action>,
    /// When the slot started a process by itself, not because somebody wanted one.
    restarts: Vec<Timestamp>,
}

/// A history of anything that can happen to a slot, each step held against the invariants.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let policy = policy(&mut input);
    let mut world = World {
        life: Lifecycle::new(policy.clone()),
        now: Timestamp::ZERO,
        door: Door::Shut,
        exists: false,
        last: None,
        restarts: Vec::new(),
    };
    for _ in 0..OPERATIONS_MAX {
        let Some(operation) = input.byte() else { break };
        let wished = world.happen(operation, &mut input);
        world.act(wished);
    }
    // Law 8: between two restarts lies three quarters of a delay, or a second of service.
    let delay_min = policy.backoff_min.max(Backoff::DELAY_MIN);
    let least = (delay_min * 3 / 4).min(Backoff::RECOVERED_AFTER);
    for pair in world.restarts.windows(2) {
        assert!(pair[1].since(pair[0]) >= least, "{:?} < {least:?}", pair[1].since(pair[0]));
    }
    // Law 9. At worst: a drain to the end, a process that must be killed, the longest delay, and a start.
    let bound = policy.drain_timeout.max(policy.tunnel_drain_timeout)
        + policy.stop_timeout
        + policy.start_timeout
        + policy.backoff_max.max(delay_min)
        + Duration::from_secs(2);
    world.heal(bound);
}

fn policy(input: &mut Input<'_>) -> Policy {
    let mut wait = |least: u16| Duration::from_millis(u64::from(input.word().max(least)));
    let backoff_min = wait(0);
    Policy {
        start_timeout: wait(1),
        drain_timeout: wait(0),
        tunnel_drain_timeout: wait(0),
        stop_timeout: wait(1),
        backoff_min,
        backoff_max: backoff_min + wait(0),
    }
}

impl World {
    /// Lets one thing happen; true if it was a wish.
    fn happen(&mut self, operation: u8, input: &mut Input<'_>) -> bool {
        let now = self.now;
        match operation % 16 {
            0..3 => {
                self.life.on_want(now, Want::ALL[input.below(Want::ALL.len())]);
                return true;
            }
            3..6 => {
                self.exists |= self.life.state().is_up();
                self.life.on_spawned(now);
            }
            6 => {
                self.exists = false;
                self.life.on_spawn_failed(now, u32::from(input.word()) << 16);
            }
            7..9 => self.life.on_listening(now),
            9 => self.life.on_refused(now),
            10..12 => {
                self.exists = false;
                self.life.on_exited(now, u32::from(input.word()) << 16);
            }
            12 => self.life.on_load(now, Load { in_flight: input.below(3) as u32, tunnels: input.below(3) as u32 }),
            13 => self.now = now + Duration::from_millis(u64::from(input.word())),
            14 => match input.below(3) {
                0 => self.life.on_broken(now),
                1 => self.life.on_stuck(now),
                _ => self.life.on_captured(now),
            },
            _ => self.pass_to_deadline(),
        }
        false
    }

    fn pass_to_deadline(&mut self) {
        if self.life.next_deadline() != Timestamp::NEVER {
            self.now = self.now.max(self.life.next_deadline());
        }
    }

    /// Does what the life cycle asks for, as shards and operating system would, and checks law 5.
    fn act(&mut self, wished: bool) {
        self.life.on_tick(self.now);
        while let Some(action) = self.life.poll_action() {
            match action {
                Action::Publish(door) => self.door = door,
                Action::Spawn => {
                    assert!(!self.exists, "a second process in one slot");
                    if !wished {
                        self.restarts.push(self.now);
                    }
                }
                Action::Probe | Action::Capture | Action::SendTerm | Action::SendKill | Action::Report(_) => {}
            }
            self.last = Some(action);
        }
        let state = self.life.state();
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
        self.life.on_want(self.now, Want::Run);
        self.act(true);
        for _ in 0..100 {
            assert!(self.now.since(began) <= bound, "{:?} after {:?}", self.life.state(), self.now.since(began));
            match self.life.state() {
                State::Ready => {
                    assert_eq!(self.door, Door::Open);
                    return;
                }
                State::Starting if self.exists => {
                    // Early enough for any start_timeout.
                    let patience = self.life.next_deadline().since(self.now);
                    self.now = self.now + patience.min(Duration::from_millis(100)) / 2;
                    self.life.on_listening(self.now);
                }
                State::Starting => {
                    self.exists = true;
                    self.life.on_spawned(self.now);
                }
                State::Stopping if matches!(self.last, Some(Action::SendTerm | Action::SendKill)) => {
                    self.now = self.now + Duration::from_millis(10);
                    self.exists = false;
                    self.life.on_exited(self.now, 0);
                }
                State::Draining => self.life.on_load(self.now, Load::default()),
                State::Stuck => self.life.on_captured(self.now),
                State::Stopping | State::Backoff | State::Down | State::Failed => self.pass_to_deadline(),
            }
            self.act(false);
        }
        panic!("no way out of {:?}", self.life.state());
    }
}
