//! Real applications, each bare and through Forebay: what a client sees must be the same.
//!
//! An application (`apps/`) is started with node alone, and checks (`client/`) write down all that it answers: the
//! reference, in which every check must pass. Then it is started through Forebay, once for each transport, and the
//! transcript must be the same, line by line.
//!
//! The packages come from the lock file beside this file, by `npm ci`, into `target/compat`. That takes a network, so
//! everything here is ignored unless `FOREBAY_COMPAT=1` is set. The result is a table in the README, which is compared,
//! or with `FOREBAY_UPDATE=1` written.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod catalogue;
mod install;
mod server;
mod table;
mod transcript;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use catalogue::{APPS, App, NEXT};
use server::Server;
use transcript::Transcript;

/// How an application is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    /// By node alone: the reference.
    Node,
    /// Through Forebay, over HTTP/1.1.
    Http,
    /// Through Forebay, over the pipe protocol.
    Pipe,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Node, Self::Http, Self::Pipe];

    const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Http => "http",
            Self::Pipe => "pipe",
        }
    }
}

/// How many checks of an application came out as in the reference, by mode.
type Results = BTreeMap<(&'static str, Mode), usize>;

/// What all trials share.
struct Shared {
    folder: OnceLock<Result<PathBuf, String>>,
    next: OnceLock<Result<(), String>>,
    references: BTreeMap<&'static str, OnceLock<Result<Transcript, String>>>,
    results: Mutex<Results>,
}

impl Shared {
    fn folder(&self) -> Result<&Path, String> {
        self.folder.get_or_init(install::install).as_ref().map(PathBuf::as_path).map_err(Clone::clone)
    }

    fn run(&self, app: &App, mode: Mode) -> Result<Transcript, String> {
        let folder = self.folder()?;
        if app.script == NEXT {
            self.next.get_or_init(|| install::build_next(folder)).clone()?;
        }
        let server = Server::start(folder, app, mode)?;
        let transcript = Transcript::take(folder, app, server.address());
        // What the server printed explains a failure better than anything else.
        let log = server.stop()?;
        transcript.map_err(|error| format!("{error}\nthe server said:\n{log}"))
    }

    fn reference(&self, app: &App) -> Result<&Transcript, String> {
        let reference = self.references[app.name].get_or_init(|| {
            let transcript = self.run(app, Mode::Node)?;
            transcript.all_passed()?;
            Ok(transcript)
        });
        reference.as_ref().map_err(Clone::clone)
    }

    fn trial(&self, app: &'static App, mode: Mode) -> Result<(), Failed> {
        let reference = self.reference(app)?;
        let note = |same: usize| self.results.lock().unwrap().insert((app.name, mode), same);
        if mode == Mode::Node {
            note(reference.len());
            return Ok(());
        }
        let transcript = self.run(app, mode)?;
        note(reference.same_as(&transcript));
        Ok(reference.compare(&transcript)?)
    }
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let wanted = std::env::var("FOREBAY_COMPAT").is_ok_and(|value| value == "1");
    let has_pipe = server::has_transport("pipe");
    let shared = Arc::new(Shared {
        folder: OnceLock::new(),
        next: OnceLock::new(),
        references: APPS.iter().map(|app| (app.name, OnceLock::new())).collect(),
        results: Mutex::default(),
    });
    let trial = |app: &'static App, mode: Mode| {
        let shared = Arc::clone(&shared);
        let trial = Trial::test(format!("{}::{}", app.name, mode.name()), move || shared.trial(app, mode));
        trial.with_ignored_flag(!wanted || mode == Mode::Pipe && !has_pipe)
    };
    let trials = APPS.iter().flat_map(|app| Mode::ALL.map(|mode| trial(app, mode))).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    let results = shared.results.lock().unwrap();
    let is_complete = !args.list && APPS.iter().all(|app| results.contains_key(&(app.name, Mode::Http)));
    if is_complete && let Err(what) = table::check(&results) {
        eprintln!("{what}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
