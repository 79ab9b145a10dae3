//! `scripts.start`: whether it is plainly node with a file, or something for a shell.

use crate::spawn;

/// Characters that mean something to a shell where they are not quoted.
const META: &str = "$`\\;&|<>()*?[]{}~#!\n\r";

/// Characters that make more than one command of a line, or need the shell to stay.
const COMPOUND: &str = ";&|<>()`{}\n\r";

/// Flags of node that take the next word as their value.
const VALUE_FLAGS: [&str; 10] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--env-file-if-exists",
    "--icu-data-dir",
];

/// Flags with which node runs no file, or not just the file.
const OTHER_FLAGS: [&str; 9] = ["-e", "--eval", "-p", "--print", "-pe", "--run", "--test", "--watch", "--watch-path"];

/// A start script taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StartScript {
    /// `[NAME=value]… node [flags] file [arguments]`.
    Node {
        /// The assignments.
        env: Vec<(String, String)>,
        /// Flags before the file.
        flags: Vec<String>,
        /// The file.
        file: String,
        /// Arguments behind it.
        args: Vec<String>,
    },
    /// Anything else.
    Shell {
        /// Assignments that were taken off the front.
        env: Vec<(String, String)>,
        /// The line for the shell.
        line: String,
    },
}

impl StartScript {
    /// Takes `line` apart; `exists` says whether node would find a file of that name.
    pub(super) fn parse(line: &str, exists: impl Fn(&str) -> bool) -> Self {
        let Some(words) = words(line) else {
            // `exec` gives the shell's place to the command, so that signals and exit status are its own.
            let is_single = !line.contains(|c| COMPOUND.contains(c)) && assignment(line).is_none();
            let exec = if is_single { spawn::EXEC } else { "" };
            return Self::Shell { env: Vec::new(), line: format!("{exec}{line}") };
        };
        let mut rest = words.as_slice();
        if rest.first().is_some_and(|word| matches!(word.as_str(), "cross-env" | "env")) && rest.len() > 2 {
            rest = &rest[1..];
        }
        let mut env = Vec::new();
        while let Some((name, value)) = rest.first().and_then(|word| assignment(word)) {
            env.push((name.to_owned(), value.to_owned()));
            rest = &rest[1..];
        }
        if let Some((flags, file, args)) = plain_node(rest, exists) {
            return Self::Node { env, flags: flags.to_vec(), file: file.clone(), args: args.to_vec() };
        }
        let quoted: Vec<_> = rest.iter().map(|word| quoted(word)).collect();
        let exec = if rest.is_empty() { "" } else { spawn::EXEC };
        Self::Shell { env, line: format!("{exec}{}", quoted.join(" ")) }
    }
}

type Parts<'a> = (&'a [String], &'a String, &'a [String]);

fn plain_node(words: &[String], exists: impl Fn(&str) -> bool) -> Option<Parts<'_>> {
    let (program, rest) = words.split_first()?;
    if program != "node" {
        return None;
    }
    let mut at = 0;
    let mut is_sure = true;
    while let Some(flag) = rest.get(at).filter(|word| word.starts_with('-')) {
        let name = flag.split('=').next().unwrap_or(flag);
        if OTHER_FLAGS.contains(&name) || flag == "-" || flag == "--" {
            return None;
        }
        let takes_next = VALUE_FLAGS.contains(&flag.as_str());
        is_sure &= takes_next || flag.contains('=');
        at += if takes_next { 2 } else { 1 };
    }
    let file = rest.get(at)?;
    // The word behind a flag we do not know may be the flag's value: only a file that is there is one.
    let looks_like_file = is_sure || std::path::Path::new(file).extension().is_some();
    (exists(file) || looks_like_file).then(|| (&rest[..at], file, &rest[at + 1..]))
}

/// `NAME=value` with a name that a shell would take.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_name.then_some((name, value))
}

/// The words of a line that needs no shell to understand; none where it does.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for c in line.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some('"') if "$`\\!".contains(c) => return None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c == ' ' || c == '\t' => words.extend(word.take()),
            None if META.contains(c) => return None,
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// A word so that a shell takes it as it is.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { spawn::quoted(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> String {
        match StartScript::parse(line, |file| matches!(file, "." | "bin/www" | "server.js")) {
            StartScript::Node { env, flags, file, args } => format!("{env:?} node {flags:?} {file} {args:?}"),
            StartScript::Shell { env, line } => format!("{env:?} sh {line}"),
        }
    }

    #[test]
    fn plain_node_needs_no_shell() {
        assert_eq!(parse("node server.js"), "[] node [] server.js []");
        assert_eq!(parse("node ./bin/www --x 1"), r#"[] node [] ./bin/www ["--x", "1"]"#);
        assert_eq!(parse("node ."), "[] node [] . []");
        assert_eq!(parse("node missing.js"), "[] node [] missing.js []");
        assert_eq!(
            parse("NODE_ENV=production A='x y' node --enable-source-maps -r dotenv/config server.js"),
            r#"[("NODE_ENV", "production"), ("A", "x y")] node ["--enable-source-maps", "-r", "dotenv/config"] server.js []"#
        );
        assert_eq!(parse("cross-env A=1 node server.js"), r#"[("A", "1")] node [] server.js []"#);
    }

    #[test]
    fn anything_else_does() {
        use spawn::EXEC;
        assert_eq!(parse("next start"), format!("[] sh {EXEC}next start"));
        let port = spawn::quoted("80 80");
        assert_eq!(parse("A=1 next start -p '80 80'"), format!(r#"[("A", "1")] sh {EXEC}next start -p {port}"#));
        assert_eq!(parse("node a.js && node b.js"), "[] sh node a.js && node b.js");
        assert_eq!(parse("next start -p $PORT"), format!("[] sh {EXEC}next start -p $PORT"));
        assert_eq!(parse("A=$B node x.js"), "[] sh A=$B node x.js");
        assert_eq!(parse("node --stack-size 5 server.js"), format!("[] sh {EXEC}node --stack-size 5 server.js"));
        assert_eq!(parse("node --watch server.js"), format!("[] sh {EXEC}node --watch server.js"));
        assert_eq!(parse("node -e 'x()'"), format!("[] sh {EXEC}node -e {}", spawn::quoted("x()")));
        assert_eq!(parse("node"), format!("[] sh {EXEC}node"));
        assert_eq!(parse("node 'unclosed"), format!("[] sh {EXEC}node 'unclosed"));
    }
}
