//! The JavaScript inside the binary, and how it gets into a worker.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use forebay_transports::files::{private_file, private_folders};

/// The preload's file name in the runtime folder.
pub const PRELOAD_FILE: &str = "preload.cjs";

/// The demo's file name in the runtime folder.
pub const DEMO_FILE: &str = "demo.cjs";

/// Names files of `server/node` with their texts.
macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../node/", $name)))),*] };
}

/// Everything that is written, by its path in the runtime folder. The preload comes last: whoever finds it finds what it
/// requires.
const FILES: &[(&str, &str)] = files![
    "demo.cjs",
    "pipe/decode.cjs",
    "pipe/encode.cjs",
    "pipe/head.cjs",
    "pipe/wire.cjs",
    "worker/attach.cjs",
    "worker/dispatch.cjs",
    "worker/exchange.cjs",
    "worker/hidden.cjs",
    "worker/idle.cjs",
    "worker/learn.cjs",
    "worker/link.cjs",
    "worker/links.cjs",
    "worker/orders.cjs",
    "worker/rawtext.cjs",
    "worker/response.cjs",
    "worker/selftest.cjs",
    "worker/server.cjs",
    "worker/settle.cjs",
    "worker/socket.cjs",
    "worker/stats.cjs",
    "worker/term.cjs",
    "worker/upgrade.cjs",
    "preload.cjs",
];

/// The folders that they are in.
const FOLDERS: &[&str] = &["pipe", "worker"];

/// Writes the preload, what it requires and the demo (for this user alone) into a folder that is there
/// and ours. Returns the preload's path. Again is harmless, also from another process at the same time: files that differ
/// are replaced whole, so that a worker that starts meanwhile reads the old or the new.
///
/// # Errors
/// The folder cannot be written to.
pub fn install(runtime_dir: &Path) -> io::Result<PathBuf> {
    for folder in FOLDERS {
        private_folders(&runtime_dir.join(folder))?;
    }
    for (name, text) in FILES {
        write(&runtime_dir.join(name), text)?;
    }
    Ok(runtime_dir.join(PRELOAD_FILE))
}

/// A number that texts which differ do not share, so that each version of them has a folder of its own (FNV-1a).
#[must_use]
pub fn fingerprint() -> u64 {
    let bytes = FILES.iter().flat_map(|(name, text)| name.bytes().chain(text.bytes()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Removes what [`install`] wrote, so that the folder can go once the endpoints are gone; whether nothing of it is left.
/// On Windows a file is there until nobody has it open.
pub fn remove(runtime_dir: &Path) -> bool {
    // Nothing depends on it: the folder is private, and temporary.
    for (name, _) in FILES {
        let _left = fs::remove_file(runtime_dir.join(name));
    }
    for folder in FOLDERS {
        let _left = fs::remove_dir(runtime_dir.join(folder));
    }
    let names = FOLDERS.iter().chain(&[PRELOAD_FILE, DEMO_FILE]);
    let listed: Vec<_> =
        fs::read_dir(runtime_dir).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    !names.into_iter().any(|name| listed.iter().any(|listed| listed == *name))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    // A name of our own: whoever else writes the same file at this moment must not find ours half done.
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    private_file(&fresh)?.write_all(text.as_bytes())?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
        let benches = ["pipe/bench.cjs", "pipe/codec.cjs", "worker/bench.cjs"];
        for folder in FOLDERS {
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
                let is_known = FILES.iter().any(|(known, _)| *known == name) || benches.contains(&&*name);
                assert!(is_known, "{name} is not written into the runtime folder");
            }
        }
    }
}
