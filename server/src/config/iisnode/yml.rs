//! iisnode.yml: one `key: value` a line, which looks like YAML and is not.
//!
//! What upstream reads is read alike, and what it refuses is refused. Three things are taken for what they were meant to
//! be, with a remark, where upstream ignores or refuses the line without a word: a byte order mark, tabs, and `Infinite`.

/// One setting of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    pub(super) line: usize,
}

/// Something to say about a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) line: usize,
    pub(super) what: String,
    pub(super) hint: Option<&'static str>,
}

/// A file taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    pub(super) pairs: Vec<Pair<'a>>,
    /// What makes the file unreadable.
    pub(super) faults: Vec<Note>,
    pub(super) remarks: Vec<Note>,
}

const NOT_YAML: &str = "iisnode.yml is not YAML: each line is `key: value`, without sections, lists and documents";

/// Takes a file apart. Its byte order mark, if it has one, is still there.
pub(super) fn parse(text: &str) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    if body.len() < text.len() {
        let what = "begins with a byte order mark, for which iisnode ignores this line";
        parsed.remarks.push(Note { line: 1, what: what.to_owned(), hint: None });
    }
    for (line, whole) in lines(body) {
        let code = whole.split('#').next().unwrap_or_default();
        if code.trim_matches(' ').contains('\t') {
            let what = "has a tab, which iisnode does not take for a space";
            parsed.remarks.push(Note { line, what: what.to_owned(), hint: None });
        }
        let code = code.trim_matches([' ', '\t']);
        if code.is_empty() {
            continue;
        }
        let mut fault = |what: String| parsed.faults.push(Note { line, what, hint: Some(NOT_YAML) });
        let Some((key, value)) = code.split_once(':') else {
            fault(format!("no colon ({code:?}), allowed: key: value"));
            continue;
        };
        let key = key.trim_matches([' ', '\t']);
        if key.is_empty() {
            fault(format!("no key ({code:?}), allowed: key: value"));
        } else if key.contains([' ', '\t']) {
            fault(format!("more than a key before the colon ({key:?}), allowed: key: value"));
        } else {
            // Without a value the line says nothing, upstream too; so `iisnode:` above an indented block does no harm.
            let value = value.trim_matches([' ', '\t']);
            parsed.pairs.extend((!value.is_empty()).then_some(Pair { key, value, line }));
        }
    }
    parsed
}

/// Lines with their numbers; CR, LF and CR LF end one.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ended = text.split_inclusive(['\r', '\n']);
    let mut number = 1;
    let mut after_cr = false;
    ended.filter_map(move |part| {
        if after_cr && part == "\n" {
            after_cr = false;
            return None;
        }
        after_cr = part.ends_with('\r');
        let here = number;
        number += 1;
        Some((here, part.trim_end_matches(['\r', '\n'])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a text, in a word: pairs, or what is wrong.
    fn told(text: &str) -> String {
        let parsed = parse(text);
        let mut out: Vec<String> = parsed.pairs.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
        out.extend(parsed.faults.iter().map(|note| format!("line {}: {}", note.line, note.what)));
        out.extend(parsed.remarks.iter().map(|note| format!("remark on line {}", note.line)));
        out.join("; ")
    }

    #[test]
    fn every_row_of_upstreams_grammar() {
        let fails = |text: &str| assert!(!parse(text).faults.is_empty(), "{text:?}");
        assert_eq!(told(""), "");
        fails(": foo");
        fails("   : bar");
        assert_eq!(told("foo:"), "");
        assert_eq!(told("foo:    # comment"), "");
        assert_eq!(told("foo: bar"), "foo=bar");
        assert_eq!(told("foo:bar"), "foo=bar");
        assert_eq!(told("a: 1\n\n\n   \nb: 2\n"), "a=1; b=2");
        fails("foo");
        fails("---");
        fails("- a: 1");
        fails("foo bar: 1");
        fails("foo # : bar");
        assert_eq!(told("iisnode:\n  loggingEnabled: true"), "loggingEnabled=true");
        assert_eq!(told("logDirectory: a#b"), "logDirectory=a");
        assert_eq!(told("a: b:c"), "a=b:c");
        assert_eq!(told("  key  :  some value  "), "key=some value");
        let line = r#"nodeProcessCommandLine: "C:\x y\node.exe" --flag"#;
        assert_eq!(told(line), r#"nodeProcessCommandLine="C:\x y\node.exe" --flag"#);
        assert_eq!(told("# all\n#of: it"), "");
    }

    #[test]
    fn tabs_and_marks_are_taken_for_what_they_were_meant_to_be() {
        assert_eq!(told("loggingEnabled:\ttrue"), "loggingEnabled=true; remark on line 1");
        assert_eq!(told("\tloggingEnabled: true"), "loggingEnabled=true; remark on line 1");
        assert_eq!(told("\u{feff}loggingEnabled: true"), "loggingEnabled=true; remark on line 1");
        assert_eq!(told("a: 1\n\t\n"), "a=1; remark on line 2");
    }

    #[test]
    fn lines_end_in_every_way() {
        let numbered = |text| parse(text).pairs.iter().map(|pair| (pair.key.to_owned(), pair.line)).collect::<Vec<_>>();
        let wanted = [("a".to_owned(), 1), ("b".to_owned(), 3)];
        assert_eq!(numbered("a: 1\n\nb: 2"), wanted);
        assert_eq!(numbered("a: 1\r\n\r\nb: 2"), wanted);
        assert_eq!(numbered("a: 1\r\rb: 2\r"), wanted);
    }
}
