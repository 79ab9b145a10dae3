//! Command lines and programs.

use std::ffi::OsString;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What runs a line. Without `AutoRun` (`/d`); the line as it is, between two quotes (`/s`).
const SHELL: &str = "cmd.exe";
const FLAGS: [&str; 3] = ["/d", "/s", "/c"];

/// A shell cannot give its place to the command here.
pub(crate) const EXEC: &str = "";

/// A program with its arguments.
pub(crate) fn command(program: &Path, args: &[OsString]) -> Command {
    let mut command = Command::new(program);
    match args.split_last() {
        // Not as an argument: `cmd` knows no backslash before a quote.
        Some((line, flags)) if program == Path::new(SHELL) && *flags == FLAGS.map(OsString::from) => {
            let mut quoted = OsString::from("\"");
            quoted.push(line);
            quoted.push("\"");
            command.args(flags).raw_arg(quoted);
        }
        Some(_) | None => {
            command.args(args);
        }
    }
    command
}

/// What runs a line as a shell does.
pub(crate) fn shell(line: &str) -> (PathBuf, Vec<OsString>) {
    let args = FLAGS.iter().map(OsString::from).chain([line.into()]).collect();
    (SHELL.into(), args)
}

/// A word so that a shell takes it as it is. Words without odd characters need no quotes.
pub(crate) fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\\\""))
}

/// The files that a program's name may mean in a folder of `PATH`.
pub(crate) fn program_names(file: PathBuf) -> Vec<PathBuf> {
    vec![file.with_extension("exe"), file]
}

/// Whether a file can be run.
pub(crate) fn is_program(file: &Path) -> bool {
    file.is_file()
}
