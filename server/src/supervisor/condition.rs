//! How a slot fares, as shards are told: is somebody on the way, and if not, why not.

use std::path::Path;

use forebay_core::worker::{Fault, Journey, SpawnFault, State, Want};

use crate::bulletin::Condition;
use crate::config::Launch;
use crate::status::Cause;

/// The condition of a slot in this state, of which this is wanted; `journey` is that of its last process.
pub(super) fn condition_of(want: Want, state: State, journey: &Journey, launch: &Launch) -> Condition {
    if want != Want::Run {
        return Condition::Unwanted;
    }
    match state {
        State::Ready => Condition::Ready,
        State::Starting | State::Draining | State::Stuck => Condition::Starting,
        // One that has served is started again at once, or as good as; one that never did may fail for ever.
        State::Down | State::Backoff | State::Stopping | State::Failed => match cause_of(journey, launch) {
            Some(cause) if !journey.has_listened() => Condition::Failed(cause),
            Some(_) | None => Condition::Starting,
        },
    }
}

/// Why a start has failed, if it has.
pub(super) fn cause_of(journey: &Journey, launch: &Launch) -> Option<Cause> {
    let said = |what: &[&str]| journey.stderr.iter().any(|line| what.iter().all(|word| line.contains(word)));
    Some(match journey.fault()? {
        Fault::Spawn(SpawnFault::ProgramMissing) => Cause::NodeMissing,
        Fault::Spawn(SpawnFault::ProgramDenied | SpawnFault::FolderMissing | SpawnFault::Other(_)) => Cause::NotStarted,
        Fault::Exited(_) if misses_script(journey, launch) => Cause::ScriptMissing,
        Fault::Exited(_) if said(&["EPERM", "lstat"]) || said(&["EACCES", "lstat"]) => Cause::FolderUnreadable,
        Fault::Exited(_) if said(&["EADDRINUSE"]) || said(&["listen EACCES"]) => Cause::ListenedElsewhere,
        Fault::Exited(_) => Cause::Exited,
        Fault::NeverListened(_) => Cause::NeverListened,
    })
}

/// Whether node says that it does not find what it was to run, rather than what that requires.
fn misses_script(journey: &Journey, launch: &Launch) -> bool {
    let missing = journey.stderr.iter().find_map(|line| line.split_once("Cannot find module '")?.1.split('\'').next());
    let is_script = |path: &str| launch.args.iter().any(|arg| launch.cwd.join(arg) == Path::new(path));
    missing.is_some_and(is_script)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use forebay_core::time::Timestamp;
    use forebay_core::worker::Exit;

    use super::*;

    fn launch() -> Launch {
        Launch {
            program: "/usr/bin/node".into(),
            args: vec!["--no-warnings".into(), "server.js".into()],
            cwd: "/srv/app".into(),
            env: Vec::new(),
            indirect: false,
            title: String::new(),
        }
    }

    fn failed(fault: Fault, stderr: &str) -> Journey {
        let mut journey = Journey::new(Timestamp::ZERO, String::new(), String::new());
        journey.on_fault(Timestamp::ZERO, fault);
        journey.stderr.push(stderr.to_string());
        journey
    }

    #[test]
    fn failed_starts_are_told_apart() {
        let exited = || Fault::Exited(Exit::Code(1));
        for (fault, stderr, cause) in [
            (Fault::Spawn(SpawnFault::ProgramMissing), "", Cause::NodeMissing),
            (Fault::Spawn(SpawnFault::FolderMissing), "", Cause::NotStarted),
            (exited(), "Error: Cannot find module '/srv/app/server.js'", Cause::ScriptMissing),
            (exited(), "Error: Cannot find module '/srv/app/lib.js'", Cause::Exited),
            (exited(), "Error: Cannot find module 'express'", Cause::Exited),
            (exited(), "Error: EPERM: operation not permitted, lstat '/srv'", Cause::FolderUnreadable),
            (exited(), "Error: listen EADDRINUSE: address already in use :::3000", Cause::ListenedElsewhere),
            (exited(), "Error: listen EACCES: permission denied 0.0.0.0:80", Cause::ListenedElsewhere),
            (Fault::NeverListened(Duration::ZERO), "", Cause::NeverListened),
        ] {
            assert_eq!(cause_of(&failed(fault, stderr), &launch()), Some(cause), "{stderr}");
        }
    }

    #[test]
    fn only_who_is_wanted_and_never_listened_has_failed() {
        let journey = failed(Fault::Exited(Exit::Code(1)), "");
        let of = |want, state, journey: &Journey| condition_of(want, state, journey, &launch());
        assert_eq!(of(Want::Run, State::Backoff, &journey), Condition::Failed(Cause::Exited));
        assert_eq!(of(Want::Run, State::Starting, &journey), Condition::Starting);
        assert_eq!(of(Want::Trial, State::Failed, &journey), Condition::Unwanted);
        let mut served = Journey::new(Timestamp::ZERO, String::new(), String::new());
        served.on_listening(Timestamp::ZERO);
        assert_eq!(of(Want::Run, State::Ready, &served), Condition::Ready);
        served.on_ended(Timestamp::ZERO, Exit::Code(1));
        assert_eq!(of(Want::Run, State::Backoff, &served), Condition::Starting);
    }
}
