//! `forebay import`: a forebay.toml out of the configuration of iisnode, PM2 or NGINX Unit.
//!
//! Each reader fills the same layers that a configuration is resolved from, so that every value was checked by the
//! setting it goes to, and says what it cannot carry, with the reason.

mod pm2;
mod unit;
mod write;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::{ConfigErrors, Origin, Problem, Remark};
use super::iisnode::{self, Place, Profile};
use super::layers::Layers;
use super::resolve::Sources;
use super::value::Raw;
use super::{file, plain};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The forebay.toml.
    pub toml: String,
    /// What it does not carry, with the reason; also in its comments.
    pub lost: Vec<String>,
}

/// What is read.
enum Kind {
    Iisnode(Place),
    Pm2(PathBuf),
    Unit(PathBuf),
}

/// Reads `files` and writes a forebay.toml that is to lie in the folder `target`.
///
/// # Errors
/// Files that are none of these, or that cannot be read.
pub fn import(files: &[PathBuf], target: &Path, sources: &Sources) -> Result<Import, ConfigErrors> {
    let mut layers = Layers::new();
    let kind = kind(files, &sources.cwd)?;
    let mut carry = Carry { layers: &mut layers, folder: PathBuf::new(), lost: Vec::new() };
    match &kind {
        Kind::Iisnode(place) => {
            let profile = iisnode::asked(sources).unwrap_or(Profile::Iisnode);
            iisnode::load(place, profile, sources, carry.layers);
            ConfigErrors::check(std::mem::take(&mut carry.layers.problems))?;
            carry.lost = carry.layers.remarks.drain(..).map(|remark: Remark| remark.to_string()).collect();
            if carry.layers.draft.site.rules.is_some() {
                let why = "every request goes to the application; [site] can serve files, and a proxy in front rewrite";
                carry.lose("handlers, rewrite, defaultDocument, staticContent", why);
            }
            carry.set("app.profile", Raw::Text(profile.name().to_owned()));
        }
        Kind::Pm2(path) => {
            carry.folder = parent(path);
            pm2::read(&pm2::evaluate(path, sources)?, &mut carry);
        }
        Kind::Unit(path) => {
            carry.folder = parent(path);
            unit::read(&json(path)?, &mut carry);
        }
    }
    let Carry { mut lost, .. } = carry;
    // A value that no setting takes is one more thing that is lost.
    lost.extend(layers.problems.iter().map(|problem| format!("{}: {}", problem.key, problem.what)));
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    Ok(Import { toml: write::toml(&layers.rows, &names.join(", "), &lost, target), lost })
}

fn kind(files: &[PathBuf], cwd: &Path) -> Result<Kind, Problem> {
    let wrong = |what: String| {
        let known = "web.config and iisnode.yml, ecosystem.config.js or .json of PM2, unit.json of NGINX Unit";
        Problem::new(Origin::Flag("FILE"), "", format!("{what}, allowed: {known}"))
    };
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_iisnodes = |file: &PathBuf| {
        name(file).ends_with(".config") || name(file).ends_with(".yml") && !name(file).contains("ecosystem")
    };
    match files {
        [folder] if cwd.join(folder).is_dir() => Place::find(&cwd.join(folder), folder)
            .map(Kind::Iisnode)
            .ok_or_else(|| wrong(format!("no web.config and no iisnode.yml there ({})", folder.display()))),
        [file, rest @ ..]
            if is_iisnodes(file) && rest.iter().all(|it| is_iisnodes(it) && it.parent() == file.parent()) =>
        {
            let config = files.iter().find(|file| name(file).ends_with(".config")).unwrap_or(file);
            Ok(Kind::Iisnode(Place::named(&cwd.join(config), config)))
        }
        [file] => match name(file) {
            it if it.ends_with(".js") || it.ends_with(".cjs") || it.ends_with(".mjs") => Ok(Kind::Pm2(cwd.join(file))),
            it if it.ends_with(".json") => {
                let value = json(&cwd.join(file))?;
                let is_units = value.get("listeners").is_some() || value.get("applications").is_some();
                Ok(if is_units { Kind::Unit(cwd.join(file)) } else { Kind::Pm2(cwd.join(file)) })
            }
            _ => Err(wrong(format!("not known ({})", file.display()))),
        },
        [] | [_, ..] => Err(wrong("files that do not belong together".to_owned())),
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// A file of JSON.
fn json(path: &Path) -> Result<Value, Problem> {
    let text = file::read_text(path, path)?;
    serde_json::from_str(&text).map_err(|error| {
        let origin = Origin::File { path: path.to_owned(), line: error.line() };
        Problem::new(origin, "", format!("not JSON ({error})"))
    })
}

/// Where readers put what they find.
struct Carry<'a> {
    layers: &'a mut Layers,
    /// What paths are relative to.
    folder: PathBuf,
    lost: Vec<String>,
}

impl Carry<'_> {
    /// A value for a setting; the first one counts.
    fn set(&mut self, key: &str, raw: Raw) {
        let folder = self.folder.clone();
        self.layers.fill(key, &raw, &folder, &Origin::Flag("FILE"), "");
    }

    fn text(&mut self, key: &str, text: impl Into<String>) {
        self.set(key, Raw::Text(text.into()));
    }

    fn texts(&mut self, key: &str, texts: Vec<String>) {
        if !texts.is_empty() {
            self.set(key, Raw::List(texts.into_iter().map(|text| (Raw::Text(text), 0)).collect()));
        }
    }

    /// Variables, without those that Forebay sets itself.
    fn variables(&mut self, variables: &Value) {
        let Value::Object(map) = variables else { return };
        let mut table = Vec::new();
        for (name, value) in map {
            if name == "PORT" {
                self.text("server.listen", plain_text(value));
            } else if name.is_empty() || name.contains('=') || name.starts_with("FOREBAY_") {
                self.lose(&format!("variable {name:?}"), "no name that a variable can have here");
            } else {
                table.push((name.clone(), Raw::Text(plain_text(value)), 0));
            }
        }
        if !table.is_empty() {
            self.set("app.env", Raw::Table(table));
        }
    }

    fn lose(&mut self, what: &str, why: &str) {
        self.lost.push(format!("{what}: {why}"));
    }
}

/// A value of JSON as text, without the quotes of a string.
fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    }
}

/// Texts: those of a list, or the words of one text.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(plain_text).collect(),
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

fn io_problem(what: &str, error: &std::io::Error) -> Problem {
    Problem::new(Origin::Flag("FILE"), "", format!("{what} ({})", plain(error)))
}
