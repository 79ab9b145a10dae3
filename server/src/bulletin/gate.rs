//! What keeps requests from the application: files that are served without it, a page while it is offline or while its
//! configuration cannot be used, a change of it that they are to see.
//!
//! The control plane swaps what stands here as a whole, shards read it without locks. A server that has nothing of the
//! kind pays one load of a byte for each request.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Release};

use arc_swap::{ArcSwapOption, Guard};

use crate::site::{DebugAddress, Site};

/// The cookie whose value, the secret of a session, leads a request to the process that is debugged.
pub const SESSION_COOKIE: &str = "forebay-debug";

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b))) == 0
}

/// Some requests are answered by others than the application: ask the site.
const SITE: u8 = 1;
/// No request reaches the application.
const OFFLINE: u8 = 2;

/// The configuration cannot be used: every request is answered with why.
const BROKEN: u8 = 4;
/// Requests wait for workers that are on their way.
const HELD: u8 = 8;
/// The debugger has an address.
const DEBUGGER: u8 = 16;
/// Somebody debugs.
const SESSION: u8 = 32;

/// The gate before the application.
#[derive(Default)]
pub struct Gate {
    flags: AtomicU8,
    site: ArcSwapOption<Site>,
    broken: ArcSwapOption<String>,
    debugger: ArcSwapOption<DebugAddress>,
    session: ArcSwapOption<String>,
}

impl Gate {
    /// Whether every request is for the application.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.flags.load(Acquire) == 0
    }

    /// Whether the application is offline: every request gets the page that says so.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.flags.load(Acquire) & OFFLINE != 0
    }

    /// Whether the configuration cannot be used: every request gets the page that says why.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.flags.load(Acquire) & BROKEN != 0
    }

    /// Why the configuration cannot be used, if so.
    #[must_use]
    pub fn broken(&self) -> Option<Arc<String>> {
        self.broken.load_full()
    }

    /// Whether requests wait for workers that are on their way, although others are ready.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.flags.load(Acquire) & HELD != 0
    }

    /// Who answers what, if not always the application.
    #[must_use]
    pub fn site(&self) -> Guard<Option<Arc<Site>>> {
        self.site.load()
    }

    /// Where the debugger is reached, if it is on.
    #[must_use]
    pub fn debugger(&self) -> Guard<Option<Arc<DebugAddress>>> {
        self.debugger.load()
    }

    /// The secret of whoever debugs, if somebody does.
    #[must_use]
    pub fn session(&self) -> Option<Guard<Option<Arc<String>>>> {
        (self.flags.load(Acquire) & SESSION != 0).then(|| self.session.load())
    }

    /// Says where the debugger is reached. Control plane only.
    pub fn set_debugger(&self, address: Option<DebugAddress>) {
        let is_some = address.is_some();
        self.debugger.store(address.map(Arc::new));
        self.set(DEBUGGER, is_some);
    }

    /// Says what whoever debugs has for a secret. Control plane only.
    pub fn set_session(&self, secret: Option<String>) {
        let is_some = secret.is_some();
        self.session.store(secret.map(Arc::new));
        self.set(SESSION, is_some);
    }

    /// Says who answers what from now on. Control plane only.
    pub fn set_site(&self, site: Option<Site>) {
        let is_some = site.is_some();
        self.site.store(site.map(Arc::new));
        self.set(SITE, is_some);
    }

    /// Says whether the application is offline. Control plane only.
    pub fn set_offline(&self, offline: bool) {
        self.set(OFFLINE, offline);
    }

    /// Says why the configuration cannot be used, or that it can. Control plane only.
    pub fn set_broken(&self, why: Option<String>) {
        let is_some = why.is_some();
        self.broken.store(why.map(Arc::new));
        self.set(BROKEN, is_some);
    }

    /// Says whether requests wait for workers that are on their way: in development, whoever has changed a file wants to
    /// see the change with the next request. Whoever holds asks for a reload as well, whose end lets go. Control plane
    /// only.
    pub fn hold(&self, held: bool) {
        self.set(HELD, held);
    }

    fn set(&self, flag: u8, on: bool) {
        if on {
            self.flags.fetch_or(flag, Release);
        } else {
            self.flags.fetch_and(!flag, Release);
        }
    }
}
