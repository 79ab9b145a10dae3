//! Where the preload lives for processes that somebody else starts: a private folder that outlives us.
//!
//! `NODE_OPTIONS="--require $(forebay preload)"` runs before each of them, perhaps many times at once. So the folder is
//! made once for each version of the scripts, and what is in it is replaced only if somebody changed it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use forebay_transports::files::{private_folders, user};

use super::assets;
use crate::supervisor::runtime_dir::{StartError, private_folder};

/// What it is called in messages.
const WHAT: &str = "preload";

/// Installs the preload where it stays, and says where that is. The folder is in `$XDG_RUNTIME_DIR`, else in the user's
/// cache (`%LOCALAPPDATA%` on Windows), else in the temporary folder.
///
/// # Errors
///
/// When no such folder can be made, or all belong to somebody else: who can write there decides what node runs.
pub fn preload(env: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, StartError> {
    let name = format!("forebay-{}-{:016x}", env!("CARGO_PKG_VERSION"), assets::fingerprint());
    let mut refused = None;
    for folder in places(env, &name) {
        match install(&folder) {
            Ok(path) => return Ok(path),
            Err(error) => refused = Some(refused.unwrap_or(error)),
        }
    }
    Err(refused.unwrap_or_else(|| StartError {
        what: format!("{WHAT}: no folder for it has a path without spaces and quotes, which NODE_OPTIONS needs"),
        hint: "set TMPDIR to one that has".into(),
    }))
}

/// Folders that would do, the best first.
fn places(env: impl Fn(&str) -> Option<OsString>, name: &str) -> Vec<PathBuf> {
    let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let runtime = absolute("XDG_RUNTIME_DIR").filter(|path| path.is_dir());
    let home = || absolute("LOCALAPPDATA").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    let cache = absolute("XDG_CACHE_HOME").or_else(home);
    let temporary = absolute("TMPDIR").unwrap_or_else(std::env::temp_dir);
    let shared = temporary.join(format!("{name}-{}", user()));
    let own = [runtime, cache].into_iter().flatten().map(|folder| folder.join(name));
    own.chain([shared]).filter(|path| is_plain(path)).collect()
}

/// NODE_OPTIONS is split at spaces, and knows quotes; a backslash outside of them is one.
fn is_plain(path: &Path) -> bool {
    path.to_str().is_some_and(|path| !path.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')))
}

fn install(folder: &Path) -> Result<PathBuf, StartError> {
    if let Some(parent) = folder.parent() {
        // A cache that nobody has used yet. Whether it worked shows in the next line.
        let _there = private_folders(parent);
    }
    private_folder(folder, WHAT)?;
    assets::install(folder).map_err(|error| StartError {
        what: format!("{WHAT}: cannot write to {} ({error})", folder.display()),
        hint: "remove it, or set XDG_CACHE_HOME to a folder that this user can write to".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places_with(vars: &[(&str, &Path)]) -> Vec<PathBuf> {
        let env = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_os_str().to_owned());
        places(env, "n")
    }

    #[test]
    fn the_best_place_comes_first() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let (home, spaced, cache, temporary) =
            (root.join("x"), root.join("with space"), root.join("c"), root.join("t"));
        let shared = |folder: &Path| folder.join(format!("n-{}", user()));
        let usual = [("HOME", &*home), ("TMPDIR", &temporary)];
        assert_eq!(places_with(&[]), [shared(&std::env::temp_dir())]);
        assert_eq!(places_with(&usual), [home.join(".cache").join("n"), shared(&temporary)]);
        let with = |more: &[(&'static str, &Path)]| places_with(&[more, &usual].concat());
        let best = with(&[("XDG_RUNTIME_DIR", root), ("XDG_CACHE_HOME", &cache)]);
        assert_eq!(best, [root.join("n"), cache.join("n"), shared(&temporary)]);
        assert_eq!(with(&[("LOCALAPPDATA", &cache)]), [cache.join("n"), shared(&temporary)]);
        let gone = root.join("gone");
        let none = with(&[("XDG_RUNTIME_DIR", &gone), ("XDG_CACHE_HOME", Path::new("relative")), ("HOME", &spaced)]);
        assert_eq!(none, [shared(&temporary)]);
    }
}
