//! The README's reference of settings is the one in the source. `FOREBAY_UPDATE=1 cargo test` writes it anew.

use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- settings:begin -->\n";
const END: &str = "<!-- settings:end -->";

#[test]
fn the_readme_has_the_settings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has a line <!-- settings:begin -->");
    let (found, after) = rest.split_once(END).expect("README.md has a line <!-- settings:end -->");
    let wanted = format!("\n{}\n", forebay::config::reference_markdown());
    if found == wanted {
        return;
    }
    assert!(std::env::var_os("FOREBAY_UPDATE").is_some(), "README.md is behind: run FOREBAY_UPDATE=1 cargo test");
    fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
}
