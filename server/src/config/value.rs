//! Kinds of values: how each is read, what it allows, and where it goes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Network;
use super::draft::Draft;
use super::error::nearest;
use super::units::{parse_address, parse_bytes, parse_network, parse_port, parse_time, show_bytes, show_time};

/// A value as it was written, before anybody knows what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// A TOML string, or whatever stands in a variable or flag.
    Text(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array, or a repeated flag; each item with its line (0 on the command line).
    List(Vec<(Self, usize)>),
    /// A TOML table: name, value, line.
    Table(Vec<(String, Self, usize)>),
    /// Anything else that TOML has, as it was written.
    Other(String),
}

impl Raw {
    /// The value in a message: on one line, 60 characters at most.
    fn shown(&self) -> String {
        let text = match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Other(text) => text.clone(),
        };
        match text.char_indices().nth(60) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    /// Digits alone are the same value in quotes and without.
    fn number_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Boolean(_) | Self::List(_) | Self::Table(_) | Self::Other(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Boolean(_) | Self::List(_) | Self::Table(_) | Self::Other(_) => None,
        }
    }

    /// The items of a list; a text is a list of what its commas and spaces separate.
    fn items(&self) -> Option<Vec<(String, usize)>> {
        let split = |text: &str, line: usize| {
            let parts = text.split([',', ' ', '\t']).filter(|part| !part.is_empty());
            parts.map(|part| (part.to_owned(), line)).collect::<Vec<_>>()
        };
        match self {
            Self::Text(text) => Some(split(text, 0)),
            Self::Integer(number) => Some(vec![(number.to_string(), 0)]),
            Self::List(list) => {
                let each = list.iter().map(|(item, line)| item.number_text().map(|text| split(&text, *line)));
                each.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
            }
            Self::Boolean(_) | Self::Table(_) | Self::Other(_) => None,
        }
    }
}

/// What is wrong with one value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its own line, where that is not the line of its key.
    pub(super) line: Option<usize>,
    /// What is wrong and what is allowed.
    pub(super) what: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl Fault {
    fn new(what: String) -> Self {
        Self { line: None, what, hint: None }
    }

    fn hinted(what: String, hint: impl Into<String>) -> Self {
        Self { line: None, what, hint: Some(hint.into()) }
    }

    fn at(line: usize, what: String) -> Self {
        Self { line: (line > 0).then_some(line), what, hint: None }
    }
}

/// A value that was read: as it is shown, or all that is wrong with it.
pub(super) type Read = Result<String, Vec<Fault>>;

/// Puts a value where it belongs.
pub(super) type Put<T> = fn(&mut Draft, T);

/// What a setting takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Bytes in memory or on the wire.
    Bytes(u64, u64, Put<u64>),
    /// A whole number.
    Count(u64, u64, Put<u64>),
    /// A whole number from 1, or `"auto"`.
    CountOrAuto(u64, Put<Option<u64>>),
    /// A wait.
    Time(Duration, Duration, Put<Duration>),
    /// A wait, or `"off"`.
    TimeOrOff(Duration, Put<Option<Duration>>),
    /// True or false.
    Switch(Put<bool>),
    /// One of a few words.
    OneOf(&'static [&'static str], Put<&'static str>),
    /// Addresses to listen on.
    Addresses(Put<Vec<SocketAddr>>),
    /// An address that only this machine can reach.
    Loopback(Put<SocketAddr>),
    /// A path, relative to the file that names it.
    Path(Put<PathBuf>),
    /// A path, or a name to look for in `PATH`.
    Program(Put<PathBuf>),
    /// Texts.
    Texts(Put<Vec<String>>),
    /// A segment of a path in an address.
    Word(Put<String>),
    /// Ports from the first to the last.
    Ports(Put<(u16, u16)>),
    /// Environment variables.
    Variables(Put<Vec<(String, String)>>),
    /// Address blocks.
    Networks(Put<Vec<Network>>),
    /// A log level, or levels by target.
    Levels(Put<String>),
}

/// The words for a log level.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Kind {
    /// What is allowed, for messages and the reference.
    #[must_use]
    pub(super) fn allowed(&self) -> String {
        match *self {
            Self::Bytes(min, max, _) => format!("{} to {}", show_bytes(min), show_bytes(max)),
            Self::Count(min, max, _) => format!("{min} to {max}"),
            Self::CountOrAuto(max, _) => format!("1 to {max}, or \"auto\""),
            Self::Time(min, max, _) => format!("{} to {}", show_time(min), show_time(max)),
            Self::TimeOrOff(max, _) => format!("1s to {}, or \"off\"", show_time(max)),
            Self::Switch(_) => "true or false".to_owned(),
            Self::OneOf(words, _) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                quoted.join(" or ")
            }
            Self::Addresses(_) => "addresses such as \"127.0.0.1:8080\", \"[::]:8080\" or \"8080\"".to_owned(),
            Self::Loopback(_) => "a loopback address such as \"127.0.0.1:9464\"".to_owned(),
            Self::Path(_) => "a path".to_owned(),
            Self::Program(_) => "a path, or a name found on PATH".to_owned(),
            Self::Texts(_) => "a list of texts".to_owned(),
            Self::Word(_) => "letters, digits, \"-\", \"_\" and \".\"".to_owned(),
            Self::Ports(_) => "ports from 1025 to 65535, such as \"5058-6058\"".to_owned(),
            Self::Variables(_) => "a table of texts".to_owned(),
            Self::Networks(_) => "a list of address blocks such as \"10.0.0.0/8\"".to_owned(),
            Self::Levels(_) => format!("{}, or levels by target such as \"info,forebay=debug\"", LEVELS.join(", ")),
        }
    }

    /// Whether quotes belong around a value of this kind in TOML.
    #[must_use]
    pub(super) fn is_quoted(&self) -> bool {
        match self {
            Self::Count(..) | Self::Switch(_) | Self::Texts(_) | Self::Variables(_) | Self::Networks(_) => false,
            Self::Bytes(..)
            | Self::CountOrAuto(..)
            | Self::Time(..)
            | Self::TimeOrOff(..)
            | Self::OneOf(..)
            | Self::Addresses(_)
            | Self::Loopback(_)
            | Self::Path(_)
            | Self::Program(_)
            | Self::Word(_)
            | Self::Ports(_)
            | Self::Levels(_) => true,
        }
    }

    /// Reads a value and puts it where it belongs; paths are relative to `base`.
    pub(super) fn read(&self, raw: &Raw, base: &Path, draft: &mut Draft) -> Read {
        match *self {
            Self::Bytes(min, max, put) => {
                let unit = "a whole number, in bytes or with B, kB, KiB, MB, MiB, GB, GiB, TB or TiB";
                let value = self.quantity(raw, parse_bytes, min, max, unit)?;
                put(draft, value);
                Ok(show_bytes(value))
            }
            Self::Count(min, max, put) => {
                let value = self.quantity(raw, |text| text.trim().parse().ok(), min, max, "a whole number")?;
                put(draft, value);
                Ok(value.to_string())
            }
            Self::CountOrAuto(max, put) => {
                if raw.text().is_some_and(|text| text.trim() == "auto") {
                    put(draft, None);
                    return Ok("auto".to_owned());
                }
                let value = self.quantity(raw, |text| text.trim().parse().ok(), 1, max, "a whole number")?;
                put(draft, Some(value));
                Ok(value.to_string())
            }
            Self::Time(min, max, put) => {
                let unit = "a whole number, in seconds or with ms, s, m, h or d";
                let value = self.quantity(raw, parse_time, min, max, unit)?;
                put(draft, value);
                Ok(show_time(value))
            }
            Self::TimeOrOff(max, put) => {
                let is_off = raw.number_text().is_some_and(|text| matches!(text.trim(), "off" | "0"));
                if is_off || *raw == Raw::Boolean(false) {
                    put(draft, None);
                    return Ok("off".to_owned());
                }
                let unit = "a whole number, in seconds or with s, m, h or d";
                let value = self.quantity(raw, parse_time, Duration::from_secs(1), max, unit)?;
                put(draft, Some(value));
                Ok(show_time(value))
            }
            Self::Switch(put) => {
                let value = match raw {
                    Raw::Boolean(value) => Some(*value),
                    Raw::Text(text) => text.trim().parse().ok(),
                    Raw::Integer(_) | Raw::List(_) | Raw::Table(_) | Raw::Other(_) => None,
                };
                let value = value.ok_or_else(|| self.unfit(raw))?;
                put(draft, value);
                Ok(value.to_string())
            }
            Self::OneOf(words, put) => self.read_word(raw, words, |word| put(draft, word)),
            Self::Addresses(put) => self.read_addresses(raw, |list| put(draft, list)),
            Self::Loopback(put) => self.read_loopback(raw, |address| put(draft, address)),
            Self::Path(put) => self.read_path(raw, base, false, |path| put(draft, path)),
            Self::Program(put) => self.read_path(raw, base, true, |path| put(draft, path)),
            Self::Texts(put) => self.read_texts(raw, |list| put(draft, list)),
            Self::Word(put) => self.read_segment(raw, |text| put(draft, text)),
            Self::Ports(put) => self.read_ports(raw, |ports| put(draft, ports)),
            Self::Variables(put) => self.read_variables(raw, |list| put(draft, list)),
            Self::Networks(put) => self.read_networks(raw, |list| put(draft, list)),
            Self::Levels(put) => self.read_levels(raw, |levels| put(draft, levels)),
        }
    }

    fn unfit(&self, raw: &Raw) -> Vec<Fault> {
        vec![Fault::new(format!("not understood ({}), allowed: {}", raw.shown(), self.allowed()))]
    }

    fn quantity<T: PartialOrd>(
        &self,
        raw: &Raw,
        parse: impl Fn(&str) -> Option<T>,
        min: T,
        max: T,
        unit: &str,
    ) -> Result<T, Vec<Fault>> {
        let Some(value) = raw.number_text().and_then(|text| parse(&text)) else {
            if matches!(raw, Raw::Integer(..=-1)) {
                return Err(vec![Fault::new(format!("too small ({}), allowed: {}", raw.shown(), self.allowed()))]);
            }
            let what = format!("not understood ({}), allowed: {}", raw.shown(), self.allowed());
            return Err(vec![Fault::hinted(what, format!("write {unit}"))]);
        };
        let wrong = match () {
            () if value < min => "too small",
            () if value > max => "too large",
            () => return Ok(value),
        };
        Err(vec![Fault::new(format!("{wrong} ({}), allowed: {}", raw.shown(), self.allowed()))])
    }

    fn read_word(&self, raw: &Raw, words: &'static [&'static str], put: impl FnOnce(&'static str)) -> Read {
        let text = raw.text().ok_or_else(|| self.unfit(raw))?.trim();
        let Some(word) = words.iter().find(|word| **word == text) else {
            let what = format!("not known ({}), allowed: {}", raw.shown(), self.allowed());
            let hint = nearest(text, words.iter().copied()).map(|word| format!("did you mean \"{word}\"?"));
            return Err(vec![Fault { line: None, what, hint }]);
        };
        put(word);
        Ok((*word).to_owned())
    }

    fn read_addresses(&self, raw: &Raw, put: impl FnOnce(Vec<SocketAddr>)) -> Read {
        let items = raw.items().ok_or_else(|| self.unfit(raw))?;
        let (mut list, mut faults) = (Vec::new(), Vec::new());
        for (text, line) in items {
            match parse_address(&text) {
                None => faults.push(Fault::at(line, format!("no address ({text:?}), allowed: {}", self.allowed()))),
                // Port 0 asks for any free port, so twice is two.
                Some(address) if address.port() != 0 && list.contains(&address) => {
                    faults.push(Fault::at(line, format!("named twice ({address}), allowed: each address once")));
                }
                Some(address) => list.push(address),
            }
        }
        if faults.is_empty() && list.is_empty() {
            faults.push(Fault::new(format!("empty, allowed: {}", self.allowed())));
        }
        finish(list, faults, put)
    }

    fn read_loopback(&self, raw: &Raw, put: impl FnOnce(SocketAddr)) -> Read {
        let text = raw.number_text().ok_or_else(|| self.unfit(raw))?;
        // A port alone is every address elsewhere; here it can only mean this machine.
        let alone = parse_port(text.trim()).map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        let address = alone.or_else(|| parse_address(&text)).ok_or_else(|| self.unfit(raw))?;
        if !address.ip().to_canonical().is_loopback() {
            let what = format!("not a loopback address ({address}), allowed: {}", self.allowed());
            return Err(vec![Fault::hinted(what, format!("write \"127.0.0.1:{}\"", address.port()))]);
        }
        put(address);
        Ok(address.to_string())
    }

    fn read_path(&self, raw: &Raw, base: &Path, is_program: bool, put: impl FnOnce(PathBuf)) -> Read {
        let text = raw.text().ok_or_else(|| self.unfit(raw))?;
        if text.is_empty() || text.contains('\0') {
            return Err(self.unfit(raw));
        }
        // "-" is standard output where a path may be that; a bare program name is looked for on PATH later.
        let is_bare = text == "-" || (is_program && !text.contains(std::path::is_separator));
        put(if is_bare { PathBuf::from(text) } else { base.join(text) });
        Ok(text.to_owned())
    }

    fn read_texts(&self, raw: &Raw, put: impl FnOnce(Vec<String>)) -> Read {
        let Raw::List(items) = raw else {
            let hint = raw.text().map(|text| format!("write [{text:?}]"));
            return Err(self.unfit(raw).into_iter().map(|fault| Fault { hint: hint.clone(), ..fault }).collect());
        };
        let (mut list, mut faults) = (Vec::new(), Vec::new());
        for (item, line) in items {
            match item.number_text() {
                Some(text) if !text.contains('\0') => list.push(text),
                Some(_) | None => faults.push(Fault::at(*line, format!("no text ({}), allowed: texts", item.shown()))),
            }
        }
        let shown = format!("{list:?}");
        if faults.is_empty() {
            put(list)
        } else {
            return Err(faults);
        }
        Ok(shown)
    }

    fn read_segment(&self, raw: &Raw, put: impl FnOnce(String)) -> Read {
        let text = raw.number_text().ok_or_else(|| self.unfit(raw))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || !text.chars().all(is_plain) || text.chars().all(|c| c == '.') {
            return Err(self.unfit(raw));
        }
        put(text.clone());
        Ok(text)
    }

    fn read_ports(&self, raw: &Raw, put: impl FnOnce((u16, u16))) -> Read {
        let text = raw.number_text().ok_or_else(|| self.unfit(raw))?;
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        let ports = (first.trim().parse::<u16>(), last.trim().parse::<u16>());
        let (Ok(first), Ok(last)) = ports else { return Err(self.unfit(raw)) };
        if first <= 1024 || last < first {
            return Err(self.unfit(raw));
        }
        put((first, last));
        Ok(if first == last { first.to_string() } else { format!("{first}-{last}") })
    }

    fn read_variables(&self, raw: &Raw, put: impl FnOnce(Vec<(String, String)>)) -> Read {
        let Raw::Table(entries) = raw else {
            let hint = "write a section [app.env] with one NAME = \"value\" a line";
            return Err(self.unfit(raw).into_iter().map(|f| Fault { hint: Some(hint.to_owned()), ..f }).collect());
        };
        let (mut list, mut faults) = (Vec::new(), Vec::new());
        for (name, value, line) in entries {
            let text = match value {
                Raw::Boolean(value) => Some(value.to_string()),
                Raw::Text(_) | Raw::Integer(_) => value.number_text(),
                Raw::List(_) | Raw::Table(_) | Raw::Other(_) => None,
            };
            let is_name = !name.is_empty() && !name.contains(['=', '\0']);
            match text {
                Some(_) if name == "PORT" || name.starts_with("FOREBAY_") => faults.push(Fault {
                    line: Some(*line),
                    what: format!("a name that Forebay sets itself ({name}), allowed: any other"),
                    hint: Some("clients connect to server.listen; each worker gets a PORT of its own".to_owned()),
                }),
                Some(text) if is_name && !text.contains('\0') => list.push((name.clone(), text)),
                Some(_) => {
                    faults.push(Fault::at(*line, format!("no variable ({name:?}), allowed: a name without \"=\"")))
                }
                None => {
                    faults.push(Fault::at(*line, format!("no text ({name} = {}), allowed: texts", value.shown())));
                }
            }
        }
        // Values may be secrets: only names are shown.
        let names: Vec<_> = list.iter().map(|(name, _)| name.clone()).collect();
        if faults.is_empty() {
            put(list)
        } else {
            return Err(faults);
        }
        Ok(names.join(", "))
    }

    fn read_networks(&self, raw: &Raw, put: impl FnOnce(Vec<Network>)) -> Read {
        let items = raw.items().ok_or_else(|| self.unfit(raw))?;
        let (mut list, mut faults) = (Vec::new(), Vec::new());
        for (text, line) in items {
            match parse_network(&text) {
                Some(network) => list.push(network),
                None => {
                    faults.push(Fault::at(line, format!("no address block ({text:?}), allowed: {}", self.allowed())))
                }
            }
        }
        finish(list, faults, put)
    }

    fn read_levels(&self, raw: &Raw, put: impl FnOnce(String)) -> Read {
        let text = raw.text().ok_or_else(|| self.unfit(raw))?.trim();
        for part in text.split(',') {
            let level = part.rsplit_once('=').map_or(part, |(_, level)| level).trim();
            if !LEVELS.contains(&level) {
                let what = format!("no log level ({level:?}), allowed: {}", self.allowed());
                let hint = nearest(level, LEVELS).map(|word| format!("did you mean \"{word}\"?"));
                return Err(vec![Fault { line: None, what, hint }]);
            }
        }
        put(text.to_owned());
        Ok(text.to_owned())
    }
}

fn finish<T: ToString>(list: Vec<T>, faults: Vec<Fault>, put: impl FnOnce(Vec<T>)) -> Read {
    if !faults.is_empty() {
        return Err(faults);
    }
    let shown: Vec<_> = list.iter().map(T::to_string).collect();
    put(list);
    Ok(shown.join(", "))
}
