//! The JavaScript inside the binary, and how it gets into a worker.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The preload's file name in the runtime folder.
pub const PRELOAD_FILE: &str = "preload.cjs";

/// The demo's file name in the runtime folder.
pub const DEMO_FILE: &str = "demo.cjs";

const PRELOAD: &str = include_str!("../../node/preload.cjs");
const DEMO: &str = include_str!("../../node/demo.cjs");

/// Makes the runtime folder (mode 0700) and writes the preload and the demo into it (0600). Returns the preload's
/// path. Again is harmless: files are replaced whole, so that a worker that starts meanwhile reads the old or the new.
///
/// # Errors
/// The folder cannot be made or written, or belongs to somebody else: nobody else may place an endpoint there.
pub fn install(runtime_dir: &Path) -> io::Result<PathBuf> {
    make_private(runtime_dir)?;
    write(runtime_dir, DEMO_FILE, DEMO)?;
    write(runtime_dir, PRELOAD_FILE, PRELOAD)
}

/// The variables that load the preload into a worker and tell it where to listen. `own_options` is the `NODE_OPTIONS`
/// that the worker would have without; `indirect` is [`Launch::indirect`](crate::config::Launch::indirect).
#[must_use]
pub fn preload_env(
    preload: &Path,
    endpoint: &Path,
    indirect: bool,
    own_options: Option<&OsStr>,
) -> Vec<(OsString, OsString)> {
    // NODE_OPTIONS is split at spaces; within double quotes only \ and " have to be escaped.
    let escaped = preload.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    let mut options = OsString::from(format!("--require \"{escaped}\""));
    if let Some(own) = own_options {
        options.push(" ");
        options.push(own);
    }
    let mut env: Vec<(OsString, OsString)> =
        vec![("NODE_OPTIONS".into(), options), ("FOREBAY_ENDPOINT".into(), endpoint.into())];
    if indirect {
        env.push(("FOREBAY_INHERIT".into(), "1".into()));
    }
    env
}

fn write(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&fresh)?.write_all(text.as_bytes())?;
    fs::rename(&fresh, &path)?;
    Ok(path)
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // Not followed: a link in a temporary folder may be anybody's.
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "belongs to somebody else"));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    // The temporary folder is the user's own there, and endpoints are pipes, which are not in it.
    fs::create_dir_all(folder)
}
