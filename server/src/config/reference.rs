//! The settings for people to read: the README's reference and the report of `forebay check`.

use std::fmt::Write as _;

use super::resolve::Resolved;
use super::settings::{Preset, SECTIONS, SETTINGS, Setting};

/// All settings in Markdown, one table a section; the README has it between `<!-- settings:begin -->` and
/// `<!-- settings:end -->`.
#[must_use]
pub fn reference_markdown() -> String {
    let mut out = String::new();
    for (section, about) in SECTIONS {
        let _infallible = write!(
            out,
            "### `[{section}]`\n\n{about}\n\n| key | default | allowed | what it is |\n|---|---|---|---|\n"
        );
        for setting in SETTINGS.iter().filter(|setting| setting.parts().0 == section) {
            let name = setting.parts().1;
            let preset = preset(setting);
            let allowed = setting.kind.allowed().replace('|', "\\|");
            let _infallible = writeln!(out, "| `{name}` | {preset} | {allowed} | {}{} |", setting.doc, ways(setting));
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn preset(setting: &Setting) -> String {
    match setting.preset {
        // A platform's own default would make the page depend on where it was made.
        Preset::Means("monoio" | "compio") => "see there".to_owned(),
        Preset::Means(words) => words.to_owned(),
        Preset::Is(text) if setting.kind.is_quoted() => format!("`\"{text}\"`"),
        Preset::Is(text) => format!("`{text}`"),
    }
}

/// Where else than in the file it can be set.
fn ways(setting: &Setting) -> String {
    let ways: Vec<_> = setting.flag.iter().chain(setting.env.iter().rev()).map(|way| format!("`{way}`")).collect();
    if ways.is_empty() { String::new() } else { format!(" Also: {}.", ways.join(", ")) }
}

/// What `forebay check` prints: every setting with its value and origin, then the command of a worker.
#[must_use]
pub fn check_report(resolved: &Resolved) -> String {
    let width = |of: fn(&super::Row) -> &str, head: &str| {
        resolved.rows.iter().map(|row| of(row).chars().count()).chain([head.len()]).max().unwrap_or_default().min(48)
    };
    let keys = width(|row| row.key, "setting");
    let values = width(|row| &row.value, "value");
    let files: Vec<_> = resolved.files.iter().map(|file| file.display().to_string()).collect();
    let files = if files.is_empty() { "none".to_owned() } else { files.join(", ") };
    let mut out = format!("configuration file: {files}\n\n");
    let _infallible = writeln!(out, "{:keys$}  {:values$}  origin", "setting", "value");
    for row in &resolved.rows {
        let _infallible = writeln!(out, "{:keys$}  {:values$}  {}", row.key, row.value, row.origin);
    }
    if !resolved.remarks.is_empty() {
        out.push_str("\nremarks\n");
    }
    for remark in &resolved.remarks {
        let _infallible = writeln!(out, "  {remark}");
    }
    let launch = &resolved.config.launch;
    let args: Vec<_> = launch.args.iter().map(|arg| arg.to_string_lossy()).collect();
    let _infallible = write!(
        out,
        "\napplication        {}\ncommand            {} {}\nworking directory  {}\nnode               {} ({})\nfed by             {}\n",
        launch.title,
        launch.program.display(),
        args.join(" "),
        launch.cwd.display(),
        resolved.node.path.display(),
        resolved.node.version_text(),
        resolved.config.feeding(),
    );
    out
}
