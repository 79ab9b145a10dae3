//! The process that is being debugged, as far as the debugger's page has to know: the supervisor says, the origin reads.

use std::sync::{Mutex, PoisonError};

/// How it is with that process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Inspected {
    /// There is none.
    #[default]
    Nobody,
    /// It starts.
    Starting,
    /// Its inspector listens: `ws://127.0.0.1:PORT/UUID`.
    Open(String),
    /// There cannot be one, and why.
    Failed(String),
}

/// The same for two threads of the control plane.
#[derive(Debug, Default)]
pub struct InspectedCell(Mutex<Inspected>);

impl InspectedCell {
    /// Says how it is. Supervisor only.
    pub fn set(&self, now: Inspected) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// How it is.
    #[must_use]
    pub fn look(&self) -> Inspected {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
