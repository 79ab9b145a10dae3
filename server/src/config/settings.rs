//! The settings: one table that reading, messages, `forebay check` and the reference in the README all come from.

mod table;

use super::value::Kind;
pub(super) use table::SETTINGS;

/// What a setting is when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    /// This value.
    Is(&'static str),
    /// Something that is found out, or nothing; in words.
    Means(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// Section and key.
    pub(super) key: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// What it is when nobody sets it.
    pub(super) preset: Preset,
    /// Environment variables that set it, the strongest last.
    pub(super) env: &'static [&'static str],
    /// The flag that sets it.
    pub(super) flag: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub(super) doc: &'static str,
}

/// The sections and what they are about, in the order of the reference.
pub(super) const SECTIONS: [(&str, &str); 14] = [
    ("server", "The server as a whole."),
    ("app", "What each worker runs."),
    ("workers", "The node processes."),
    ("shards", "The threads that own the client connections."),
    ("limits", "Every bound, and what happens when it is reached."),
    ("forwarding", "What the application is told about its client."),
    ("access_log", "One line a request."),
    ("app_log", "What workers write to stdout and stderr, in files."),
    ("log", "What Forebay says about itself, on standard error."),
    ("response", "How responses travel."),
    ("errors", "What clients see when Forebay answers itself."),
    ("watch", "Files whose change recycles the application."),
    ("site", "What is answered without the application."),
    ("debugger", "Node's inspector, reached through the application's own address."),
];

impl Setting {
    pub(super) const fn env(self, env: &'static [&'static str]) -> Self {
        Self { env, ..self }
    }

    pub(super) const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// Section and name.
    #[must_use]
    pub(super) fn parts(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }
}
