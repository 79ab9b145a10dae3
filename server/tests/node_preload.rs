//! Runs the tests of the JavaScript that is loaded into workers, with the node that is on `PATH`.

use std::path::Path;
use std::process::Command;

#[test]
fn node_tests_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/test");
    let mut tests: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    tests.retain(|path| path.to_string_lossy().ends_with(".test.js"));
    tests.sort();
    assert!(!tests.is_empty());
    let output = Command::new("node")
        .arg("--test")
        .args(&tests)
        .env_remove("NODE_OPTIONS")
        .env_remove("FOREBAY_ENDPOINT")
        .output()
        .expect("node 18 or newer has to be on PATH");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
}
