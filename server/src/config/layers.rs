//! The settings while they are put together: one source laid over, or under, the others.

use std::path::Path;

use super::draft::Draft;
use super::error::{Origin, Problem, Remark};
use super::file::{self, Entry};
use super::meant::base;
use super::resolve::{Row, Sources};
use super::settings::{Preset, SETTINGS, Setting};
use super::value::Raw;

/// The settings while sources are laid one over the other, the weakest first. Every value is checked, also one that
/// a stronger source covers.
pub(super) struct Layers {
    pub(super) draft: Draft,
    pub(super) rows: Vec<Row>,
    pub(super) problems: Vec<Problem>,
    pub(super) remarks: Vec<Remark>,
}

impl Layers {
    pub(super) fn new() -> Self {
        let mut layers = Self {
            draft: Draft::default(),
            rows: Vec::with_capacity(SETTINGS.len()),
            problems: Vec::new(),
            remarks: Vec::new(),
        };
        for setting in SETTINGS {
            let value = match setting.preset {
                Preset::Is(text) | Preset::Means(text) => text.to_owned(),
            };
            layers.rows.push(Row { key: setting.key, value, origin: Origin::Default, written: None });
            if let Preset::Is(text) = setting.preset {
                layers.put(setting, &Raw::Text(text.to_owned()), Path::new(""), &Origin::Default);
            }
        }
        layers
    }

    fn put(&mut self, setting: &'static Setting, raw: &Raw, base: &Path, origin: &Origin) {
        match setting.kind.read(raw, base, &mut self.draft) {
            Ok(value) => self.note(setting, value, origin, Some((raw, base))),
            Err(faults) => self.problems.extend(faults.into_iter().map(|fault| {
                let origin = match (origin, fault.line) {
                    (Origin::File { path, .. }, Some(line)) => Origin::File { path: path.clone(), line },
                    (other, _) => other.clone(),
                };
                Problem { origin, key: setting.key.to_owned(), what: fault.what, hint: fault.hint }
            })),
        }
    }

    /// Takes a value where nobody has spoken yet, and checks it anywhere; messages call it `name`.
    pub(super) fn fill(&mut self, key: &str, raw: &Raw, base: &Path, origin: &Origin, name: &str) {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            debug_assert!(false, "{key} is no setting");
            return;
        };
        let mut checked = self.draft.clone();
        match setting.kind.read(raw, base, &mut checked) {
            Ok(value) => {
                if self.rows.iter().any(|row| row.key == key && row.origin == Origin::Default) {
                    self.draft = checked;
                    self.note(setting, value, origin, Some((raw, base)));
                }
            }
            Err(faults) => {
                let key = if name.is_empty() { key } else { name };
                self.problems.extend(faults.into_iter().map(|fault| Problem {
                    origin: origin.clone(),
                    key: key.to_owned(),
                    what: fault.what,
                    hint: fault.hint,
                }));
            }
        }
    }

    fn note(&mut self, setting: &'static Setting, value: String, origin: &Origin, written: Option<(&Raw, &Path)>) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.key == setting.key) {
            row.value = value;
            row.origin = origin.clone();
            row.written = written.map(|(raw, base)| (raw.clone(), base.to_owned()));
        }
    }

    pub(super) fn file(&mut self, sources: &Sources, named: Option<&Path>) {
        let Some(named) = named else { return };
        let (entries, problems) = file::read(&sources.cwd.join(named), named);
        self.problems.extend(problems);
        let base = base(&sources.cwd, Some(named));
        for Entry { setting, raw, line } in entries {
            self.put(setting, &raw, &base, &Origin::File { path: named.to_owned(), line });
        }
        // The form was checked before the values; people read from the top.
        self.problems.sort_by_key(|problem| match problem.origin {
            Origin::File { line, .. } => line,
            Origin::Default | Origin::Environment(_) | Origin::Flag(_) | Origin::Profile(_) => 0,
        });
    }

    pub(super) fn environment(&mut self, sources: &Sources) {
        for setting in SETTINGS {
            for &name in setting.env {
                let Some(text) = (sources.env)(name).filter(|text| !text.is_empty()) else { continue };
                let raw = Raw::Text(text.to_string_lossy().into_owned());
                self.put(setting, &raw, &sources.cwd, &Origin::Environment(name));
            }
        }
    }

    pub(super) fn flags(&mut self, sources: &Sources) {
        for (flag, values) in &sources.flags {
            let Some(setting) = SETTINGS.iter().find(|setting| setting.flag == Some(*flag)) else { continue };
            let raw = match values.as_slice() {
                [] => continue,
                [one] => Raw::Text(one.clone()),
                several => Raw::List(several.iter().map(|value| (Raw::Text(value.clone()), 0)).collect()),
            };
            self.put(setting, &raw, &sources.cwd, &Origin::Flag(flag));
        }
    }

    pub(super) fn app(&mut self, path: &Path, shown: String) {
        self.draft.app.script = Some(path.to_owned());
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == "app.script") {
            self.note(setting, shown, &Origin::Flag("APP"), None);
        }
    }
}
