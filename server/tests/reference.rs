//! The README's references are the ones in the source. `FOREBAY_UPDATE=1 cargo test` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use forebay::config::{iisnode_markdown, iisnode_tests, reference_markdown};
use forebay::status::{statuses_markdown, statuses_tests};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One test, so that two of them do not write the file at a time.
#[test]
fn the_readme_has_the_references() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut wanted = readme.clone();
    let tables =
        [("settings", reference_markdown()), ("iisnode", iisnode_markdown()), ("statuses", statuses_markdown())];
    for (name, text) in tables {
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

/// What the README says of each attribute and status of iisnode is held by a test that exists.
#[test]
fn each_attribute_and_status_of_iisnode_has_its_test() {
    let mut sources = String::new();
    for file in ["server/tests/iisnode_config.rs", "server/src/status/tests.rs", "server/src/shard/relay/stage.rs"] {
        sources.push_str(&fs::read_to_string(root().join(file)).unwrap());
    }
    for folder in ["server/tests/conformance", "server/tests/end_to_end", "server/tests/wire"] {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).for_each(|path| sources.push_str(&fs::read_to_string(path).unwrap()));
    }
    for (what, test) in iisnode_tests().into_iter().chain(statuses_tests()) {
        assert!(sources.contains(&format!("fn {test}()")), "{what}: there is no test {test}");
    }
}
