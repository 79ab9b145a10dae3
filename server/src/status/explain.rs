//! `forebay explain`: a cause, or all of them, in words.

use std::fmt::Write as _;

use super::{Cause, Row, Shown, TABLE};

/// Columns that a line has at most.
const COLUMNS: usize = 100;

/// Columns before the text of a line.
const INDENT: usize = 12;

/// The causes that somebody may mean: by name, by either code, by a status or a sub-status alone.
#[must_use]
pub fn find(asked: &str) -> Vec<&'static Row> {
    let number: Option<u16> = asked.parse().ok();
    let is_meant = |row: &&Row| {
        let codes = [row.native, row.iisnode];
        row.name == asked
            || codes.iter().any(|code| !asked.is_empty() && code.text == asked)
            || codes.iter().any(|code| number.is_some_and(|n| n > 0 && (code.status == n || code.sub == n)))
            // Its status is whatever fits.
            || (row.cause == Cause::Rejected && number.is_some_and(|n| (400..500).contains(&n) && n != 404 || n == 505))
    };
    TABLE.iter().filter(is_meant).collect()
}

/// What is known about what was asked for; none if nothing is called so.
#[must_use]
pub fn explain(asked: &str) -> Option<String> {
    let rows = find(asked);
    let texts: Vec<String> = rows.iter().map(|row| entry(row)).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Every cause, in one line each.
#[must_use]
pub fn explain_all() -> String {
    let mut out = String::from("iisnode   native    name                    what clients read\n");
    for row in &TABLE {
        let (iisnode, native) = (or_dash(row.iisnode.text), or_dash(row.native.text));
        let said = match row.shown {
            Shown::Answered => row.sentence,
            Shown::Cut => "(the response is cut)",
            Shown::Logged => "(nothing: access log only)",
            Shown::Never => "(does not occur)",
        };
        let _infallible = writeln!(out, "{iisnode:9} {native:9} {:23} {said}", row.name);
    }
    out.push_str(
        "\n`forebay explain CODE` and `forebay explain NAME` say what a cause means and what to do about it.\n",
    );
    out
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn entry(row: &Row) -> String {
    let mut out = match row.iisnode.text {
        "" => format!("{}\n", row.name),
        code => format!("{code}  {}\n", row.name),
    };
    let natively = match (row.shown, row.native.sub) {
        (Shown::Never, _) => "does not occur".to_string(),
        (Shown::Logged, _) => "the client has gone; only the access log has it".to_string(),
        (Shown::Cut, _) => format!("the response is cut; {} in the access log", row.native.text),
        (Shown::Answered, 0) => row.native.text.to_string(),
        (Shown::Answered, _) => format!("{}, {} in the access log", row.native.status, row.native.text),
    };
    line(&mut out, "natively", &natively);
    if let Some(number) = row.win32 {
        line(&mut out, "win32", &format!("{number} ({number:#x}): {}", win32_text(number)));
    }
    if row.shown == Shown::Answered {
        line(&mut out, "says", row.sentence);
    }
    line(&mut out, "means", row.likely);
    line(&mut out, "do", row.remedy);
    out
}

/// A label and a text, wrapped.
fn line(out: &mut String, label: &str, text: &str) {
    let _infallible = write!(out, "  {label:width$}", width = INDENT - 2);
    let mut column = INDENT;
    for (at, word) in text.split_whitespace().enumerate() {
        if at > 0 && column + 1 + word.len() > COLUMNS {
            let _infallible = write!(out, "\n{:INDENT$}", "");
            column = INDENT;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out.push('\n');
}

/// What Windows calls an error number of the table.
pub(super) fn win32_text(number: u32) -> &'static str {
    match number {
        2 => "there is no such file, or nobody listens",
        5 => "access is denied",
        11 => "the format is wrong",
        64 => "the network name is gone: the other end has closed",
        109 => "the pipe is broken: the other end has closed",
        121 => "the time is over",
        231 => "all instances of the pipe are busy",
        1034 => "iisnode's own number: the application is being recycled",
        1236 => "the connection was given up here",
        1816 => "a quota does not suffice",
        _ => "",
    }
}
