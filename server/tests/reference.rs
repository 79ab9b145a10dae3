//! The README's references are the ones in the source. `FOREBAY_UPDATE=1 cargo test` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use forebay::config::{iisnode_markdown, iisnode_tests, reference_markdown};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One test, so that two of them do not write the file at a time.
#[test]
fn the_readme_has_the_references() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut wanted = readme.clone();
    for (name, text) in [("settings", reference_markdown()), ("iisnode", iisnode_markdown())] {
        let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
        let (before, rest) = wanted.split_once(&begin).unwrap_or_else(|| panic!("README.md has no line {begin}"));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("README.md has no line {end}"));
        wanted = format!("{before}{begin}\n{text}\n{end}{after}");
    }
    if readme == wanted {
        return;
    }
    assert!(std::env::var_os("FOREBAY_UPDATE").is_some(), "README.md is behind: run FOREBAY_UPDATE=1 cargo test");
    fs::write(&path, wanted).unwrap();
}

/// What the README says of each attribute of iisnode is held by a test that exists.
#[test]
fn each_attribute_of_iisnode_has_its_test() {
    let mut sources = fs::read_to_string(root().join("server/tests/iisnode_config.rs")).unwrap();
    for entry in fs::read_dir(root().join("server/tests/conformance")).unwrap() {
        sources.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    for (attribute, test) in iisnode_tests() {
        assert!(sources.contains(&format!("fn {test}()")), "{attribute}: there is no test {test}");
    }
}
