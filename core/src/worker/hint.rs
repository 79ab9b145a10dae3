//! What probably went wrong with a process, and what to do about it: guesses, by a table of what node says.

use alloc::string::{String, ToString};

use super::journey::{Exit, Fault, Journey, SpawnFault};

/// What V8 writes when it is out of heap; the one saying that means the same long after the start.
const HEAP: (&str, &str) = (
    "heap out of memory",
    "node ran out of heap: raise --max-old-space-size (MiB) in NODE_OPTIONS, run fewer workers, or look for a leak",
);

/// What node writes to stderr, and what helps. The first that is found counts; more specific ones stand above.
/// `{folder}` is the journey's, and `{path}` at the end is what begins as an absolute path does.
const SAYINGS: &[(&str, &str)] = &[
    HEAP,
    ("Cannot find module '{path}", "a file is missing: is the script's path right, seen from {folder}?"),
    ("Cannot find module '", "a module is missing: was `npm ci` run in {folder}?"),
    ("Cannot find package '", "a package is missing: was `npm ci` run in {folder}?"),
    ("ERR_MODULE_NOT_FOUND", "an imported file is missing: is its path right, with its extension?"),
    (
        "EADDRINUSE",
        "it listens on an address of its own that is taken: listen on process.env.PORT, or leave workers.preload on",
    ),
    ("listen EACCES", "it may not listen there: listen on process.env.PORT, or leave workers.preload on"),
    ("ERR_REQUIRE_ESM", "it requires an ES module: import it instead, or use a newer node"),
    (
        "Cannot use import statement outside a module",
        "it is an ES module: name it .mjs, or set \"type\": \"module\" in package.json",
    ),
    ("is not allowed in NODE_OPTIONS", "NODE_OPTIONS has an option that node does not take from there"),
    ("bad option:", "this node does not know one of its options: `node --version`, `node --help`"),
    ("ECONNREFUSED", "a service it needs at start does not answer"),
    ("SyntaxError", "a script does not parse: does this node know its syntax? `node --check SCRIPT` says where"),
];

fn says(line: &str, said: &str) -> bool {
    let Some(before) = said.strip_suffix("{path}") else { return line.contains(said) };
    line.split_once(before).is_some_and(|(_, path)| {
        // On Windows with a drive.
        matches!(path.as_bytes(), [b'/', ..] | [b'A'..=b'Z' | b'a'..=b'z', b':', b'\\' | b'/', ..])
    })
}

/// What helps, if it is known.
#[must_use]
pub fn hint(journey: &Journey) -> Option<String> {
    // Old words of a worker that has served for hours say little about its end.
    let sayings = if journey.has_listened() { &[HEAP][..] } else { SAYINGS };
    if let Some(&(_, text)) = sayings.iter().find(|(said, _)| journey.stderr.iter().any(|line| says(line, said))) {
        return Some(text.replace("{folder}", &journey.folder));
    }
    let Some(fault) = journey.fault() else {
        return journey.exit().and_then(|exit| of_exit(exit, journey.has_listened())).map(ToString::to_string);
    };
    let text = match fault {
        Fault::Spawn(SpawnFault::ProgramMissing) => {
            "is it installed, and on the PATH of the user who runs this server?"
        }
        Fault::Spawn(SpawnFault::ProgramDenied) => "is it an executable file, and may this user run it?",
        Fault::Spawn(SpawnFault::FolderMissing) => "the working directory is the application's folder",
        Fault::Spawn(SpawnFault::Other(_)) => return None,
        Fault::NeverListened(_) if journey.has_listened() => "did it close its server?",
        Fault::NeverListened(_) => "it ran without listening on $PORT: does it call listen(process.env.PORT)?",
        Fault::Exited(exit) => return of_exit(*exit, journey.has_listened()).map(ToString::to_string),
    };
    Some(text.to_string())
}

fn of_exit(exit: Exit, has_listened: bool) -> Option<&'static str> {
    match exit {
        Exit::Code(0) if !has_listened => {
            Some("it ended by itself: is it a server? does it call listen(process.env.PORT)?")
        }
        Exit::Code(126) => Some("a command in the start script may not be run"),
        Exit::Code(127) => Some("a command in the start script does not exist: was `npm ci` run?"),
        Exit::Signal { name: "SIGKILL", .. } => {
            Some("somebody killed it: out of memory? see `dmesg` and the memory limit of the service or container")
        }
        Exit::Signal { name: "SIGSEGV" | "SIGBUS" | "SIGILL", .. } => {
            Some("native code crashed: was a native module built for this node and this machine? `npm rebuild`")
        }
        Exit::Signal { name: "SIGABRT", .. } => Some("node aborted itself: its stderr says why"),
        Exit::Code(_) | Exit::Signal { .. } | Exit::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn of(fault: Fault, stderr: &[&str]) -> Option<String> {
        let mut journey = Journey::new(Timestamp::ZERO, "node server.js".into(), "/srv/app".into());
        journey.stderr = stderr.iter().map(|line| line.to_string()).collect();
        journey.on_fault(Timestamp::ZERO, fault);
        hint(&journey)
    }

    #[test]
    fn hints_fit_what_was_said() {
        let code = || Fault::Exited(Exit::Code(1));
        let abort = Fault::Exited(Exit::Signal { number: 6, name: "SIGABRT" });
        let fatal = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
        let table = [
            (code(), "Error: Cannot find module '/srv/app/server.js'", "a file is missing"),
            (code(), "Error: Cannot find module 'C:\\app\\server.js'", "a file is missing"),
            (code(), "Error: Cannot find module 'express'", "was `npm ci` run in /srv/app?"),
            (code(), "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'koa' imported from", "a package is missing"),
            (code(), "Error: listen EADDRINUSE: address already in use :::3000", "taken"),
            (abort.clone(), fatal, "--max-old-space-size"),
            (abort, "", "node aborted itself"),
            (Fault::Exited(Exit::Code(0)), "", "it ended by itself"),
            (Fault::Exited(Exit::Code(127)), "sh: 1: next: not found", "does not exist"),
            (Fault::Exited(Exit::Signal { number: 9, name: "SIGKILL" }), "", "out of memory?"),
            (Fault::NeverListened(core::time::Duration::from_secs(60)), "", "listen(process.env.PORT)?"),
        ];
        for (fault, line, expected) in table {
            let said = of(fault.clone(), &["    at foo", line]).unwrap_or_default();
            assert!(said.contains(expected), "{fault:?} {line:?}: {said:?}");
        }
        assert_eq!(of(code(), &[]), None);
    }

    #[test]
    fn old_words_explain_no_crash() {
        let mut journey = Journey::new(Timestamp::ZERO, "node server.js".into(), "/srv/app".into());
        journey.on_listening(Timestamp::ZERO);
        journey.stderr = vec!["SyntaxError: no JSON".into(), "connect ECONNREFUSED".into()];
        journey.on_ended(Timestamp::ZERO, Exit::Code(1));
        assert_eq!(hint(&journey), None);
        journey.stderr.push("FATAL ERROR: Reached heap limit - JavaScript heap out of memory".into());
        assert!(hint(&journey).unwrap().contains("--max-old-space-size"));
    }
}
