//! The transitions of a worker's life, one line each.
//!
//! Two machines are coupled: what is wanted of the slot ([`Want`], set from outside) and what is there ([`State`],
//! moved by what happens). A row says: in this state, on this input, while one of these is wanted, do this and be
//! there. What has no row changes nothing; the snapshot of the full matrix beside the tests shows every combination.
//!
//! Invariants the rows keep: `Publish(Open)` only on the way to or in `Ready` while `Run` is wanted; the door is shut
//! before the process is forgotten; a process is only forgotten on `Exited` or `SpawnFailed`.

use Action::{Capture, Probe, Publish, SendKill, SendTerm, Spawn};
use Input as I;
use Report as R;
use State as S;

/// What is wanted of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// A process that serves; another one when it ends.
    Run,
    /// A process that is brought to `Ready` but not given requests, and not started again when it fails: the new half
    /// of a reload, until all of it is ready.
    Trial,
    /// None; the one that is there finishes what it has.
    Replaced,
    /// None; the one that is there is asked to end now.
    Stop,
    /// None; the one that is there is killed.
    Kill,
}

impl Want {
    /// All of them, in the order of the matrix.
    pub const ALL: [Self; 5] = [Self::Run, Self::Trial, Self::Replaced, Self::Stop, Self::Kill];
}

/// What is in a slot. In `Starting`, `Ready`, `Draining`, `Stuck` and `Stopping` the process is up, in the others there
/// is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No process.
    Down,
    /// Up, not yet listening.
    Starting,
    /// Listening.
    Ready,
    /// Finishing what it has.
    Draining,
    /// Its event loop does not turn; what it hangs in is being found out, then it is killed.
    Stuck,
    /// Asked to end, or killed.
    Stopping,
    /// No process; the next one starts at the deadline.
    Backoff,
    /// No process; it was on trial and failed.
    Failed,
}

impl State {
    /// All of them, in the order of the matrix.
    pub const ALL: [Self; 8] = [
        Self::Down,
        Self::Starting,
        Self::Ready,
        Self::Draining,
        Self::Stuck,
        Self::Stopping,
        Self::Backoff,
        Self::Failed,
    ];

    /// Whether a process exists.
    #[must_use]
    pub fn is_up(self) -> bool {
        match self {
            Self::Starting | Self::Ready | Self::Draining | Self::Stuck | Self::Stopping => true,
            Self::Down | Self::Backoff | Self::Failed => false,
        }
    }
}

/// What can happen to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Something is wanted; the row is chosen by the new wish.
    Wanted,
    /// The process exists.
    Spawned,
    /// There is no process: it could not be started.
    SpawnFailed,
    /// Its endpoint accepts connections.
    Listening,
    /// Its endpoint accepts connections no more.
    Refused,
    /// It broke the protocol that it is fed by.
    Broken,
    /// Its event loop has not turned for too long.
    Stuck,
    /// What it hangs in is known, or cannot be.
    Captured,
    /// The process ended.
    Exited,
    /// Nothing is left in a drain.
    Drained,
    /// Something is left in a drain, and its time is up.
    DrainCut,
    /// The state's own time is up.
    Deadline,
}

impl Input {
    /// All of them, in the order of the matrix.
    pub const ALL: [Self; 12] = [
        Self::Wanted,
        Self::Spawned,
        Self::SpawnFailed,
        Self::Listening,
        Self::Refused,
        Self::Broken,
        Self::Stuck,
        Self::Captured,
        Self::Exited,
        Self::Drained,
        Self::DrainCut,
        Self::Deadline,
    ];
}

/// Whether shards may give requests to a slot's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Nobody there, or not ready.
    Shut,
    /// Ready.
    Open,
    /// Finishing what it has.
    Draining,
}

/// What the supervisor is to do, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a process of the slot's current generation, then say `on_spawned` or `on_spawn_failed`.
    Spawn,
    /// Try its endpoint until it listens, then say `on_listening`.
    Probe,
    /// Tell the shards.
    Publish(Door),
    /// Find out what its JavaScript hangs in, then say `on_captured`.
    Capture,
    /// Ask the process to end.
    SendTerm,
    /// Kill the process and its group.
    SendKill,
    /// Say it in the log.
    Report(Report),
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It listens.
    Ready,
    /// It could not be started.
    SpawnFailed,
    /// It ended before it listened.
    ExitedEarly,
    /// It ended although it was wanted.
    Crashed,
    /// It ended as asked.
    Stopped,
    /// It does not listen any more.
    Refused,
    /// It did not listen in time and is killed.
    NeverListened,
    /// It has begun to finish what it has.
    Draining,
    /// It broke the protocol; it finishes what it has and is started again.
    Recycled,
    /// Its event loop does not turn; it is killed.
    Stuck,
    /// Requests or upgraded connections are cut.
    DrainCut,
    /// It did not end in time and is killed.
    Killed,
}

/// One transition.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    from: State,
    on: Input,
    want: &'static [Want],
    to: State,
    /// What is to be done, in order.
    pub actions: &'static [Action],
}

impl Row {
    /// The state after it.
    #[must_use]
    pub fn to(&self) -> State {
        self.to
    }
}

const fn row(from: State, on: Input, want: &'static [Want], to: State, actions: &'static [Action]) -> Row {
    Row { from, on, want, to, actions }
}

const ANY: &[Want] = &Want::ALL;
const UP: &[Want] = &[Want::Run, Want::Trial];
const RUN: &[Want] = &[Want::Run];
const TRIAL: &[Want] = &[Want::Trial];
const REPLACED: &[Want] = &[Want::Replaced];
const STOP: &[Want] = &[Want::Stop];
const ASK: &[Want] = &[Want::Replaced, Want::Stop];
const KILL: &[Want] = &[Want::Kill];
const NONE: &[Want] = &[Want::Replaced, Want::Stop, Want::Kill];

const SHUT: Action = Publish(Door::Shut);
const OPEN: Action = Publish(Door::Open);
const LAST: Action = Publish(Door::Draining);

/// Every transition; the order means nothing, no two rows apply at once.
pub const TABLE: &[Row] = &[
    row(S::Down, I::Wanted, UP, S::Starting, &[Spawn]),
    row(S::Failed, I::Wanted, UP, S::Starting, &[Spawn]),
    row(S::Failed, I::Wanted, NONE, S::Down, &[]),
    row(S::Backoff, I::Wanted, NONE, S::Down, &[]),
    row(S::Backoff, I::Deadline, UP, S::Starting, &[Spawn]),
    row(S::Starting, I::Spawned, ANY, S::Starting, &[Probe]),
    row(S::Starting, I::SpawnFailed, RUN, S::Backoff, &[SHUT, Action::Report(R::SpawnFailed)]),
    row(S::Starting, I::SpawnFailed, TRIAL, S::Failed, &[SHUT, Action::Report(R::SpawnFailed)]),
    row(S::Starting, I::Listening, RUN, S::Ready, &[OPEN, Action::Report(R::Ready)]),
    row(S::Starting, I::Listening, TRIAL, S::Ready, &[Action::Report(R::Ready)]),
    row(S::Starting, I::Deadline, UP, S::Stopping, &[SendKill, Action::Report(R::NeverListened)]),
    row(S::Starting, I::Exited, RUN, S::Backoff, &[SHUT, Action::Report(R::ExitedEarly)]),
    row(S::Starting, I::Exited, TRIAL, S::Failed, &[SHUT, Action::Report(R::ExitedEarly)]),
    row(S::Starting, I::Wanted, ASK, S::Stopping, &[SendTerm]),
    row(S::Starting, I::Wanted, KILL, S::Stopping, &[SendKill]),
    row(S::Ready, I::Wanted, RUN, S::Ready, &[OPEN]),
    row(S::Ready, I::Wanted, REPLACED, S::Draining, &[LAST, Action::Report(R::Draining)]),
    row(S::Ready, I::Wanted, STOP, S::Stopping, &[LAST, SendTerm]),
    row(S::Ready, I::Wanted, KILL, S::Stopping, &[SHUT, SendKill]),
    row(S::Ready, I::Refused, UP, S::Starting, &[SHUT, Action::Report(R::Refused), Probe]),
    row(S::Ready, I::Broken, UP, S::Draining, &[LAST, Action::Report(R::Recycled)]),
    row(S::Ready, I::Stuck, UP, S::Stuck, &[SHUT, Capture]),
    row(S::Ready, I::Exited, RUN, S::Backoff, &[SHUT, Action::Report(R::Crashed)]),
    row(S::Ready, I::Exited, TRIAL, S::Failed, &[SHUT, Action::Report(R::Crashed)]),
    row(S::Draining, I::Drained, ANY, S::Stopping, &[SendTerm]),
    row(S::Draining, I::DrainCut, ANY, S::Stopping, &[Action::Report(R::DrainCut), SendTerm]),
    row(S::Draining, I::Exited, RUN, S::Backoff, &[SHUT, Action::Report(R::Crashed)]),
    row(S::Draining, I::Exited, TRIAL, S::Failed, &[SHUT, Action::Report(R::Crashed)]),
    row(S::Draining, I::Exited, NONE, S::Down, &[SHUT, Action::Report(R::Crashed)]),
    row(S::Draining, I::Wanted, STOP, S::Stopping, &[SendTerm]),
    row(S::Draining, I::Wanted, KILL, S::Stopping, &[SHUT, SendKill]),
    row(S::Draining, I::Stuck, ANY, S::Stuck, &[SHUT, Capture]),
    row(S::Stuck, I::Captured, ANY, S::Stopping, &[Action::Report(R::Stuck), SendKill]),
    row(S::Stuck, I::Deadline, ANY, S::Stopping, &[Action::Report(R::Stuck), SendKill]),
    row(S::Stuck, I::Exited, RUN, S::Backoff, &[SHUT, Action::Report(R::Crashed)]),
    row(S::Stuck, I::Exited, TRIAL, S::Failed, &[SHUT, Action::Report(R::Crashed)]),
    row(S::Stuck, I::Exited, NONE, S::Down, &[SHUT, Action::Report(R::Crashed)]),
    row(S::Stuck, I::Wanted, KILL, S::Stopping, &[SendKill]),
    row(S::Stopping, I::Spawned, ASK, S::Stopping, &[SendTerm]),
    row(S::Stopping, I::Spawned, KILL, S::Stopping, &[SendKill]),
    row(S::Stopping, I::Spawned, UP, S::Stopping, &[SendKill]),
    row(S::Stopping, I::Wanted, KILL, S::Stopping, &[SHUT, SendKill]),
    row(S::Stopping, I::Deadline, ANY, S::Stopping, &[Action::Report(R::Killed), SendKill]),
    row(S::Stopping, I::Exited, RUN, S::Backoff, &[SHUT, Action::Report(R::Stopped)]),
    row(S::Stopping, I::Exited, TRIAL, S::Failed, &[SHUT, Action::Report(R::Stopped)]),
    row(S::Stopping, I::Exited, NONE, S::Down, &[SHUT, Action::Report(R::Stopped)]),
    row(S::Stopping, I::SpawnFailed, RUN, S::Backoff, &[SHUT, Action::Report(R::SpawnFailed)]),
    row(S::Stopping, I::SpawnFailed, TRIAL, S::Failed, &[SHUT, Action::Report(R::SpawnFailed)]),
    row(S::Stopping, I::SpawnFailed, NONE, S::Down, &[SHUT, Action::Report(R::SpawnFailed)]),
];

/// The transition that applies, if any.
#[must_use]
pub fn find(from: State, on: Input, want: Want) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.from == from && row.on == on && row.want.contains(&want))
}

#[cfg(test)]
mod tests {
    use core::fmt::Write;

    use super::*;

    #[test]
    fn no_two_rows_apply_at_once() {
        for from in State::ALL {
            for on in Input::ALL {
                for want in Want::ALL {
                    let rows = TABLE.iter().filter(|r| r.from == from && r.on == on && r.want.contains(&want));
                    assert!(rows.count() <= 1, "{from:?} {on:?} {want:?}");
                }
            }
        }
    }

    #[test]
    fn an_open_door_leads_to_ready_only() {
        for row in TABLE.iter().filter(|row| row.actions.contains(&OPEN)) {
            assert_eq!((row.to, row.want), (State::Ready, RUN), "{row:?}");
        }
    }

    #[test]
    fn leaving_ready_tells_the_shards() {
        for row in TABLE.iter().filter(|row| row.from == State::Ready && row.to != State::Ready) {
            assert!(matches!(row.actions.first(), Some(Publish(Door::Shut | Door::Draining))), "{row:?}");
        }
    }

    #[test]
    fn a_process_is_only_forgotten_when_it_is_gone() {
        for row in TABLE.iter().filter(|row| row.from.is_up() && !row.to.is_up()) {
            assert!(matches!(row.on, Input::Exited | Input::SpawnFailed), "{row:?}");
            assert_eq!(row.actions.first(), Some(&SHUT), "{row:?}");
        }
    }

    #[test]
    fn who_is_stuck_gets_no_requests_and_no_chance() {
        for row in TABLE.iter().filter(|row| row.to == State::Stuck) {
            assert_eq!(row.actions, [SHUT, Capture], "{row:?}");
        }
        for row in TABLE.iter().filter(|row| row.from == State::Stuck && row.to.is_up()) {
            assert_eq!((row.to, row.actions.last()), (State::Stopping, Some(&SendKill)), "{row:?}");
        }
    }

    #[test]
    fn a_process_is_only_made_where_there_is_none() {
        for row in TABLE.iter().filter(|row| row.actions.contains(&Spawn)) {
            assert!(!row.from.is_up() && row.to == State::Starting, "{row:?}");
        }
    }

    #[test]
    fn the_full_matrix() {
        let mut out = String::new();
        for from in State::ALL {
            for on in Input::ALL {
                for want in Want::ALL {
                    let _ = write!(out, "{:9} {:12} {:9}", format!("{from:?}"), format!("{on:?}"), format!("{want:?}"));
                    match find(from, on, want) {
                        Some(row) => {
                            let _ = write!(out, "-> {:9}", format!("{:?}", row.to));
                            for action in row.actions {
                                let _ = write!(out, " {action:?}");
                            }
                            let _ = writeln!(out);
                        }
                        None => {
                            let _ = writeln!(out, " .");
                        }
                    }
                }
            }
        }
        insta::assert_snapshot!(out);
    }
}
