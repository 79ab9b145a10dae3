//! Texts with `{…}` in them: server variables and what patterns found.

use std::borrow::Cow;

use fancy_regex::Captures;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::site::request::Request;

/// What a pattern found.
pub(super) enum Found<'t> {
    /// Nothing, for it was not to be found.
    Nothing,
    /// The text as a whole.
    Whole(&'t str),
    /// Groups of an expression.
    Groups(Captures<'t>),
    /// Groups whose text is gone.
    Kept(Vec<String>),
}

impl<'t> Found<'t> {
    pub(super) fn whole(text: &'t str) -> Self {
        Self::Whole(text)
    }

    fn group(&self, number: usize) -> &str {
        match self {
            Self::Nothing => "",
            Self::Whole(text) if number == 0 => text,
            Self::Whole(_) => "",
            Self::Groups(groups) => groups.get(number).map_or("", |group| group.as_str()),
            Self::Kept(groups) => groups.get(number).map_or("", String::as_str),
        }
    }

    pub(super) fn to_owned(&self) -> Vec<String> {
        let count = if let Self::Groups(groups) = self { groups.len() } else { 1 };
        (0..count).map(|number| self.group(number).to_owned()).collect()
    }
}

/// What a template can refer to.
pub(super) struct Scope<'s> {
    pub(super) request: &'s Request<'s>,
    /// The path without its first slash, as rules have made it.
    pub(super) path: &'s str,
    pub(super) query: &'s str,
    /// What the rule's own pattern found.
    pub(super) rule: &'s Found<'s>,
    /// What its last condition found.
    pub(super) condition: &'s Found<'s>,
}

/// Something that stands for a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Variable {
    /// `{R:n}`
    Rule(usize),
    /// `{C:n}`
    Condition(usize),
    /// `{REQUEST_URI}`: path and query.
    Uri,
    /// `{URL}` and its like: the path with its first slash.
    Url,
    /// `{REQUEST_FILENAME}`: the path below the root.
    Filename,
    /// `{DOCUMENT_ROOT}` and `{APPL_PHYSICAL_PATH}`: the root itself, below which files are looked for.
    Root,
    /// `{QUERY_STRING}`
    Query,
    /// `{HTTPS}`: on or off.
    Https,
    /// `{REQUEST_METHOD}`
    Method,
    /// `{UNENCODED_URL}`: the target as the client wrote it.
    Target,
    /// `{SERVER_NAME}`: the host without its port.
    ServerName,
    /// `{HTTP_NAME}`: a header field.
    Field(String),
}

impl Variable {
    /// The variable of that name.
    fn of(name: &str) -> Option<Self> {
        let number = |prefix: &str| {
            let digits = name.get(..2).filter(|start| start.eq_ignore_ascii_case(prefix)).map(|_| &name[2..])?;
            digits.parse().ok()
        };
        if let Some(number) = number("R:") {
            return Some(Self::Rule(number));
        }
        if let Some(number) = number("C:") {
            return Some(Self::Condition(number));
        }
        let upper = name.to_ascii_uppercase();
        Some(match &*upper {
            "REQUEST_URI" => Self::Uri,
            "URL" | "PATH_INFO" | "SCRIPT_NAME" => Self::Url,
            "REQUEST_FILENAME" | "SCRIPT_FILENAME" | "PATH_TRANSLATED" => Self::Filename,
            "DOCUMENT_ROOT" | "APPL_PHYSICAL_PATH" => Self::Root,
            "QUERY_STRING" => Self::Query,
            "HTTPS" => Self::Https,
            "REQUEST_METHOD" => Self::Method,
            "UNENCODED_URL" => Self::Target,
            "SERVER_NAME" => Self::ServerName,
            _ => Self::Field(upper.strip_prefix("HTTP_").filter(|name| !name.is_empty())?.replace('_', "-")),
        })
    }

    fn text<'s>(&self, scope: &'s Scope<'s>) -> Cow<'s, str> {
        match self {
            Self::Rule(number) => scope.rule.group(*number).into(),
            Self::Condition(number) => scope.condition.group(*number).into(),
            Self::Uri if scope.query.is_empty() => format!("/{}", scope.path).into(),
            Self::Uri => format!("/{}?{}", scope.path, scope.query).into(),
            Self::Url => format!("/{}", scope.path).into(),
            Self::Filename => scope.path.into(),
            Self::Root => "".into(),
            Self::Query => scope.query.into(),
            Self::Https => if scope.request.https { "on" } else { "off" }.into(),
            Self::Method => scope.request.method.into(),
            Self::Target => scope.request.target.into(),
            Self::ServerName => {
                let host = scope.request.field("host");
                let end = host.rfind(':').filter(|&at| !host[at..].contains(']')).unwrap_or(host.len());
                host[..end].into()
            }
            Self::Field(name) => scope.request.field(name).into(),
        }
    }
}

/// What is done to a variable's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Nothing,
    ToLower,
    UrlEncode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable, Done),
}

/// A text with variables in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What stands in braces and is not known.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, inside)) = rest.split_once('{') {
            // A function's argument has braces of its own.
            let mut depth = 1;
            let end = inside.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            });
            let Some(end) = end else { break };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let name = &inside[..end];
            parts.push(part(name).ok_or_else(|| format!("{{{name}}}"))?);
            rest = &inside[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Whether it refers to what a pattern found.
    #[must_use]
    pub(super) fn refers(&self) -> bool {
        let refers = |part: &Part| matches!(part, Part::Variable(Variable::Rule(_) | Variable::Condition(_), _));
        self.0.iter().any(refers)
    }

    /// The text it begins with, before the first variable.
    #[must_use]
    pub(super) fn start(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            Some(Part::Variable(..)) | None => "",
        }
    }

    /// Writes the text behind what `out` has.
    pub(super) fn write(&self, scope: &Scope<'_>, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Variable(variable, done) => {
                    let text = variable.text(scope);
                    match done {
                        Done::Nothing => out.push_str(&text),
                        Done::ToLower => out.push_str(&text.to_lowercase()),
                        Done::UrlEncode => out.extend(utf8_percent_encode(&text, NON_ALPHANUMERIC)),
                    }
                }
            }
        }
    }
}

fn part(name: &str) -> Option<Part> {
    if let Some(variable) = Variable::of(name) {
        return Some(Part::Variable(variable, Done::Nothing));
    }
    let (function, argument) = name.split_once(':')?;
    let done = match &*function.to_ascii_lowercase() {
        "tolower" => Done::ToLower,
        "urlencode" => Done::UrlEncode,
        _ => return None,
    };
    let inner = argument.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))?;
    Some(Part::Variable(Variable::of(inner)?, done))
}
