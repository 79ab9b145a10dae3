//! The command line as a user has it: what it prints, where, and what it exits with.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::fs;
use std::path::Path;
use std::process::Command;

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

fn forebay(folder: &Path, args: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(args)
        .current_dir(folder)
        .env_remove("PORT")
        .env_remove("FOREBAY_LISTEN")
        .env_remove("FOREBAY_WORKERS")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&folder.display().to_string(), "DIR");
    Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn check_shows_every_value_with_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.js"), "").unwrap();
    fs::write(folder.path().join("forebay.toml"), "[limits]\nfields_max = 50\n[app.env]\nSECRET = \"hush\"\n").unwrap();
    let answer = forebay(folder.path(), &["check", "--workers", "2", "-l", "127.0.0.1:9000"]);
    assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""));
    let row = |key: &str| {
        answer
            .out
            .lines()
            .find(|line| line.starts_with(&format!("{key} ")))
            .map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(row("server.listen").unwrap(), "server.listen 127.0.0.1:9000 --listen");
    assert_eq!(row("workers.count").unwrap(), "workers.count 2 --workers");
    assert_eq!(row("limits.fields_max").unwrap(), "limits.fields_max 50 forebay.toml:2");
    assert_eq!(row("limits.attempts_max").unwrap(), "limits.attempts_max 3 default");
    assert_eq!(row("application").unwrap(), "application app.js");
    assert!(!answer.out.contains("hush"), "values of variables may be secrets");
}

#[test]
fn what_is_wrong_goes_to_standard_error_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["run", "--workers", "0"][..], &["--workers", "0"], &["check", "--workers", "0"]] {
        let answer = forebay(folder.path(), args);
        assert_eq!((answer.code, answer.out.as_str()), (Some(2), ""));
        assert_eq!(answer.err, "error: --workers: workers.count: too small (\"0\"), allowed: 1 to 1024, or \"auto\"\n");
    }
    assert_eq!(forebay(folder.path(), &["check", "missing.js"]).code, Some(2));
    assert_eq!(forebay(folder.path(), &["--no-such-flag"]).code, Some(2));
    assert_eq!(forebay(folder.path(), &["front"]).code, Some(2));
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = tempfile::tempdir().unwrap();
    for args in [["--help"], ["--version"]] {
        let answer = forebay(folder.path(), &args);
        assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""));
    }
    for command in ["run", "check", "front", "bench"] {
        assert!(forebay(folder.path(), &["--help"]).out.contains(&format!("\n  {command} ")));
    }
}

#[test]
fn the_repository_itself_gives_the_demo() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let answer = forebay(&root, &["check"]);
    assert!(answer.out.contains("application        built-in demo\n"), "{}{}", answer.out, answer.err);
}

#[test]
fn checking_leaves_nothing_behind() {
    let (folder, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let status = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .arg("check")
        .current_dir(folder.path())
        .env("TMPDIR", temp.path())
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("PORT")
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    for place in [folder.path(), temp.path()] {
        assert_eq!(fs::read_dir(place).unwrap().count(), 0);
    }
}
