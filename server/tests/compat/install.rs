//! The packages, from the lock file, into a folder that is kept as long as the lock file stays the same.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = include_str!("package.json");
const LOCK: &str = include_str!("package-lock.json");

/// The folder with `node_modules`, `apps` and `client`, made if it is not there.
pub(crate) fn install() -> Result<PathBuf, String> {
    // Of the folder of this package's test data, whose parent is the target folder.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("compat");
    let mut hasher = DefaultHasher::new();
    (MANIFEST, LOCK).hash(&mut hasher);
    let folder = target.join(format!("{:016x}", hasher.finish()));
    if !folder.join("node_modules").is_dir() {
        fs::create_dir_all(&target).unwrap();
        // Made aside and moved, so that what is there is whole.
        let fresh = tempfile::Builder::new().prefix("new-").tempdir_in(&target).unwrap();
        npm_ci(fresh.path())?;
        if fs::rename(fresh.path(), &folder).is_ok() {
            let _moved = fresh.keep();
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat");
    for part in ["apps", "client"] {
        copy(&source.join(part), &folder.join(part));
    }
    Ok(folder)
}

fn npm_ci(folder: &Path) -> Result<(), String> {
    fs::write(folder.join("package.json"), MANIFEST).unwrap();
    fs::write(folder.join("package-lock.json"), LOCK).unwrap();
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    // No script of a package runs: nothing of what is tested needs one.
    let flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    let output = Command::new(npm).args(flags).current_dir(folder).output();
    let output = output.map_err(|error| format!("npm cannot be started ({error})"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("npm ci failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Copies the files of a folder. Node looks for packages from where a script is, so scripts go where the packages are.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The version of a package that the lock file has.
pub(crate) fn version(package: &str) -> String {
    let lock: serde_json::Value = serde_json::from_str(LOCK).unwrap();
    let entry = &lock["packages"][format!("node_modules/{package}")];
    entry["version"].as_str().unwrap_or_else(|| panic!("{package} is not in the lock file")).to_owned()
}
