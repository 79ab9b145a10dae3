//! Writes settings as a forebay.toml.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use toml::Value;

use super::super::error::Origin;
use super::super::resolve::Row;
use super::super::settings::{SECTIONS, SETTINGS};
use super::super::value::{Kind, Raw};

/// Every setting that somebody set, by section, for a file in the folder `target`; what was lost as comments above.
pub(super) fn toml(rows: &[Row], from: &str, lost: &[String], target: &Path) -> String {
    let mut out = format!("# Made by `forebay import {from}`.\n");
    if !lost.is_empty() {
        out.push_str("#\n# Worth knowing, or not carried over:\n");
    }
    for line in lost {
        let _infallible = writeln!(out, "# - {}", line.replace('\n', " "));
    }
    for (section, _) in SECTIONS {
        let mut tables = String::new();
        let mut lines = String::new();
        for row in rows.iter().filter(|row| row.key.split_once('.').is_some_and(|(of, _)| of == section)) {
            let is_written = !matches!(row.origin, Origin::Default | Origin::Profile(_)) || row.key == "app.env";
            let Some((raw, base)) = row.written.as_ref().filter(|_| is_written) else { continue };
            let name = row.key.trim_start_matches(section).trim_start_matches('.');
            if let Raw::Table(entries) = raw {
                let _infallible = writeln!(tables, "\n[{}]", row.key);
                for (key, value, _) in entries {
                    let _infallible = writeln!(tables, "{} = {}", quoted_key(key), value_of(value));
                }
            } else {
                let value = value_of(&relocated(row.key, raw, base, target));
                let _infallible = writeln!(lines, "{name} = {value}");
            }
        }
        if !lines.is_empty() {
            let _infallible = write!(out, "\n[{section}]\n{lines}");
        }
        out.push_str(&tables);
    }
    out
}

/// Paths are relative to the file that names them: what lies below the new file stays so, the rest becomes absolute.
fn relocated(key: &str, raw: &Raw, base: &Path, target: &Path) -> Raw {
    let kind = SETTINGS.iter().find(|setting| setting.key == key).map(|setting| setting.kind);
    match (kind, raw) {
        (Some(Kind::Path(_)), Raw::Text(text)) if text != "-" => Raw::Text(nearer(&base.join(text), target)),
        (Some(Kind::Program(_)), Raw::Text(text)) if text.contains(std::path::is_separator) => {
            Raw::Text(nearer(&base.join(text), target))
        }
        _ => raw.clone(),
    }
}

fn nearer(path: &Path, target: &Path) -> String {
    // "." and ".." out of the way, by name alone: what is there decides later.
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
        }
    }
    match clean.strip_prefix(target) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
        Ok(rest) => rest.display().to_string(),
        Err(_) => clean.display().to_string(),
    }
}

fn quoted_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

fn value_of(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) | Raw::Other(text) => Value::String(text.clone()).to_string(),
        Raw::Integer(number) => number.to_string(),
        Raw::Boolean(value) => value.to_string(),
        Raw::List(items) => {
            format!("[{}]", items.iter().map(|(item, _)| value_of(item)).collect::<Vec<_>>().join(", "))
        }
        Raw::Table(entries) => {
            let pairs: Vec<_> =
                entries.iter().map(|(key, value, _)| format!("{} = {}", quoted_key(key), value_of(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}
