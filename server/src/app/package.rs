//! What matters in a package.json.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{Origin, Problem, plain};

/// The most that a package.json may hold.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A package.json.
#[derive(Debug)]
pub(super) struct Package {
    /// Its own path.
    pub(super) path: PathBuf,
    /// `scripts.start`.
    pub(super) start: Option<String>,
    /// `main`.
    pub(super) main: Option<String>,
    name: Option<String>,
    version: Option<String>,
    text: String,
}

impl Package {
    /// Reads the one in `folder`, if there is one.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Problem> {
        let path = folder.join("package.json");
        let wrong = |line: usize, what: String| Problem::new(Origin::File { path: path.clone(), line }, "", what);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(1, format!("cannot be read ({})", plain(&error)))),
        }
        // npm takes a byte order mark too.
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(&bytes));
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            let what = error.to_string();
            let what = what.split(" at line").next().unwrap_or(&what);
            wrong(error.line().max(1), format!("not JSON ({what})")).hint("`npm pkg fix` or an editor shows where")
        })?;
        if !value.is_object() {
            return Err(wrong(1, "not a package.json (no object)".to_owned()));
        }
        let word = |value: &Value| value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Some(Self {
            start: word(&value["scripts"]["start"]).filter(|line| !is_placeholder(line)),
            main: word(&value["main"]),
            name: word(&value["name"]),
            version: word(&value["version"]),
            text: text.into_owned(),
            path,
        }))
    }

    /// The line where `key` is first written.
    pub(super) fn line_of(&self, key: &str) -> usize {
        let key = format!("\"{key}\"");
        self.text.lines().position(|line| line.contains(&key)).map_or(1, |at| at + 1)
    }

    /// The variables of `npm start` that applications read.
    pub(super) fn npm_env(&self) -> Vec<(OsString, OsString)> {
        let package = [("npm_package_name", &self.name), ("npm_package_version", &self.version)];
        let of = package.into_iter().filter_map(|(name, value)| Some((name.into(), value.as_ref()?.into())));
        of.chain([("npm_lifecycle_event".into(), "start".into())]).collect()
    }
}

/// What `npm init` writes for scripts it knows nothing about.
fn is_placeholder(line: &str) -> bool {
    line.starts_with("echo \"Error: no ") && line.ends_with("&& exit 1")
}
