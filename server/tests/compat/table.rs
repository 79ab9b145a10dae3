//! The README's table of applications.

use std::fs;
use std::path::Path;

use crate::catalogue::APPS;
use crate::install::version;
use crate::{Mode, Results};

const BEGIN: &str = "<!-- compat:begin -->\n";
const END: &str = "<!-- compat:end -->\n";

/// Compares the README's table with the results, or writes it if that is asked for.
pub(crate) fn check(results: &Results) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let fresh = markdown(results);
    if table == fresh {
        return Ok(());
    }
    if std::env::var("FOREBAY_UPDATE").is_ok_and(|value| value == "1") {
        fs::write(&path, format!("{before}{BEGIN}{fresh}{END}{after}")).unwrap();
        return Ok(());
    }
    Err(format!("the README's table is not what came out; FOREBAY_UPDATE=1 writes it. It should be:\n{fresh}"))
}

fn markdown(results: &Results) -> String {
    let mut text =
        "\n| application | version | checks | same over HTTP | same over the pipe |\n|---|---|---|---|---|\n"
            .to_owned();
    for app in APPS {
        let cell = |mode| results.get(&(app.name, mode)).map_or("–".to_owned(), usize::to_string);
        let (node, http, pipe) = (cell(Mode::Node), cell(Mode::Http), cell(Mode::Pipe));
        let version = if app.package.is_empty() { "18 to 26".to_owned() } else { version(app.package) };
        text.push_str(&format!("| {} | {version} | {node} | {http} | {pipe} |\n", app.title));
    }
    text.push('\n');
    text
}
