//! The JavaScript inside the binary, and how it gets into a worker.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The preload's file name in the runtime folder.
pub const PRELOAD_FILE: &str = "preload.cjs";

/// The demo's file name in the runtime folder.
pub const DEMO_FILE: &str = "demo.cjs";

const PRELOAD: &str = include_str!("../../node/preload.cjs");
const DEMO: &str = include_str!("../../node/demo.cjs");

/// Writes the preload and the demo (mode 0600) into the runtime folder, which is there and ours. Returns the preload's
/// path. Again is harmless: files are replaced whole, so that a worker that starts meanwhile reads the old or the new.
///
/// # Errors
/// The folder cannot be written to.
pub fn install(runtime_dir: &Path) -> io::Result<PathBuf> {
    write(runtime_dir, DEMO_FILE, DEMO)?;
    write(runtime_dir, PRELOAD_FILE, PRELOAD)
}

/// Removes what [`install`] wrote, so that the folder can go once the endpoints are gone.
pub fn remove(runtime_dir: &Path) {
    for name in [PRELOAD_FILE, DEMO_FILE] {
        // Nothing depends on it: the folder is private, and temporary.
        let _left = fs::remove_file(runtime_dir.join(name));
    }
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
