//! What the checks of an application wrote down.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::catalogue::App;

/// Checks in order, each with its name and what was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript(Vec<(String, Vec<String>)>);

impl Transcript {
    /// Lets the checks of `app` ask a server.
    pub(crate) fn take(folder: &Path, app: &App, server: SocketAddr) -> Result<Self, String> {
        let client = folder.join("client");
        let mut command = Command::new("node");
        command.arg(client.join("run.mjs")).arg(client.join(app.checks)).arg(format!("http://{server}"));
        let output = command.env_remove("NODE_OPTIONS").output().map_err(|error| format!("no node ({error})"))?;
        let err = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("the checks ended with {}:\n{err}", output.status));
        }
        let mut checks: Vec<(String, Vec<String>)> = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match (line.strip_prefix("  "), checks.last_mut()) {
                (Some(note), Some((_, notes))) => notes.push(note.to_owned()),
                (Some(_) | None, _) => checks.push((line.to_owned(), Vec::new())),
            }
        }
        // The last line says how many there were.
        match checks.pop() {
            Some((count, _)) if count == format!("{} checks", checks.len()) => Ok(Self(checks)),
            _ => Err(format!("the transcript has no end:\n{err}")),
        }
    }

    /// How many checks there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Refuses a transcript in which a check failed.
    pub(crate) fn all_passed(&self) -> Result<(), String> {
        let failed = |notes: &[String]| notes.iter().any(|note| note.starts_with("FAILED: "));
        let failed: Vec<String> =
            self.0.iter().filter(|(_, notes)| failed(notes)).map(|(name, notes)| shown(name, notes)).collect();
        if failed.is_empty() { Ok(()) } else { Err(format!("bare node itself:\n{}", failed.join("\n"))) }
    }

    /// How many checks came out the same.
    pub(crate) fn same_as(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).filter(|(mine, theirs)| mine == theirs).count()
    }

    /// Refuses another transcript that is not the same, and shows where.
    pub(crate) fn compare(&self, other: &Self) -> Result<(), String> {
        let mut differences: Vec<String> = self.0.iter().zip(&other.0).filter_map(difference).collect();
        if self.len() != other.len() {
            differences.push(format!("{} checks instead of {}", other.len(), self.len()));
        }
        if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
    }
}

fn shown(name: &str, notes: &[String]) -> String {
    notes.iter().fold(name.to_owned(), |text, note| format!("{text}\n  {note}"))
}

/// A check's name and what it wrote down.
type Entry = (String, Vec<String>);

/// The lines that only one of two has, in place.
fn difference((mine, theirs): (&Entry, &Entry)) -> Option<String> {
    if mine == theirs {
        return None;
    }
    let mut text = format!("{}: - bare node, + Forebay", mine.0);
    let tail = mine.1.iter().rev().zip(theirs.1.iter().rev()).take_while(|(a, b)| a == b).count();
    let head = mine.1.iter().zip(&theirs.1).take_while(|(a, b)| a == b).count();
    let middle = |notes: &[String]| {
        notes[head.min(notes.len() - tail.min(notes.len()))..notes.len() - tail.min(notes.len())].to_vec()
    };
    for (mark, notes) in [("-", middle(&mine.1)), ("+", middle(&theirs.1))] {
        for note in notes {
            text.push_str(&format!("\n  {mark} {note}"));
        }
    }
    Some(text)
}
