//! One look at the files: which match, how they are, and where to be told of changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use forebay_transports::files;

use super::pattern::Pattern;

/// Folders that are looked into, at most. 8192: what inotify allows one user on many systems.
pub(super) const FOLDERS_MAX: usize = 8192;

/// How a file is, as far as a change of it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    /// Another file of the same name is another file.
    identity: u64,
}

/// The files that match.
pub(super) type Files = BTreeMap<PathBuf, Stamp>;

/// Folders, and what tells each from another one of the same name: who was told of changes in a folder that is replaced
/// hears nothing of the next.
pub(super) type Folders = BTreeMap<PathBuf, u64>;

/// What one look has found.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) files: Files,
    /// Where something would have to happen for it to be different.
    pub(super) folders: Folders,
    /// Whether there are more folders than are looked into.
    pub(super) is_cut: bool,
}

/// Looks at what the patterns mean. What cannot be read is not there.
pub(super) fn look(patterns: &[Pattern]) -> Look {
    let mut found = Look::default();
    for pattern in patterns {
        found.links(&pattern.folder);
        if let Some(path) = pattern.only() {
            found.nearest(&pattern.folder);
            found.file(path);
        } else if pattern.folder.is_dir() {
            found.folder(pattern, pattern.folder.clone());
        } else {
            found.nearest(&pattern.folder);
        }
    }
    found
}

impl Look {
    fn folder(&mut self, pattern: &Pattern, folder: PathBuf) {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            if self.folders.len() >= FOLDERS_MAX {
                self.is_cut = true;
                return;
            }
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if entry.file_name().to_str().is_some_and(|name| pattern.goes_into(name)) {
                        folders.push(path);
                    }
                } else if pattern.matches(&path) {
                    self.file(&path);
                }
            }
            self.watched(folder);
        }
    }

    /// A file, or what a link leads to.
    fn file(&mut self, path: &Path) {
        if let Ok(meta) = fs::metadata(path)
            && meta.is_file()
        {
            let stamp =
                Stamp { modified: meta.modified().ok(), size: meta.len(), identity: files::identity(path, &meta) };
            self.files.insert(path.to_path_buf(), stamp);
        }
    }

    /// The folder, or the nearest one above that is there: that is where it would appear.
    fn nearest(&mut self, folder: &Path) {
        if let Some(there) = folder.ancestors().find(|folder| folder.is_dir()) {
            self.watched(there.to_path_buf());
        }
    }

    /// Where links on the way lie: `current` of a deployment may lead to another folder tomorrow.
    fn links(&mut self, folder: &Path) {
        let links = folder.ancestors().filter(|path| path.is_symlink());
        for folder in links.filter_map(Path::parent) {
            self.watched(folder.to_path_buf());
        }
    }

    fn watched(&mut self, folder: PathBuf) {
        if let Ok(meta) = fs::metadata(&folder) {
            let identity = files::identity(&folder, &meta);
            self.folders.insert(folder, identity);
        }
    }
}

/// The first file that is different, and how; none if all are as they were.
pub(super) fn difference(before: &Files, after: &Files) -> Option<(PathBuf, &'static str)> {
    let is_other = |(path, stamp): &(&PathBuf, &Stamp)| before.get(*path) != Some(*stamp);
    if let Some((path, _)) = after.iter().find(is_other) {
        let how = if before.contains_key(path) { "has changed" } else { "is new" };
        return Some((path.clone(), how));
    }
    before.keys().find(|path| !after.contains_key(*path)).map(|path| (path.clone(), "is gone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &Files, base: &Path) -> Vec<String> {
        files.keys().map(|path| path.strip_prefix(base).unwrap().display().to_string().replace('\\', "/")).collect()
    }

    #[test]
    fn what_matches_is_found_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path();
        for name in ["a.js", "b.txt", "lib/c.js", "lib/deep/d.js", "node_modules/m/e.js", ".git/f.js"] {
            fs::create_dir_all(base.join(name).parent().unwrap()).unwrap();
            fs::write(base.join(name), name).unwrap();
        }
        let found = |text: &str| look(&[Pattern::new(base, text)]);
        assert_eq!(names(&found("*.js").files, base), ["a.js"]);
        assert_eq!(names(&found("**/*.js").files, base), ["a.js", "lib/c.js", "lib/deep/d.js"]);
        assert_eq!(found("**/*.js").folders.len(), 3);
        assert_eq!(names(&found(r"node_modules\**\*.js").files, base), ["node_modules/m/e.js"]);
        let missing = found("no/such/*.js");
        assert!(missing.files.is_empty());
        assert!(missing.folders.keys().eq([base]), "where it would appear");
    }

    #[test]
    fn every_way_to_change_a_file_shows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.js");
        let patterns = [Pattern::new(dir.path(), "*.js")];
        let mut before = look(&patterns).files;
        let mut changed = |expected: Option<&str>| {
            let after = look(&patterns).files;
            assert_eq!(difference(&before, &after).map(|(_, how)| how), expected);
            before = after;
        };
        changed(None);
        fs::write(&path, "1").unwrap();
        changed(Some("is new"));
        changed(None);
        fs::write(&path, "22").unwrap();
        changed(Some("has changed"));
        // The same size and time, but another file.
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let other = dir.path().join("b.txt");
        fs::write(&other, "33").unwrap();
        fs::File::options().append(true).open(&other).unwrap().set_modified(time).unwrap();
        fs::rename(&other, &path).unwrap();
        changed(Some("has changed"));
        fs::rename(&path, dir.path().join("z.js")).unwrap();
        changed(Some("is new"));
        fs::remove_file(dir.path().join("z.js")).unwrap();
        changed(Some("is gone"));
    }
}
