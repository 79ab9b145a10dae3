//! Which files there are below a folder, so that a shard can tell without touching the file system.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use forebay_transports::files::CASE_MATTERS;
/// Files and folders of one index at most; more are not known, and so not served. 200 000: some 20 MB.
pub const ENTRIES_MAX: usize = 200_000;

/// What is there under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// Names below a root, with slashes, in the form of [`clean`](super::path::clean).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    entries: HashMap<Box<str>, Kind>,
}

impl Index {
    /// Notes a file or folder; false when there is no room for more.
    pub fn add(&mut self, path: &str, kind: Kind) -> bool {
        let is_full = self.entries.len() >= ENTRIES_MAX;
        match self.entries.entry(folded(path).into()) {
            Entry::Occupied(_) => true,
            Entry::Vacant(_) if is_full => false,
            Entry::Vacant(place) => {
                place.insert(kind);
                true
            }
        }
    }

    /// What is there; the root itself is a folder.
    #[must_use]
    pub fn kind(&self, path: &str) -> Option<Kind> {
        if path.is_empty() {
            return Some(Kind::Folder);
        }
        self.entries.get(&*folded(path)).copied()
    }

    /// How many files and folders are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The name as the system compares it.
fn folded(path: &str) -> std::borrow::Cow<'_, str> {
    if CASE_MATTERS { path.into() } else { path.to_lowercase().into() }
}
