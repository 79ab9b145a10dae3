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
    for part in ["apps", "client"] {
        copy(&source().join(part), &folder.join(part));
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

/// Lets Next.js build its application, if that was not done for these sources yet.
pub(crate) fn build_next(folder: &Path) -> Result<(), String> {
    let (next, source) = (folder.join("next"), source().join("next"));
    let mut hasher = DefaultHasher::new();
    hash_folder(&source, &mut hasher);
    let mark = next.join(format!("built-{:016x}", hasher.finish()));
    if mark.exists() {
        return Ok(());
    }
    let _none = fs::remove_dir_all(&next);
    copy(&source, &next);
    let mut command = Command::new("node");
    command.arg(folder.join("node_modules/next/dist/bin/next")).arg("build").current_dir(&next);
    // It would ask the registry for what the lock file leaves out.
    command.env("NEXT_TELEMETRY_DISABLED", "1").env("NEXT_IGNORE_INCORRECT_LOCKFILE", "1").env_remove("NODE_ENV");
    let output = command.output().map_err(|error| format!("node cannot be started ({error})"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(format!("next build failed ({}):\n{}", output.status, String::from_utf8_lossy(&said)));
    }
    // What a content delivery network would serve is left to whoever deploys.
    let standalone = next.join(".next/standalone/next");
    copy(&next.join(".next/static"), &standalone.join(".next/static"));
    copy(&next.join("public"), &standalone.join("public"));
    fs::write(mark, "").unwrap();
    Ok(())
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) {
    for path in entries(folder) {
        if path.is_dir() {
            hash_folder(&path, hasher);
        } else {
            (path.file_name(), fs::read(&path).unwrap()).hash(hasher);
        }
    }
}

/// Copies a folder. Node looks for packages from where a script is, so scripts go where the packages are.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in entries(from) {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// The version of a package that the lock file has.
pub(crate) fn version(package: &str) -> String {
    let lock: serde_json::Value = serde_json::from_str(LOCK).unwrap();
    let entry = &lock["packages"][format!("node_modules/{package}")];
    entry["version"].as_str().unwrap_or_else(|| panic!("{package} is not in the lock file")).to_owned()
}
