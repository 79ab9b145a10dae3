//! Rules as they stand in a web.config.

use fancy_regex::RegexBuilder;
use roxmltree::Node;

use super::template::Template;
use super::{Action, Asks, Condition, Pattern, Rule, STEPS_MAX};
use crate::site::xml::{Reader, attribute, elements, first, named};

/// Bytes of a compiled pattern. 1 MiB: what a pattern with long lists of names takes is a tenth of that.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// How a rule's patterns are to be read.
#[derive(Clone, Copy)]
enum Syntax {
    Regex,
    Wildcard,
    Exact,
}

/// Reads `<rewrite>`.
pub(in crate::site) fn read(node: Node<'_, '_>, reader: &mut Reader<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    reader.unknown(node, &["rules"]);
    for list in named(node, "rules") {
        for child in elements(list) {
            let name = child.tag_name().name();
            if name.eq_ignore_ascii_case("rule") {
                rules.extend(rule(child, reader));
            } else if name.eq_ignore_ascii_case("clear") {
                rules.clear();
            } else {
                reader.remark(child, "has no effect here: there are no rules above this file's");
            }
        }
    }
    rules
}

fn rule(node: Node<'_, '_>, reader: &mut Reader<'_>) -> Option<Rule> {
    // What is switched off need not be possible.
    if !reader.switch(node, "enabled", true) {
        return None;
    }
    reader.unknown(node, &["match", "conditions", "action"]);
    let syntax = [Syntax::Regex, Syntax::Wildcard, Syntax::Exact]
        [reader.word(node, "patternSyntax", &["ECMAScript", "Wildcard", "ExactMatch"])];
    let matched = first(node, "match");
    let pattern = match matched {
        // Deployment tools write rules without one: they are for all requests.
        None => Some(Pattern::Any),
        Some(matched) => pattern(matched, "url", syntax, reader),
    };
    let negate = matched.is_some_and(|matched| reader.switch(matched, "negate", false));
    let (conditions, any) = match first(node, "conditions") {
        None => (Vec::new(), false),
        Some(node) => conditions(node, syntax, reader),
    };
    let action = action(node, reader);
    let (pattern, action) = (pattern?, action?);
    let url_refers = match &action {
        Action::Rewrite { url, .. } | Action::Redirect { url, .. } => url.refers(),
        Action::None | Action::Answer { .. } | Action::Abort => false,
    };
    Some(Rule {
        name: attribute(node, "name").unwrap_or_default().to_owned(),
        refers: url_refers || conditions.iter().any(|condition| condition.input.refers()),
        stops: reader.switch(node, "stopProcessing", false),
        pattern,
        negate,
        conditions,
        any,
        action,
    })
}

fn conditions(node: Node<'_, '_>, syntax: Syntax, reader: &mut Reader<'_>) -> (Vec<Condition>, bool) {
    if reader.switch(node, "trackAllCaptures", false) {
        reader.remark(node, "trackAllCaptures: {C:n} is what the last condition that was met has found");
    }
    let any = reader.word(node, "logicalGrouping", &["MatchAll", "MatchAny"]) == 1;
    let read = named(node, "add").filter_map(|node| {
        let input = template(node, "input", reader);
        let asks = match reader.word(node, "matchType", &["Pattern", "IsFile", "IsDirectory"]) {
            1 => Some(Asks::File),
            2 => Some(Asks::Folder),
            _ => pattern(node, "pattern", syntax, reader).map(Asks::Pattern),
        };
        Some(Condition { input: input?, asks: asks?, negate: reader.switch(node, "negate", false) })
    });
    (read.collect(), any)
}

fn action(rule: Node<'_, '_>, reader: &mut Reader<'_>) -> Option<Action> {
    let Some(node) = first(rule, "action") else { return Some(Action::None) };
    let keeps_query = reader.switch(node, "appendQueryString", true);
    let words = ["None", "Rewrite", "Redirect", "CustomResponse", "AbortRequest"];
    Some(match reader.word(node, "type", &words) {
        0 => Action::None,
        1 => {
            let url = template(node, "url", reader)?;
            if url.start().contains("://") {
                let what =
                    format!("url: another server ({:?}), allowed: a path", attribute(node, "url").unwrap_or("-"));
                reader.problem(node, what, "Forebay is no proxy to other servers; a Redirect can lead there");
                return None;
            }
            Action::Rewrite { url, keeps_query }
        }
        2 => {
            Action::Redirect { url: template(node, "url", reader)?, status: redirect_status(node, reader), keeps_query }
        }
        3 => Action::Answer {
            status: custom_status(node, reader),
            reason: attribute(node, "statusReason").unwrap_or_default().to_owned(),
            text: attribute(node, "statusDescription").unwrap_or_default().to_owned(),
        },
        _ => Action::Abort,
    })
}

fn redirect_status(node: Node<'_, '_>, reader: &mut Reader<'_>) -> u16 {
    let words = ["Permanent", "Found", "SeeOther", "Temporary", "PermanentRedirect"];
    // Numbers are accepted where the names are; the schema gives the names their numbers.
    match attribute(node, "redirectType") {
        Some("301") => 301,
        Some("302") => 302,
        Some("303") => 303,
        Some("307") => 307,
        Some("308") => 308,
        _ => [301, 302, 303, 307, 308][reader.word(node, "redirectType", &words)],
    }
}

fn custom_status(node: Node<'_, '_>, reader: &mut Reader<'_>) -> u16 {
    let text = attribute(node, "statusCode").unwrap_or_default();
    match text.parse() {
        Ok(status @ 200..=599) => status,
        _ => {
            reader.problem(node, format!("statusCode: not understood ({text:?}), allowed: 200 to 599"), "");
            500
        }
    }
}

fn template(node: Node<'_, '_>, name: &str, reader: &mut Reader<'_>) -> Option<Template> {
    let Some(text) = attribute(node, name) else {
        reader.problem(node, format!("{name}: missing"), "");
        return None;
    };
    match Template::read(text) {
        Ok(template) => Some(template),
        Err(unknown) => {
            let what = format!(
                "{name}: not known ({unknown}), allowed: {{R:n}}, {{C:n}}, {{REQUEST_URI}}, {{URL}}, {{REQUEST_FILENAME}}, \
                 {{QUERY_STRING}}, {{HTTPS}}, {{REQUEST_METHOD}}, {{SERVER_NAME}}, {{HTTP_…}}, {{ToLower:…}}, {{UrlEncode:…}}"
            );
            reader.problem(
                node,
                what,
                "disable the rule with enabled=\"false\", or do in the application what it does",
            );
            None
        }
    }
}

fn pattern(node: Node<'_, '_>, name: &str, syntax: Syntax, reader: &mut Reader<'_>) -> Option<Pattern> {
    let ignore_case = reader.switch(node, "ignoreCase", true);
    let Some(text) = attribute(node, name) else {
        reader.problem(node, format!("{name}: missing"), "");
        return None;
    };
    let expression = match syntax {
        Syntax::Exact => return Some(Pattern::Exact { text: text.to_owned(), ignore_case }),
        Syntax::Regex if matches!(text, "" | ".*" | "^.*$") => {
            return Some(Pattern::Any);
        }
        Syntax::Regex => text.to_owned(),
        Syntax::Wildcard => wildcard(text),
    };
    let built = RegexBuilder::new(&expression)
        .case_insensitive(ignore_case)
        .backtrack_limit(STEPS_MAX)
        .delegate_size_limit(PATTERN_BYTES_MAX)
        .build();
    match built {
        Ok(regex) => Some(Pattern::Regex(Box::new(regex))),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim();
            reader.problem(node, format!("{name}: not an expression ({text:?}: {why})"), "");
            None
        }
    }
}

/// A wildcard pattern as an expression: each star is a group of its own.
fn wildcard(text: &str) -> String {
    let parts: Vec<_> = text.split('*').map(fancy_regex::escape).collect();
    format!("^{}$", parts.join("(.*)"))
}
