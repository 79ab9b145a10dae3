//! iisnode's attributes for people to read: the README's section.

use std::fmt::Write as _;

use super::attributes::{ATTRIBUTES, Standing};

/// All attributes as a table in Markdown; the README has it between `<!-- iisnode:begin -->` and
/// `<!-- iisnode:end -->`.
#[must_use]
pub fn iisnode_markdown() -> String {
    let mut out = String::from("| attribute | default | | becomes | what happens here |\n|---|---|---|---|---|\n");
    for attribute in &ATTRIBUTES {
        let default = match (attribute.upstream, attribute.azure) {
            ("", _) => "empty".to_owned(),
            (upstream, None) => format!("`{upstream}`"),
            (upstream, Some(azure)) => format!("`{upstream}`; azure: `{azure}`"),
        };
        let standing = match attribute.standing {
            Standing::Supported => "supported",
            Standing::Better => "better",
            Standing::Explained => "explained",
        };
        let settings: Vec<_> = attribute.settings.iter().map(|key| format!("`{key}`")).collect();
        let settings = if settings.is_empty() { "–".to_owned() } else { settings.join(", ") };
        let _infallible =
            writeln!(out, "| `{}` | {default} | {standing} | {settings} | {} |", attribute.name, attribute.doc);
    }
    out
}

/// The tests that hold the table to its word, for a test that looks for them.
#[must_use]
pub fn iisnode_tests() -> Vec<(&'static str, &'static str)> {
    ATTRIBUTES.iter().map(|attribute| (attribute.name, attribute.test)).collect()
}
