//! The page of a folder: a table of its files, the newest first.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::errors;
use super::folder::Entry;
use crate::date::rfc3339;

/// Its name.
pub(super) const FILE: &str = "index.html";

/// How a page of ours begins.
const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="generator" content="forebay app_log">
"#;

const STYLE: &str = "<title>Application logs</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3em 1em .3em 0; border-bottom: 1px solid #ddd; }
tr.stderr, tr.stderr a { color: #b00020; }
</style>
";

/// Whether nobody else's page is there.
pub(super) fn is_ours(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return !path.exists() };
    let mut text = Vec::new();
    file.take(HEAD.len() as u64).read_to_end(&mut text).is_ok_and(|_| text == HEAD.as_bytes() || text.is_empty())
}

/// The page for these files, in this order.
pub(super) fn render(entries: &[Entry], has_errors: bool, now: SystemTime) -> String {
    let mut html = format!("{HEAD}{STYLE}<h1>Application logs</h1>\n<p>Updated {}</p>\n", rfc3339(now));
    if has_errors {
        let file = errors::FILE;
        html.push_str(&format!("<p><a href=\"{file}\">{file}</a>: what processes that failed said last</p>\n"));
    }
    html.push_str("<table>\n<tr><th>Computer name<th>PID<th>Type<th>Created<th>Link\n");
    for Entry { name, computer, pid, is_stderr, created, .. } in entries {
        let kind = if *is_stderr { "stderr" } else { "stdout" };
        let created = rfc3339(UNIX_EPOCH + Duration::from_millis(*created));
        let (text, link, computer) = (escape(name), encode(name), escape(computer));
        // Writing to a string does not fail.
        let _infallible = writeln!(
            html,
            "<tr class=\"{kind}\"><td>{computer}<td>{pid}<td>{kind}<td>{created}\
             <td><a href=\"{link}\">{text}</a>"
        );
    }
    html.push_str("</table>\n</html>\n");
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A name as a relative reference (RFC 3986): another machine's may have anything in it.
fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_only_names() {
        assert_eq!(escape("<a&\">"), "&lt;a&amp;&quot;&gt;");
        assert_eq!(encode("a:b/ü\"-1.txt"), "a%3Ab%2F%C3%BC%22-1.txt");
    }

    #[test]
    fn the_page() {
        let page = render(&[], true, UNIX_EPOCH);
        assert!(page.contains("<a href=\"logging-errors.txt\">") && page.contains("Updated 1970-01-01T00:00:00Z"));
        assert!(page.starts_with(HEAD));
        assert!(!render(&[], false, UNIX_EPOCH).contains("logging-errors.txt"));
    }
}
