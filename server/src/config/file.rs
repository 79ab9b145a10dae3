//! The configuration file: read, parsed and taken apart into settings with their lines.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Origin, Problem, nearest};
use super::settings::{SECTIONS, SETTINGS, Setting};
use super::value::Raw;

/// The most that a configuration file may hold: far more than all settings at their longest.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Syntax errors that are told at most; one often drags others along.
const SYNTAX_ERRORS_MAX: usize = 5;

/// One setting as the file has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) setting: &'static Setting,
    pub(super) raw: Raw,
    pub(super) line: usize,
}

/// What the file at `path` says: its settings, and everything that is wrong with its form. Messages name it `shown`.
pub(super) fn read(path: &Path, shown: &Path) -> (Vec<Entry>, Vec<Problem>) {
    match read_text(path, shown) {
        Ok(text) => parse(shown, &text),
        Err(problem) => (Vec::new(), vec![problem]),
    }
}

/// The text of a file of bounded size. A byte order mark is what some Windows editors put first; it means nothing here.
pub(super) fn read_text(path: &Path, shown: &Path) -> Result<String, Problem> {
    let text = read_text_with_mark(path, shown)?;
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

/// The same with the byte order mark, if there is one.
pub(super) fn read_text_with_mark(path: &Path, shown: &Path) -> Result<String, Problem> {
    let whole = |what: String| Problem::new(Origin::Default, shown.display().to_string(), what);
    let mut bytes = Vec::new();
    let outcome = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(error) = outcome {
        let problem = whole(format!("cannot be read ({})", plain(&error)));
        return Err(if error.kind() == io::ErrorKind::NotFound {
            problem.hint("name an existing file with --config, or leave it out")
        } else if path.is_dir() {
            problem.hint("name the file in it, as in --config FOLDER/forebay.toml")
        } else {
            problem
        });
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(whole("too large (more than 1MiB), allowed: up to 1MiB".to_owned())
            .hint("is this really a configuration file?"));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(whole("not UTF-8 (UTF-16), allowed: UTF-8".to_owned()).hint("save it again as UTF-8"));
    }
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            let origin = Origin::File { path: shown.to_owned(), line };
            Err(Problem::new(origin, "", format!("not UTF-8 (byte 0x{byte:02x}), allowed: UTF-8"))
                .hint("is this really a configuration file?"))
        }
    }
}

/// The error without the number that the standard library puts behind it.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

fn parse(path: &Path, text: &str) -> (Vec<Entry>, Vec<Problem>) {
    let mut reader = Reader { path, text, entries: Vec::new(), problems: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(SYNTAX_ERRORS_MAX) {
        let line = reader.line(&error.span().unwrap_or(0..0));
        reader.problem(line, "", format!("not TOML ({})", error.message().replace('\n', ", ")), None);
    }
    if errors.is_empty() {
        for (name, value) in table.get_ref() {
            reader.section(name.get_ref(), reader.line(&name.span()), value);
        }
    }
    (reader.entries, reader.problems)
}

impl Reader<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        1 + before.iter().filter(|&&b| b == b'\n').count()
    }

    fn problem(&mut self, line: usize, key: &str, what: String, hint: Option<String>) {
        let origin = Origin::File { path: self.path.to_owned(), line };
        self.problems.push(Problem { origin, key: key.to_owned(), what, hint });
    }

    fn section(&mut self, name: &str, line: usize, value: &Spanned<DeValue<'_>>) {
        let sections = || SECTIONS.iter().map(|(section, _)| *section);
        let DeValue::Table(table) = value.get_ref() else {
            if sections().any(|section| section == name) {
                let what = format!("not a section ({}), allowed: [{name}]", value.get_ref().type_str());
                return self.problem(line, name, what, None);
            }
            let hint = match SETTINGS.iter().find(|setting| setting.parts().1 == name) {
                Some(setting) => format!("write it below [{}]", setting.parts().0),
                None => "every setting belongs into a section".to_owned(),
            };
            return self.problem(line, name, "unknown key outside of a section".to_owned(), Some(hint));
        };
        if !sections().any(|section| section == name) {
            let hint = match nearest(name, sections()) {
                Some(section) => format!("did you mean [{section}]?"),
                None => format!("sections are {}", sections().collect::<Vec<_>>().join(", ")),
            };
            return self.problem(line, name, "unknown section".to_owned(), Some(hint));
        }
        for (key, value) in table {
            self.entry(name, key.get_ref(), self.line(&key.span()), value.get_ref());
        }
    }

    fn entry(&mut self, section: &str, name: &str, line: usize, value: &DeValue<'_>) {
        let key = format!("{section}.{name}");
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
            let raw = self.raw(value);
            return self.entries.push(Entry { setting, raw, line });
        }
        let here = SETTINGS.iter().map(Setting::parts).filter(|(of, _)| *of == section).map(|(_, name)| name);
        let elsewhere = SETTINGS.iter().find(|setting| setting.parts().1 == name);
        let hint = match (elsewhere, nearest(name, here.clone())) {
            (Some(setting), _) => format!("{name} belongs below [{}]", setting.parts().0),
            (None, Some(near)) => format!("did you mean {near}?"),
            (None, None) => format!("keys of [{section}] are {}", here.collect::<Vec<_>>().join(", ")),
        };
        self.problem(line, &key, "unknown key".to_owned(), Some(hint));
    }

    fn raw(&self, value: &DeValue<'_>) -> Raw {
        match value {
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Raw::Integer(number),
                Err(_) => Raw::Other(number.to_string()),
            },
            DeValue::Boolean(value) => Raw::Boolean(*value),
            DeValue::Float(number) => Raw::Other(number.to_string()),
            DeValue::Datetime(time) => Raw::Other(time.to_string()),
            DeValue::Array(items) => {
                Raw::List(items.iter().map(|item| (self.raw(item.get_ref()), self.line(&item.span()))).collect())
            }
            DeValue::Table(table) => Raw::Table(
                table
                    .iter()
                    .map(|(k, v)| (k.get_ref().to_string(), self.raw(v.get_ref()), self.line(&k.span())))
                    .collect(),
            ),
        }
    }
}
