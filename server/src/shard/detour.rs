//! Requests that do not reach the application: the gate says so, the origin answers them.
//!
//! The origin is reached as a worker is, over HTTP/1.1 and by its own route. What it gets is the client's head with an
//! instruction for a target; the client's own target never goes there.

use std::time::Duration;

use forebay_core::http1::{RequestHead, Target};

use super::{Engine, Shard};
use crate::site::{Decision, Instruction, Request};

/// Where a request goes that is not for the application.
pub(super) enum Detour {
    /// To the origin, with this target.
    Origin(String),
    /// Nowhere: the connection is closed.
    Abort,
}

/// How often a held request looks whether it may go on. 5 ms.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl<E: Engine> Shard<E> {
    /// Waits while requests are held, as long as they may wait for a worker at most: only then it shows where they go.
    pub(super) async fn unheld(&self, patience: Duration) {
        let until = E::now() + patience;
        let is_held = || self.bulletin.gate().is_held() && !self.bulletin.gate().is_offline();
        while is_held() && E::now() < until {
            E::sleep_until(E::now() + LOOK_AGAIN).await;
        }
    }

    /// Where a request of a client goes, if not to the application. `is_trusted`: what the client says about its own
    /// client is believed.
    pub(super) fn detour(&self, head: &RequestHead<'_>, is_trusted: bool) -> Option<Detour> {
        let gate = self.bulletin.gate();
        if gate.is_open() {
            return None;
        }
        self.bulletin.origin()?;
        if gate.is_offline() {
            return Some(Detour::origin(&Instruction::Offline));
        }
        if gate.is_broken() {
            return Some(Detour::origin(&Instruction::Misconfigured));
        }
        let site = gate.site();
        let site = site.as_deref()?;
        // Heads are ASCII where it matters: the method is one of a list, targets are visible characters.
        let request = Request {
            method: std::str::from_utf8(head.method).unwrap_or_default(),
            target: std::str::from_utf8(path_of(head)?).unwrap_or_default(),
            https: is_trusted && is_https(head),
            fields: &head.fields,
        };
        match site.decide(&request, &mut self.rewriting.borrow_mut()) {
            Decision::Application => None,
            Decision::Origin(instruction) => Some(Detour::origin(&instruction)),
            Decision::Abort => Some(Detour::Abort),
        }
    }
}

impl Detour {
    /// To the origin, told this.
    pub(super) fn origin(instruction: &Instruction<'_>) -> Self {
        let mut target = String::new();
        instruction.write(&mut target);
        Self::Origin(target)
    }
}

/// Path and query of a target that has them.
fn path_of<'h>(head: &RequestHead<'h>) -> Option<&'h [u8]> {
    match head.form {
        Target::Origin(target) => Some(target),
        Target::Absolute { path: path @ [b'/', ..], .. } => Some(path),
        Target::Absolute { .. } => Some(b"/"),
        Target::Authority(_) | Target::Asterisk => None,
    }
}

/// Whether the proxy in front says that its client came over HTTPS.
fn is_https(head: &RequestHead<'_>) -> bool {
    let proto = head.fields.iter().find(|field| field.name.eq_ignore_ascii_case(b"x-forwarded-proto"));
    proto.is_some_and(|field| field.value.eq_ignore_ascii_case(b"https"))
}
