//! The thread: is told that something happened, waits until it is over, looks, and asks for a reload.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use crossbeam::select;
use forebay_core::quiet::Quiet;
use forebay_core::time::Timestamp;
use forebay_core::worker::journey::Span;
use forebay_transports::files;
use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::{info, warn};

use super::Watch;
use super::look::{FOLDERS_MAX, Files, Folders, Look, difference, look};
use super::pattern::Pattern;
use crate::bulletin::Bulletin;
use crate::supervisor::Command;

/// A burst of changes is over after so long without one. 200 ms: what editors and copies leave between two writes.
const PAUSE: Duration = Duration::from_millis(200);

/// A burst is not waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often folders are looked at anew while some came between a look and being told of their changes.
const ROUNDS_MAX: usize = 4;

/// What is meant at the moment; the system's thread looks there whether an event is of interest.
#[derive(Default)]
struct Meant {
    patterns: Vec<Pattern>,
    /// Whether requests are held from the first sign of a change on.
    holds: bool,
}

pub(super) struct Watcher {
    orders: Receiver<Watch>,
    commands: Sender<Command>,
    bulletin: Arc<Bulletin>,
    origin: Instant,
    quiet: Quiet,
    meant: Arc<Mutex<Meant>>,
    poll_interval: Duration,
    files: Files,
    /// None where there is none to be had.
    system: Option<RecommendedWatcher>,
    happened: Receiver<()>,
    folders: Folders,
    /// Why files are looked at now and then although nobody says anything.
    polls: Option<String>,
}

impl Watcher {
    pub(super) fn new(orders: Receiver<Watch>, commands: Sender<Command>, bulletin: Arc<Bulletin>) -> Self {
        let meant = Arc::<Mutex<Meant>>::default();
        // One that is not yet looked at is as good as many.
        let (tell, happened) = bounded(1);
        let (looked_at, gate) = (Arc::clone(&meant), Arc::clone(&bulletin));
        let system = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let meant = looked_at.lock().unwrap_or_else(PoisonError::into_inner);
            if meant.holds && event.as_ref().is_ok_and(|event| is_about(event, &meant.patterns)) {
                gate.gate().hold(true);
            }
            if event.map_or(true, |event| is_of_interest(&event, &meant.patterns)) {
                let _told_already = tell.try_send(());
            }
        });
        let polls = system.as_ref().err().map(ToString::to_string);
        Self {
            orders,
            commands,
            bulletin,
            origin: Instant::now(),
            quiet: Quiet::new(PAUSE, PATIENCE),
            meant,
            poll_interval: Duration::from_secs(5),
            files: Files::new(),
            system: system.ok(),
            happened,
            folders: Folders::new(),
            polls,
        }
    }

    /// Until nobody can give orders any more.
    pub(super) fn run(mut self) {
        loop {
            let now = Timestamp::ZERO + self.origin.elapsed();
            let polls = if self.polls.is_some() { self.poll_interval } else { Duration::from_secs(3600) };
            let timeout = self.quiet.due().map_or(polls, |due| due.since(now).min(polls));
            let mut is_poll = false;
            select! {
                recv(self.orders) -> order => match order {
                    Ok(watch) => self.on_order(watch),
                    Err(_) => return,
                },
                recv(self.happened) -> _ => self.quiet.on_event(Timestamp::ZERO + self.origin.elapsed()),
                default(timeout) => is_poll = self.polls.is_some(),
            }
            let now = Timestamp::ZERO + self.origin.elapsed();
            if (self.quiet.poll(now) || is_poll && self.quiet.due().is_none()) && self.look().is_err() {
                return;
            }
        }
    }

    fn on_order(&mut self, watch: Watch) {
        let Watch { patterns, poll_interval, files, holds, .. } = watch;
        *self.meant.lock().unwrap_or_else(PoisonError::into_inner) = Meant { patterns, holds };
        self.poll_interval = poll_interval;
        self.files = files;
        // What changed between then and now nobody was told of.
        self.quiet.on_event(Timestamp::ZERO + self.origin.elapsed());
        self.follow();
    }

    /// Looks, and asks for a reload if there is a difference. An error means that nobody listens any more.
    fn look(&mut self) -> Result<(), ()> {
        let files = self.follow();
        let before = std::mem::replace(&mut self.files, files);
        let Some((path, how)) = difference(&before, &self.files) else {
            self.bulletin.gate().hold(false);
            return Ok(());
        };
        info!(target: "forebay", "{} {how}: reload", path.display());
        self.commands.send(Command::Reload).map_err(drop)
    }

    /// The files as they are, after which the system tells of changes wherever there may be some.
    fn follow(&mut self) -> Files {
        for _ in 1..ROUNDS_MAX {
            let found = self.look_once();
            if found.folders == self.folders {
                return found.files;
            }
            self.watch_folders(found.folders);
        }
        self.look_once().files
    }

    fn look_once(&mut self) -> Look {
        let found = look(&self.meant.lock().unwrap_or_else(PoisonError::into_inner).patterns);
        if found.is_cut && self.polls.is_none() {
            self.poll(format!("there are more than {FOLDERS_MAX} folders, of which the rest is not looked at"));
        }
        found
    }

    /// Lets the system tell of changes in these folders and no others.
    fn watch_folders(&mut self, folders: Folders) {
        let Some(system) = &mut self.system else {
            self.folders = folders;
            let why = self.polls.take();
            return self.poll(why.unwrap_or_default());
        };
        for (gone, _) in self.folders.iter().filter(|(path, identity)| folders.get(*path) != Some(*identity)) {
            let _gone_with_it = system.unwatch(gone);
        }
        let mut trouble = None;
        for (new, _) in folders.iter().filter(|(path, identity)| self.folders.get(*path) != Some(*identity)) {
            if files::is_remote(new) {
                trouble = Some(format!("{} is on another machine", new.display()));
            }
            // One that vanished meanwhile is not found at the next look.
            if let Err(error) = system.watch(new, RecursiveMode::NonRecursive)
                && new.is_dir()
            {
                trouble = Some(format!("{}: {error}", new.display()));
            }
        }
        self.folders = folders;
        if let Some(why) = trouble.filter(|_| self.polls.is_none()) {
            self.poll(why);
        }
    }

    /// From now on looks now and then, and says why, once.
    fn poll(&mut self, why: String) {
        if self.polls.is_none() || !why.is_empty() {
            let every = Span(self.poll_interval);
            warn!(target: "forebay", "watch.files: the system does not tell of all changes, so they are looked for every {every}: {why}");
        }
        // Said; an empty reason is not said again.
        self.polls = Some(String::new());
    }
}

/// Whether a file of a pattern has been written, made, moved or deleted.
fn is_about(event: &Event, patterns: &[Pattern]) -> bool {
    let is_change = !matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)));
    is_change && event.paths.iter().any(|path| patterns.iter().any(|pattern| pattern.matches(path)))
}

/// Whether something may have changed for a pattern: one of its files, or folders.
fn is_of_interest(event: &Event, patterns: &[Pattern]) -> bool {
    let is_meant = |path: &Path| patterns.iter().any(|pattern| pattern.matches(path));
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Create(CreateKind::File)
        | EventKind::Remove(RemoveKind::File)
        | EventKind::Modify(ModifyKind::Data(_)) => {
            event.need_rescan() || event.paths.iter().any(|path| is_meant(path))
        }
        // A link that leads elsewhere, a folder, or something that the system does not tell apart.
        EventKind::Any | EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(_) | EventKind::Other => true,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, DataChange, RenameMode};

    use super::*;

    #[test]
    fn what_others_write_is_not_of_interest() {
        let patterns = [Pattern::new(Path::new("/srv/app"), "*.js")];
        let of = |kind, path: &str| is_of_interest(&Event::new(kind).add_path(path.into()), &patterns);
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert!(of(written, "/srv/app/a.js") && !of(written, "/srv/app/log.txt"));
        assert!(!of(EventKind::Access(AccessKind::Any), "/srv/app/a.js"), "our own looking");
        assert!(of(EventKind::Create(CreateKind::Folder), "/srv/app/lib"));
        assert!(of(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "/srv/app/current"));
        assert!(!of(EventKind::Create(CreateKind::File), "/srv/app/log.txt"));
    }
}
