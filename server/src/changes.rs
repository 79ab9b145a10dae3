//! Notices that files have changed, and asks for a reload.
//!
//! The system only says that something happened in a folder; what has changed is found by looking: which files match
//! now, and whether time, size or identity of one is another than before. So a file that is deleted, renamed, replaced or
//! appears in a folder that was not there is seen in one way, and polling, where the system says nothing (network
//! shares, no more inotify watches), is the same without being told. A burst, as of a deployment, is waited for.
//!
//! What it deliberately does not do: look into `node_modules` and `.git` for `**`, or follow links to folders, unless a
//! pattern begins there; tell a change of content that leaves time and size as they were.

mod look;
mod pattern;
mod watcher;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Sender, unbounded};

use crate::bulletin::Bulletin;
use crate::config::Config;
use crate::supervisor::Command;
use look::Files;
use pattern::Pattern;
use watcher::Watcher;

/// What a [`Watch`] was made of: folder, patterns, sources, interval, and whether it holds.
type Origin = (PathBuf, Vec<String>, Vec<PathBuf>, Duration, bool);

/// Files that are looked at, as they were when this was made.
pub struct Watch {
    patterns: Vec<Pattern>,
    poll_interval: Duration,
    files: Files,
    /// Whether requests wait from the first sign of a change on, until what it leads to serves: in development, with
    /// pages of errors, whoever has changed a file wants to see that with the next request.
    holds: bool,
    /// What it was made of.
    from: Origin,
}

impl Watch {
    /// What a configuration wants to be watched: the files of its patterns, and with them those that it was read from.
    /// They are looked at now: what changes from here on is a change.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let (folder, watch) = (&config.launch.cwd, &config.watch);
        let sources = if watch.files.is_empty() { Vec::new() } else { config.sources.clone() };
        let patterns = watch.files.iter().map(|text| Pattern::new(folder, text));
        let patterns: Vec<_> = patterns.chain(sources.iter().map(|path| Pattern::file(path))).collect();
        let files = look::look(&patterns).files;
        let from = (folder.clone(), watch.files.clone(), sources, watch.poll_interval, config.errors.dev_pages);
        Self { patterns, poll_interval: watch.poll_interval, files, holds: config.errors.dev_pages, from }
    }

    /// Whether there is anything to look at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

/// The thread that looks, once there is something to look at.
pub struct Changes {
    commands: Sender<Command>,
    bulletin: Arc<Bulletin>,
    thread: Option<Sender<Watch>>,
    now: Option<Origin>,
}

impl Changes {
    /// Looks at nothing yet. A change asks `commands` for a reload.
    #[must_use]
    pub fn new(commands: Sender<Command>, bulletin: Arc<Bulletin>) -> Self {
        Self { commands, bulletin, thread: None, now: None }
    }

    /// From now on looks at this. If it is what is looked at already, nothing is forgotten that has changed since.
    pub fn set(&mut self, watch: Watch) {
        if self.now.as_ref() == Some(&watch.from) || watch.is_empty() && self.thread.is_none() {
            return;
        }
        self.now = Some(watch.from.clone());
        if self.thread.is_none() {
            match start(self.commands.clone(), Arc::clone(&self.bulletin)) {
                Ok(to) => self.thread = Some(to),
                Err(error) => {
                    return tracing::warn!(target: "forebay", "watch.files: no thread to watch them with: {error}");
                }
            }
        }
        if let Some(thread) = &self.thread {
            let _supervisor_alone = thread.send(watch);
        }
    }
}

fn start(commands: Sender<Command>, bulletin: Arc<Bulletin>) -> std::io::Result<Sender<Watch>> {
    let (to, orders) = unbounded();
    let run = move || Watcher::new(orders, commands, bulletin).run();
    thread::Builder::new().name("changes".into()).stack_size(256 * 1024).spawn(run)?;
    Ok(to)
}

/// Without `.`, and without `..` where there is something before it. Links are not looked at: a path means what it says.
fn plain(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            Component::ParentDir | Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    plain
}
