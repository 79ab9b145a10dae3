//! Values of attributes: how web.config, iisnode.yml and variables write them, and which one of them holds.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::super::error::Origin;
use super::Profile;
use super::attributes::{ATTRIBUTES, Attribute, Form};

/// What `Infinite` stands for in the schema.
const INFINITE: u64 = u32::MAX as u64;

/// A value that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number; [`u32::MAX`] is `Infinite`.
    Number(u64),
    /// True or false.
    Switch(bool),
    /// Text.
    Text(String),
}

/// Who wrote a value: each has words of its own for true and false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// web.config.
    Xml,
    /// iisnode.yml.
    Yml,
    /// `IISNODE_NAME`.
    Variable,
}

/// A value, and what else is worth saying about it.
type Reading = Result<(Value, Option<String>), (String, Option<String>)>;

/// Reads a value; else what is wrong, what is allowed, and what to do.
pub(super) fn read(attribute: &Attribute, text: &str, writer: Writer) -> Reading {
    match attribute.form {
        Form::Text => {
            let is_quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
            let takes_quotes = matches!(attribute.name, "nodeProcessCommandLine" | "interceptor");
            let remark = (is_quoted && !takes_quotes && writer == Writer::Yml)
                .then(|| format!("the quotes are part of the value ({text}): leave them out"));
            Ok((Value::Text(text.to_owned()), remark))
        }
        Form::Switch => {
            let (yes, no): (&[&str], &[&str]) = match writer {
                Writer::Yml => (&["true", "1", "yes"], &["false", "0", "no"]),
                Writer::Xml | Writer::Variable => (&["true", "1"], &["false", "0"]),
            };
            let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text.trim()));
            match (is(yes), is(no)) {
                (true, _) => Ok((Value::Switch(true), None)),
                (_, true) => Ok((Value::Switch(false), None)),
                (false, false) => Err((format!("not understood ({text:?}), allowed: true or false"), unquote(text))),
            }
        }
        Form::Number | Form::NumberOrInfinite => number(attribute, text.trim(), writer),
    }
}

fn number(attribute: &Attribute, text: &str, writer: Writer) -> Reading {
    let or_infinite = attribute.form == Form::NumberOrInfinite;
    let allowed = if or_infinite { "0 to 4294967295, or Infinite" } else { "0 to 4294967295" };
    if or_infinite && text.eq_ignore_ascii_case("Infinite") {
        let remark = "Infinite means no bound here; iisnode takes it for 0 in this file and refuses every request";
        return Ok((Value::Number(INFINITE), (writer == Writer::Yml).then(|| remark.to_owned())));
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, junk) = text.split_at(end);
    match digits.parse::<u32>() {
        Ok(value) if junk.is_empty() => Ok((Value::Number(value.into()), None)),
        // Upstream reads these two with functions that stop at the first thing that is no digit.
        Ok(value) if writer != Writer::Xml => {
            Ok((Value::Number(value.into()), Some(format!("only {digits} of {text:?} is read, as upstream"))))
        }
        Ok(_) | Err(_) => Err((format!("not understood ({text:?}), allowed: {allowed}"), unquote(text))),
    }
}

fn unquote(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix(['"', '\''])?.strip_suffix(['"', '\''])?;
    Some(format!("write {inner}, without quotes"))
}

/// `text` with the variables that `%NAME%` stands for; what is not set stays as it is written.
pub(super) fn expand(text: &str, env: fn(&str) -> Option<OsString>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        out.push_str(before);
        match behind.split_once('%') {
            Some((name, after)) if let Some(value) = look_up(name, env) => {
                out.push_str(&value);
                rest = after;
            }
            Some(_) | None => {
                out.push('%');
                rest = behind;
            }
        }
    }
    out + rest
}

/// A variable as Windows finds it: upper and lower case are the same.
pub(super) fn look_up(name: &str, env: fn(&str) -> Option<OsString>) -> Option<String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return None;
    }
    let spellings = [name.to_owned(), name.to_uppercase(), name.to_lowercase()];
    let value = spellings.iter().find_map(|name| env(name)).filter(|value| !value.is_empty())?;
    Some(value.to_string_lossy().into_owned())
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What was given, the strongest writer's; and defaults for the rest.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) profile: Profile,
    given: BTreeMap<&'static str, Given>,
}

impl Values {
    pub(super) fn new(profile: Profile) -> Self {
        Self { profile, given: BTreeMap::new() }
    }

    /// Takes a value; a later one wins.
    pub(super) fn take(&mut self, attribute: &Attribute, given: Given) {
        self.given.insert(attribute.name, given);
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    pub(super) fn given(&self) -> impl Iterator<Item = (&'static Attribute, &Given)> {
        ATTRIBUTES.iter().filter_map(|attribute| Some((attribute, self.given.get(attribute.name)?)))
    }

    /// Where the value of this attribute was written.
    pub(super) fn origin(&self, name: &str) -> Origin {
        self.given.get(name).map_or(self.profile.origin(), |given| given.origin.clone())
    }

    fn value(&self, name: &str) -> Value {
        if let Some(given) = self.given.get(name) {
            return given.value.clone();
        }
        let attribute = ATTRIBUTES.iter().find(|attribute| attribute.name == name);
        debug_assert!(attribute.is_some(), "{name} is no attribute");
        let default =
            attribute.and_then(|attribute| read(attribute, self.profile.default(attribute), Writer::Xml).ok());
        default.map_or(Value::Text(String::new()), |(value, _)| value)
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Number(value) => value,
            Value::Switch(_) | Value::Text(_) => 0,
        }
    }

    pub(super) fn is_infinite(&self, name: &str) -> bool {
        self.number(name) == INFINITE
    }

    pub(super) fn switch(&self, name: &str) -> bool {
        self.value(name) == Value::Switch(true)
    }

    pub(super) fn text(&self, name: &str) -> String {
        match self.value(name) {
            Value::Text(text) => text,
            Value::Number(_) | Value::Switch(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::find;
    use super::*;

    fn of(name: &str, text: &str, writer: Writer) -> Reading {
        read(find(name).unwrap(), text, writer)
    }

    #[test]
    fn each_writer_has_its_words() {
        let reads = |text, writer| of("loggingEnabled", text, writer).ok().map(|(value, _)| value);
        for writer in [Writer::Xml, Writer::Yml, Writer::Variable] {
            assert_eq!(reads("TRUE", writer), Some(Value::Switch(true)));
            assert_eq!(reads("0", writer), Some(Value::Switch(false)));
            assert_eq!(reads("foobar", writer), None);
        }
        assert_eq!(reads("yes", Writer::Yml), Some(Value::Switch(true)));
        assert_eq!((reads("yes", Writer::Xml), reads("no", Writer::Variable)), (None, None));
    }

    #[test]
    fn numbers_are_unsigned_and_of_32_bits() {
        let reads = |text, writer| of("maxLogFiles", text, writer).ok();
        assert_eq!(reads("4294967295", Writer::Xml), Some((Value::Number(4_294_967_295), None)));
        for bad in ["", "-1", "x", "4294967296", "1.5", "\"4\"", "Infinite"] {
            assert_eq!(reads(bad, Writer::Xml), None, "{bad}");
        }
        let (value, remark) = reads("12abc", Writer::Yml).unwrap();
        assert!(value == Value::Number(12) && remark.is_some());
        assert_eq!(reads("-1", Writer::Yml), None);
        let infinite = |writer| of("maxConcurrentRequestsPerProcess", "infinite", writer).unwrap();
        assert!(infinite(Writer::Xml) == (Value::Number(INFINITE), None) && infinite(Writer::Yml).1.is_some());
    }

    #[test]
    fn variables_are_expanded_where_they_are_set() {
        fn env(name: &str) -> Option<OsString> {
            match name {
                "HOME" => Some("/h".into()),
                "EMPTY" => Some(String::new().into()),
                _ => None,
            }
        }
        assert_eq!(expand("%HOME%/x/%home%", env), "/h/x//h");
        assert_eq!(expand("%programfiles%\\a 100% %EMPTY%", env), "%programfiles%\\a 100% %EMPTY%");
        assert_eq!(expand("%%HOME%", env), "%/h");
    }
}
