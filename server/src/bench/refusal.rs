//! Why a contender, or the whole bench, cannot go on.

use std::fmt;

/// A reason, the last that was printed by whom it is about, and a way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What is wrong.
    pub(super) what: String,
    log: Vec<String>,
    hint: String,
    /// Whether it is only that somebody wants us to stop.
    pub(super) is_interrupt: bool,
}

impl Refusal {
    /// A reason and a way out; none if empty.
    pub(super) fn new(what: impl Into<String>, hint: &str) -> Self {
        Self { what: what.into(), hint: hint.to_owned(), ..Self::default() }
    }

    /// Somebody wants us to stop.
    pub(super) fn interrupted() -> Self {
        Self { is_interrupt: true, ..Self::new("stopped before the end", "") }
    }

    /// The same with lines of a log.
    pub(super) fn with_log(self, log: Vec<String>) -> Self {
        Self { log, ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for line in &self.log {
            write!(f, "\n  | {line}")?;
        }
        if !self.hint.is_empty() {
            write!(f, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}
