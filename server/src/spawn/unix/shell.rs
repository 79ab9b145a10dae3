//! Command lines and programs.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What gives the shell's place to the command behind it, so that signals and exit status are the command's own.
pub(crate) const EXEC: &str = "exec ";

/// A program with its arguments.
pub(crate) fn command(program: &Path, args: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// What runs a line as a shell does.
pub(crate) fn shell(line: &str) -> (PathBuf, Vec<OsString>) {
    ("/bin/sh".into(), vec!["-c".into(), line.into()])
}

/// A word so that a shell takes it as it is. Words without odd characters need no quotes.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The files that a program's name may mean in a folder of `PATH`.
pub(crate) fn program_names(file: PathBuf) -> Vec<PathBuf> {
    vec![file]
}

/// Whether a file can be run.
pub(crate) fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
