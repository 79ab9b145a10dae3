//! One slot's life: applies the rows of the table, and keeps its deadline, its drain and its backoff.
//!
//! The supervisor says what happened (`on_*`), then takes actions until there are none ([`Lifecycle::poll_action`]),
//! and comes back at [`Lifecycle::next_deadline`] at the latest.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::backoff::Backoff;
use super::table::{Action, Input, State, Want, find};
use crate::drain::{Drain, Load, Verdict};
use crate::id::Generation;
use crate::time::Timestamp;

/// The waits of one worker's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// From start to listening. Beyond: killed.
    pub start_timeout: Duration,
    /// For requests in flight when it is replaced. Beyond: cut.
    pub drain_timeout: Duration,
    /// For upgraded connections when it is replaced. Beyond: cut.
    pub tunnel_drain_timeout: Duration,
    /// From SIGTERM to SIGKILL, and between repeated SIGKILLs.
    pub stop_timeout: Duration,
    /// First delay before a restart.
    pub backoff_min: Duration,
    /// Longest delay before a restart.
    pub backoff_max: Duration,
}

/// One slot of the worker table.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    want: Want,
    state: State,
    policy: Policy,
    backoff: Backoff,
    generation: Generation,
    deadline: Timestamp,
    drain: Option<Drain>,
    ready_since: Timestamp,
    recovered: bool,
    actions: VecDeque<Action>,
}

impl Lifecycle {
    /// Least time between two attempts to kill a process that will not go, whatever `stop_timeout` says.
    const KILL_AGAIN_AFTER: Duration = Duration::from_secs(1);

    /// What it may take to find out what a stuck process hangs in. 7 s: the one who looks gives up sooner.
    const CAPTURE_MAX: Duration = Duration::from_secs(7);

    /// An empty slot of which nothing is wanted.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            want: Want::Stop,
            state: State::Down,
            backoff: Backoff::new(policy.backoff_min, policy.backoff_max),
            policy,
            generation: Generation::default(),
            deadline: Timestamp::NEVER,
            drain: None,
            ready_since: Timestamp::NEVER,
            recovered: false,
            actions: VecDeque::new(),
        }
    }

    /// What is there.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What is wanted.
    #[must_use]
    pub fn want(&self) -> Want {
        self.want
    }

    /// The process that is there, or was there last.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// Whether the process has been ready for so long that another one may be started at once in its place.
    #[must_use]
    pub fn has_recovered(&self, now: Timestamp) -> bool {
        self.state == State::Ready && now.since(self.ready_since) >= Backoff::RECOVERED_AFTER
    }

    /// When [`on_tick`](Lifecycle::on_tick) has something to do, at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Timestamp {
        self.deadline
    }

    /// What is to be done next, if anything.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// New waits, for everything that begins from now on.
    pub fn set_policy(&mut self, policy: Policy) {
        if self.policy != policy {
            self.backoff = Backoff::new(policy.backoff_min, policy.backoff_max);
            self.policy = policy;
        }
    }

    /// Something is wanted of the slot.
    pub fn on_want(&mut self, now: Timestamp, want: Want) {
        self.want = want;
        self.apply(Input::Wanted, now, 0);
    }

    /// The process asked for exists.
    pub fn on_spawned(&mut self, now: Timestamp) {
        self.apply(Input::Spawned, now, 0);
    }

    /// The process asked for could not be made. `random` is uniform over `u32`.
    pub fn on_spawn_failed(&mut self, now: Timestamp, random: u32) {
        self.apply(Input::SpawnFailed, now, random);
    }

    /// The process accepts connections.
    pub fn on_listening(&mut self, now: Timestamp) {
        self.apply(Input::Listening, now, 0);
    }

    /// The process accepts connections no more.
    pub fn on_refused(&mut self, now: Timestamp) {
        self.apply(Input::Refused, now, 0);
    }

    /// The process broke the protocol that it is fed by.
    pub fn on_broken(&mut self, now: Timestamp) {
        self.apply(Input::Broken, now, 0);
    }

    /// The process's event loop does not turn.
    pub fn on_stuck(&mut self, now: Timestamp) {
        self.apply(Input::Stuck, now, 0);
    }

    /// What the stuck process hangs in is known, or cannot be.
    pub fn on_captured(&mut self, now: Timestamp) {
        self.apply(Input::Captured, now, 0);
    }

    /// The process ended. `random` is uniform over `u32`.
    pub fn on_exited(&mut self, now: Timestamp, random: u32) {
        self.apply(Input::Exited, now, random);
    }

    /// What the process still has to do; only a drain cares.
    pub fn on_load(&mut self, now: Timestamp, load: Load) {
        let (State::Draining, Some(drain)) = (self.state, &self.drain) else { return };
        match drain.poll(now, load) {
            Verdict::Wait(until) => self.deadline = until,
            Verdict::Done => self.apply(Input::Drained, now, 0),
            Verdict::Cut(_) => self.apply(Input::DrainCut, now, 0),
        }
    }

    /// Time has passed. A drain's deadline is [`on_load`](Lifecycle::on_load)'s.
    pub fn on_tick(&mut self, now: Timestamp) {
        if now >= self.deadline && self.state != State::Draining {
            self.apply(Input::Deadline, now, 0);
        }
    }

    fn apply(&mut self, input: Input, now: Timestamp, random: u32) {
        let Some(row) = find(self.state, input, self.want) else { return };
        self.actions.extend(row.actions);
        if self.state == State::Ready && row.to() != State::Ready {
            self.recovered |= self.has_recovered(now);
        }
        if row.actions.contains(&Action::Spawn) {
            self.generation = self.generation.next();
            self.recovered = false;
        }
        if row.to() != self.state || input == Input::Deadline {
            self.enter(row.to(), now, random);
        }
    }

    fn enter(&mut self, state: State, now: Timestamp, random: u32) {
        let again = state == self.state;
        self.state = state;
        self.drain = None;
        self.deadline = match state {
            State::Down | State::Failed => {
                self.backoff.reset();
                Timestamp::NEVER
            }
            State::Ready => {
                self.ready_since = now;
                Timestamp::NEVER
            }
            State::Starting => now + self.policy.start_timeout,
            State::Stuck => now + Self::CAPTURE_MAX,
            State::Stopping if again => now + self.policy.stop_timeout.max(Self::KILL_AGAIN_AFTER),
            State::Stopping => now + self.policy.stop_timeout,
            State::Backoff => now + self.backoff.on_failure(self.recovered, random),
            State::Draining => {
                self.drain = Some(Drain::new(now, self.policy.drain_timeout, self.policy.tunnel_drain_timeout));
                now
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{Door, Report};
    use super::*;

    fn policy() -> Policy {
        let s = Duration::from_secs;
        Policy {
            start_timeout: s(60),
            drain_timeout: s(30),
            tunnel_drain_timeout: s(300),
            stop_timeout: s(10),
            backoff_min: Duration::from_millis(100),
            backoff_max: s(30),
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn actions(life: &mut Lifecycle) -> Vec<Action> {
        core::iter::from_fn(|| life.poll_action()).collect()
    }

    fn ready(now: Timestamp) -> Lifecycle {
        let mut life = Lifecycle::new(policy());
        life.on_want(now, Want::Run);
        life.on_spawned(now);
        life.on_listening(now);
        actions(&mut life);
        life
    }

    #[test]
    fn a_life_without_trouble() {
        let mut life = Lifecycle::new(policy());
        life.on_want(at(0), Want::Run);
        assert_eq!((actions(&mut life), life.generation()), (vec![Action::Spawn], Generation(1)));
        life.on_spawned(at(1));
        assert_eq!(actions(&mut life), [Action::Probe]);
        assert_eq!(life.next_deadline(), at(60_000));
        life.on_listening(at(80));
        assert_eq!(actions(&mut life), [Action::Publish(Door::Open), Action::Report(Report::Ready)]);
        life.on_want(at(100), Want::Replaced);
        assert_eq!(actions(&mut life), [Action::Publish(Door::Draining), Action::Report(Report::Draining)]);
        life.on_load(at(100), Load { in_flight: 1, tunnels: 0 });
        assert_eq!((life.state(), life.next_deadline()), (State::Draining, at(30_100)));
        life.on_load(at(110), Load::default());
        assert_eq!((life.state(), actions(&mut life)), (State::Stopping, vec![Action::SendTerm]));
        life.on_exited(at(120), 0);
        assert_eq!(actions(&mut life), [Action::Publish(Door::Shut), Action::Report(Report::Stopped)]);
        assert_eq!((life.state(), life.next_deadline()), (State::Down, Timestamp::NEVER));
    }

    #[test]
    fn a_crash_after_a_second_of_service_restarts_at_once() {
        let mut life = ready(at(0));
        life.on_exited(at(999), 0);
        assert_eq!((life.state(), life.next_deadline()), (State::Backoff, at(1099)));
        let mut life = ready(at(0));
        life.on_exited(at(1000), 0);
        assert_eq!((life.state(), life.next_deadline()), (State::Backoff, at(1000)));
        life.on_tick(at(1000));
        assert_eq!((life.state(), life.generation()), (State::Starting, Generation(2)));
    }

    #[test]
    fn who_never_listens_is_killed_and_backed_off() {
        let mut life = Lifecycle::new(policy());
        life.on_want(at(0), Want::Run);
        life.on_spawned(at(0));
        actions(&mut life);
        life.on_tick(at(59_999));
        assert_eq!(life.state(), State::Starting);
        life.on_tick(at(60_000));
        assert_eq!(actions(&mut life), [Action::SendKill, Action::Report(Report::NeverListened)]);
        life.on_exited(at(60_010), 0);
        assert_eq!((life.state(), life.next_deadline()), (State::Backoff, at(60_110)));
    }

    #[test]
    fn who_does_not_stop_is_killed_again_and_again() {
        let mut life = ready(at(0));
        life.on_want(at(0), Want::Stop);
        actions(&mut life);
        for now in [10_000, 20_000, 30_000] {
            assert_eq!(life.next_deadline(), at(now));
            life.on_tick(at(now));
            assert_eq!(actions(&mut life), [Action::Report(Report::Killed), Action::SendKill]);
        }
    }

    #[test]
    fn a_trial_is_shown_to_nobody_until_it_is_wanted() {
        let mut life = Lifecycle::new(policy());
        life.on_want(at(0), Want::Trial);
        life.on_spawned(at(0));
        life.on_listening(at(0));
        assert!(!actions(&mut life).contains(&Action::Publish(Door::Open)));
        life.on_want(at(0), Want::Run);
        assert_eq!(actions(&mut life), [Action::Publish(Door::Open)]);
        let mut failed = Lifecycle::new(policy());
        failed.on_want(at(0), Want::Trial);
        failed.on_spawned(at(0));
        failed.on_exited(at(5), 0);
        assert_eq!((failed.state(), failed.next_deadline()), (State::Failed, Timestamp::NEVER));
    }

    #[test]
    fn who_is_stuck_is_looked_at_then_killed_and_started_again() {
        let mut life = ready(at(0));
        life.on_stuck(at(40_000));
        assert_eq!(actions(&mut life), [Action::Publish(Door::Shut), Action::Capture]);
        assert_eq!((life.state(), life.next_deadline()), (State::Stuck, at(47_000)));
        let mut slow = life.clone();
        life.on_captured(at(40_100));
        assert_eq!(actions(&mut life), [Action::Report(Report::Stuck), Action::SendKill]);
        life.on_exited(at(40_110), 0);
        assert_eq!((life.state(), life.next_deadline()), (State::Backoff, at(40_110)));
        slow.on_tick(at(47_000));
        assert_eq!(actions(&mut slow), [Action::Report(Report::Stuck), Action::SendKill]);
    }

    #[test]
    fn who_broke_the_protocol_finishes_and_is_started_again() {
        let mut life = ready(at(0));
        life.on_broken(at(2000));
        assert_eq!(actions(&mut life), [Action::Publish(Door::Draining), Action::Report(Report::Recycled)]);
        life.on_load(at(2000), Load { in_flight: 1, tunnels: 0 });
        life.on_broken(at(2001));
        assert_eq!((life.state(), actions(&mut life)), (State::Draining, vec![]));
        life.on_load(at(2010), Load::default());
        assert_eq!((life.state(), actions(&mut life)), (State::Stopping, vec![Action::SendTerm]));
        life.on_exited(at(2020), 0);
        assert_eq!((life.state(), life.next_deadline()), (State::Backoff, at(2020)), "it had served for two seconds");
        life.on_tick(at(2020));
        assert_eq!((life.state(), life.generation()), (State::Starting, Generation(2)));
    }

    #[test]
    fn who_refuses_must_listen_again_in_time() {
        let mut life = ready(at(0));
        life.on_refused(at(2000));
        assert_eq!(actions(&mut life), [Action::Publish(Door::Shut), Action::Report(Report::Refused), Action::Probe]);
        assert_eq!((life.state(), life.next_deadline()), (State::Starting, at(62_000)));
        life.on_tick(at(62_000));
        life.on_exited(at(62_000), 0);
        assert_eq!(life.next_deadline(), at(62_000), "it had served for two seconds");
    }
}
