//! The node binary: where it is, and whether it is one that Forebay can run.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::config::{Origin, Problem, plain};
use crate::spawn::{is_program, program_names};

/// The oldest major version that the preload is tested with.
pub const MAJOR_MIN: u32 = 18;

/// Time for `node --version`. It takes 5 to 50 ms; a wrapper that downloads node first may take longer.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// A node binary that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub path: PathBuf,
    /// Major, minor, patch.
    pub version: (u32, u32, u32),
}

impl Node {
    /// Finds the node that `named` means, or the first one on `path`, and asks for its version.
    ///
    /// # Errors
    /// None there, none that runs, or one older than [`MAJOR_MIN`].
    pub fn find(named: Option<&Path>, origin: &Origin, path: Option<&OsStr>) -> Result<Self, Problem> {
        let wrong = |what: String| Problem::new(origin.clone(), "app.node", what);
        let name = named.unwrap_or(Path::new("node"));
        let Some(binary) = Self::locate(name, path) else {
            return Err(match named {
                None => wrong("not found on PATH (node)".to_owned())
                    .hint("install node 18 or newer, or name it: [app] node = \"/path/to/node\""),
                Some(_) => wrong(format!("not found ({})", name.display())).hint("name the node binary itself"),
            });
        };
        let text = version_text(&binary).map_err(|what| {
            wrong(format!("does not run ({}: {what})", binary.display())).hint("`node --version` must work")
        })?;
        let Some(version) = parse_version(&text) else {
            return Err(wrong(format!("does not tell its version ({}: {:?})", binary.display(), text.trim()))
                .hint("is this really node?"));
        };
        if version.0 < MAJOR_MIN {
            let what = format!("too old ({} is {}), allowed: {MAJOR_MIN} or newer", binary.display(), text.trim());
            return Err(wrong(what).hint("install a newer node, or name one: [app] node = \"/path/to/node\""));
        }
        Ok(Self { path: binary, version })
    }

    /// Where the binary is that `name` means: itself if it is a path, else the first one on `path`.
    #[must_use]
    pub fn locate(name: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
        if name.components().count() > 1 {
            Some(name.to_owned()).filter(|file| file.exists())
        } else {
            on_path(name, path)
        }
    }

    /// One that is not there, so that its version is not known.
    #[must_use]
    pub fn missing(name: &Path) -> Self {
        Self { path: name.to_owned(), version: (0, 0, 0) }
    }

    /// Its version as node tells it, `v20.20.2`.
    #[must_use]
    pub fn version_text(&self) -> String {
        match self.version {
            (0, 0, 0) => "not there".to_owned(),
            (major, minor, patch) => format!("v{major}.{minor}.{patch}"),
        }
    }

    /// What makes this node run TypeScript by leaving the types out.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn type_stripping(&self) -> Result<Option<OsString>, String> {
        let (major, minor, patch) = self.version;
        // On by default since 22.18 and 23.6, behind the flag since 22.6.
        match (major, minor) {
            (22, 18..) | (23, 6..) | (24.., _) => Ok(None),
            (22, 6..) | (23, _) => Ok(Some("--experimental-strip-types".into())),
            _ => Err(format!("node {major}.{minor}.{patch} does not run TypeScript")),
        }
    }
}

fn on_path(name: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    let folders = std::env::split_paths(path?).filter(|folder| folder.is_absolute());
    folders.flat_map(|folder| program_names(folder.join(name))).find(|file| is_program(file))
}

fn version_text(binary: &Path) -> Result<String, String> {
    let mut child = Command::new(binary)
        .arg("--version")
        // What is preloaded into the application is not meant for this.
        .env_remove("NODE_OPTIONS")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| plain(&error))?;
    let deadline = Instant::now() + VERSION_TIMEOUT;
    let status = loop {
        match child.try_wait().map_err(|error| plain(&error))? {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                let _gone = child.kill().and_then(|()| child.wait());
                return Err(format!("no answer within {} s", VERSION_TIMEOUT.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let mut text = String::new();
    if let Some(out) = child.stdout.take() {
        out.take(1000).read_to_string(&mut text).map_err(|error| plain(&error))?;
    }
    if status.success() { Ok(text) } else { Err(status.to_string()) }
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split(['.', '-', '+']).map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("v20.20.2\n"), Some((20, 20, 2)));
        assert_eq!(parse_version("v23.0.0-nightly2024\n"), Some((23, 0, 0)));
        assert_eq!((parse_version("Python 3"), parse_version("v20")), (None, None));
    }

    #[test]
    fn types_are_stripped_by_those_that_can() {
        let node = |major, minor| Node { path: "node".into(), version: (major, minor, 0) }.type_stripping();
        assert!(node(20, 20).is_err() && node(22, 5).is_err());
        assert!(node(22, 6).is_ok_and(|flag| flag.is_some()) && node(23, 0).is_ok_and(|flag| flag.is_some()));
        assert_eq!((node(22, 18), node(23, 6), node(24, 0)), (Ok(None), Ok(None), Ok(None)));
    }
}
