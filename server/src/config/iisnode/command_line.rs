//! `nodeProcessCommandLine`: a program and its flags, as Windows takes a line apart.

use std::path::is_separator;

/// A line taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommandLine {
    pub(super) program: String,
    pub(super) flags: Vec<String>,
}

/// Takes a line apart; none if nothing is in it. Quotes hold a word together; a backslash is one unless a quote follows.
pub(super) fn split(line: &str) -> Option<CommandLine> {
    let line = line.trim();
    let (program, rest) = match spaced_program(line) {
        Some(end) => (Some(line[..end].to_owned()), &line[end..]),
        None => (None, line),
    };
    let mut words = words(rest).into_iter();
    let program = program.or_else(|| words.next()).filter(|program| !program.is_empty())?;
    Some(CommandLine { program, flags: words.collect() })
}

/// Where the program ends whose path has spaces and no quotes: Windows tries one space after the other until something
/// is there; the name's extension says it without trying.
fn spaced_program(line: &str) -> Option<usize> {
    if !is_windows_path(line) {
        return None;
    }
    let lower = line.to_ascii_lowercase();
    let ends = lower.match_indices(".exe").map(|(at, word)| at + word.len());
    ends.into_iter().find(|&end| line[end..].is_empty() || line[end..].starts_with([' ', '\t']))
}

fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'"') => {
                chars.next();
                word.get_or_insert_default().push('"');
            }
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Whether a path has a drive, a share or a variable of Windows in front.
pub(super) fn is_windows_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    let has_drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/');
    has_drive || path.starts_with("\\\\") || (path.starts_with('%') && path.contains('\\'))
}

/// A relative path with the separators of this system.
pub(super) fn local(path: &str) -> String {
    if is_separator('\\') { path.to_owned() } else { path.replace('\\', "/") }
}

/// The last part of a path, whichever way its separators lean.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        split(line).map_or("nothing".to_owned(), |it| format!("{} {:?}", it.program, it.flags))
    }

    #[test]
    fn lines_are_taken_apart_as_windows_does() {
        assert_eq!(told("node.exe"), "node.exe []");
        assert_eq!(told("node --expose-gc --stack-size=4000"), r#"node ["--expose-gc", "--stack-size=4000"]"#);
        assert_eq!(
            told(r#""C:\Program Files\nodejs\node.exe" --flag"#),
            r#"C:\Program Files\nodejs\node.exe ["--flag"]"#
        );
        assert_eq!(
            told(r"D:\Program Files (x86)\nodejs\node.exe --a b"),
            r#"D:\Program Files (x86)\nodejs\node.exe ["--a", "b"]"#
        );
        assert_eq!(told(r"C:\nodejs\node --a"), r#"C:\nodejs\node ["--a"]"#);
        assert_eq!(told(r"%programfiles%\nodejs\node.exe"), r"%programfiles%\nodejs\node.exe []");
        assert_eq!(told(r#"node -r "./a b.js" "unclosed x"#), r#"node ["-r", "./a b.js", "unclosed x"]"#);
        assert_eq!(told(r#"node --title=\"x"#), r#"node ["--title=\"x"]"#);
        assert_eq!((told("  "), told("\"\"")), ("nothing".to_owned(), "nothing".to_owned()));
    }
}
