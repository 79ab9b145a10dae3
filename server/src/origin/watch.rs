//! Watches the site's files and the page that takes the application offline, and tells the gate.
//!
//! A thread of its own waits for the system to tell of changes, lets them settle, and looks again. Where the system does
//! not tell, because there are too many folders or it cannot, it looks every so often.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use notify::event::ModifyKind;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

use crate::bulletin::Bulletin;
use crate::site::path::is_hidden;
use crate::site::{ENTRIES_MAX, Index, Kind, Rules, Site};

/// Time without a change after which changes have settled. 50 ms: a deployment writes file after file.
const SETTLED: Duration = Duration::from_millis(50);

/// Longest time that changes may take to settle. 500 ms.
const SETTLED_MAX: Duration = Duration::from_millis(500);

/// How often the offline page is looked for where nobody tells. 500 ms.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Folders below one another that are looked into.
const DEPTH_MAX: usize = 64;

/// What is watched.
pub struct Watch {
    /// Where the gate is.
    pub bulletin: Arc<Bulletin>,
    /// The file whose being there takes the application offline.
    pub offline_page: PathBuf,
    /// Which files are the site's, if it has any.
    pub rules: Option<Arc<Rules>>,
    /// How often files are looked at where the system does not tell of changes.
    pub poll_interval: Duration,
    /// Told when the application goes offline, and when it is back.
    pub on_offline: Box<dyn Fn(bool) + Send>,
}

/// What the thread is told.
enum Told {
    /// Something has changed.
    Changed,
    /// The site has other rules.
    Rules(Option<Arc<Rules>>),
}

/// Tells the thread of other rules.
#[derive(Clone)]
pub struct Watching(Sender<Told>);

impl Watching {
    /// These are the site's rules from now on.
    pub fn set_rules(&self, rules: Option<Arc<Rules>>) {
        let _ended = self.0.send(Told::Rules(rules));
    }
}

/// Looks at the files for the first time, then watches them on a thread of its own.
///
/// # Errors
/// No thread can be made.
pub fn watch(watch: Watch) -> io::Result<Watching> {
    // One change that waits to be looked at stands for all of them.
    let (to, told) = bounded(1);
    let mut eyes = Eyes::new(watch, &to);
    eyes.look();
    thread::Builder::new().name("site".into()).spawn(move || eyes.run(&told))?;
    Ok(Watching(to))
}

struct Eyes {
    watch: Watch,
    watcher: Option<RecommendedWatcher>,
    /// Whether every change is told.
    is_told: bool,
    is_offline: bool,
    is_full: bool,
    looked: Instant,
}

impl Eyes {
    fn new(watch: Watch, to: &Sender<Told>) -> Self {
        let to = to.clone();
        let offline_page = watch.offline_page.file_name().map(ToOwned::to_owned);
        let tell = move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, |event| matters(event, offline_page.as_deref())) {
                let _one_waits_already = to.try_send(Told::Changed);
            }
        };
        let watcher = notify::recommended_watcher(tell);
        if let Err(error) = &watcher {
            warn!(target: "forebay", "cannot be told of changes of files ({error}): looks for them every so often");
        }
        Self {
            is_told: watcher.is_ok(),
            watcher: watcher.ok(),
            watch,
            is_offline: false,
            is_full: false,
            looked: Instant::now(),
        }
    }

    fn run(mut self, told: &Receiver<Told>) {
        loop {
            let pause = if self.is_told { Duration::MAX } else { LOOK_EVERY };
            let next = if pause == Duration::MAX {
                told.recv().map_err(|_| ())
            } else {
                match told.recv_timeout(pause) {
                    Ok(told) => Ok(told),
                    Err(error) if error.is_timeout() => {
                        if self.looked.elapsed() >= self.watch.poll_interval {
                            self.look();
                        } else {
                            self.look_offline();
                        }
                        continue;
                    }
                    Err(_) => Err(()),
                }
            };
            match next {
                // Nobody is left who could tell.
                Err(()) => return,
                Ok(Told::Rules(rules)) => self.watch.rules = rules,
                Ok(Told::Changed) => {
                    // The page that takes the application offline cannot wait for a deployment to settle.
                    self.look_offline();
                    self.settle(told);
                }
            }
            self.look();
        }
    }

    /// Waits until nothing has changed for a while.
    fn settle(&mut self, told: &Receiver<Told>) {
        let since = Instant::now();
        while since.elapsed() < SETTLED_MAX {
            match told.recv_timeout(SETTLED) {
                Ok(Told::Changed) => {}
                Ok(Told::Rules(rules)) => self.watch.rules = rules,
                Err(_) => return,
            }
        }
    }

    fn look(&mut self) {
        self.looked = Instant::now();
        if let Some(folder) = self.watch.offline_page.parent().map(Path::to_owned) {
            self.see(&folder);
        }
        self.look_offline();
        let site = self.watch.rules.clone().map(|rules| {
            let mut index = Index::default();
            let is_full = !self.walk(&rules, &mut index);
            if is_full && !self.is_full {
                let root = rules.root.display();
                warn!(target: "forebay", "{root} has more than {ENTRIES_MAX} files: those beyond are not served");
            }
            self.is_full = is_full;
            Site { rules, index: Arc::new(index) }
        });
        self.watch.bulletin.gate().set_site(site);
    }

    fn look_offline(&mut self) {
        let is_offline = self.watch.offline_page.is_file();
        if is_offline != self.is_offline {
            self.is_offline = is_offline;
            if is_offline {
                self.watch.bulletin.gate().set_offline(true);
            }
            // Back is said by whoever brings the workers back.
            (self.watch.on_offline)(is_offline);
        }
    }

    /// Asks to be told of changes in a folder; again, for another one of that name may be there by now.
    fn see(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {}
            // A folder that is gone again is not missed.
            Err(_) if !folder.exists() => {}
            Err(error) => {
                if std::mem::replace(&mut self.is_told, false) {
                    let folder = folder.display();
                    warn!(target: "forebay", "cannot be told of changes in {folder} ({error}): looks for them every so often");
                }
            }
        }
    }

    /// Notes everything below the root that may be served; false if there was no room for all of it.
    fn walk(&mut self, rules: &Rules, index: &mut Index) -> bool {
        let Ok(root) = fs::canonicalize(&rules.root) else { return true };
        let mut seen = HashSet::from([root.clone()]);
        let mut folders = vec![(root.clone(), String::new(), 0)];
        while let Some((folder, name, depth)) = folders.pop() {
            self.see(&folder);
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let Ok(own) = entry.file_name().into_string() else { continue };
                let below = if name.is_empty() { own } else { format!("{name}/{own}") };
                if rules.is_hidden(&below) {
                    continue;
                }
                let Some((path, kind)) = kind_of(&entry, &root) else { continue };
                if !index.add(&below, kind) {
                    return false;
                }
                // A link to a folder above would lead round and round.
                if kind == Kind::Folder && depth < DEPTH_MAX && seen.insert(path.clone()) {
                    folders.push((path, below, depth + 1));
                }
            }
        }
        true
    }
}

/// What an entry is, and where it really lies: not outside of the root.
fn kind_of(entry: &fs::DirEntry, root: &Path) -> Option<(PathBuf, Kind)> {
    let kind = entry.file_type().ok()?;
    let (path, kind) = if kind.is_symlink() {
        let path = fs::canonicalize(entry.path()).ok()?;
        let kind = fs::metadata(&path).ok()?.file_type();
        (path, kind)
    } else {
        (entry.path(), kind)
    };
    let kind = if kind.is_dir() {
        Kind::Folder
    } else if kind.is_file() {
        Kind::File
    } else {
        return None;
    };
    path.starts_with(root).then_some((path, kind))
}

/// Whether names have changed, and not only what is in a file. What an application does in folders of its own, it may do
/// often.
fn matters(event: &notify::Event, offline_page: Option<&OsStr>) -> bool {
    match event.kind {
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => {}
        EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Any) => {}
        EventKind::Modify(_) | EventKind::Access(_) => return false,
    }
    let is_of_no_interest = |path: &PathBuf| {
        let name = path.file_name();
        name != offline_page && name.is_some_and(|name| is_hidden(&name.to_string_lossy()))
    };
    event.need_rescan() || event.paths.is_empty() || !event.paths.iter().all(is_of_no_interest)
}
