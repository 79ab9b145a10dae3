//! The command line as a user has it: what it prints, where, and what it exits with.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use forebay_transports::files::private_folder;
use system::open_to_others;

#[path = "end_to_end/system/mod.rs"]
mod system;

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
    assert_eq!(row("fed by").unwrap(), "fed by frames or http");
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
    for command in ["run", "check", "front", "bench", "reload", "stop", "service", "preload"] {
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
fn codes_are_explained() {
    let temp = tempfile::tempdir().unwrap();
    let explained = |code: &str| forebay(temp.path(), &["explain", code]);
    let exited = explained("500.1002");
    assert_eq!(exited.code, Some(0));
    assert!(exited.out.contains("500.1002  exited") && exited.out.contains("502.1002 in the access log"));
    assert!(explained("queue_full").out.contains("503.1002  queue_full"));
    assert!(forebay(temp.path(), &["explain"]).out.lines().count() > 30);
    let unknown = explained("500.9");
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(2), ""));
    assert!(unknown.err.contains("nothing is called \"500.9\"") && unknown.err.contains("hint: "));
}

#[test]
fn checking_leaves_nothing_behind() {
    let (folder, temp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let status = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .arg("check")
        .current_dir(folder.path())
        .env("TMPDIR", temp.path())
        .env("TMP", temp.path())
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

/// `forebay preload` in a world of its own.
fn preload(temp: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command.arg("preload").env("TMPDIR", temp).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "NODE_OPTIONS"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn the_preload_is_installed_once_and_for_all_who_ask() {
    let temp = tempfile::tempdir().unwrap();
    let asking: Vec<_> = (0..8).map(|_| preload(temp.path()).spawn().unwrap()).collect();
    let answers: Vec<_> = asking.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let first = String::from_utf8(answers[0].stdout.clone()).unwrap();
    for answer in &answers {
        assert!(answer.status.success() && answer.stderr.is_empty(), "{answer:?}");
        assert_eq!(answer.stdout, first.as_bytes());
    }
    let script = Path::new(first.trim_end());
    let folder = script.parent().unwrap();
    assert!(script.is_absolute() && folder.parent() == Some(temp.path()), "{first}");
    assert_eq!(private_folder(folder), Ok(false), "it is there, and nobody else's");
    let leftovers = fs::read_dir(folder).unwrap().flatten().filter(|it| it.path().to_string_lossy().contains(".new"));
    assert_eq!(leftovers.count(), 0);
    // Untouched while it is as it should be, put right when it is not.
    let written = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = written(script);
    fs::write(folder.join("worker/link.cjs"), "broken").unwrap();
    assert!(preload(temp.path()).status().unwrap().success());
    assert_eq!(written(script), before);
    assert_ne!(fs::read_to_string(folder.join("worker/link.cjs")).unwrap(), "broken");
    // Node loads it, and what it does not concern it leaves alone.
    let output = Command::new("node")
        .args(["-p", "1 + 1"])
        .env("NODE_OPTIONS", format!("--require {}", script.display()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2\n", "{output:?}");
}

#[test]
fn a_server_that_is_not_there_cannot_be_told() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["stop", "reload"] {
        let answer = forebay(folder.path(), &[command, "--pid", "999999999"]);
        assert_eq!((answer.code, answer.out.as_str()), (Some(1), ""));
        assert!(answer.err.starts_with("error: --pid: no server of this user (999999999)\nhint: "), "{}", answer.err);
    }
}

#[test]
#[cfg(not(windows))]
fn services_are_for_windows() {
    let folder = tempfile::tempdir().unwrap();
    let answer = forebay(folder.path(), &["service", "install", "--", "app.js"]);
    assert_eq!((answer.code, answer.out.as_str()), (Some(2), ""));
    assert!(answer.err.starts_with("error: service: ") && answer.err.contains("systemd"), "{}", answer.err);
}

#[test]
fn a_preload_that_others_could_change_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = String::from_utf8(preload(temp.path()).output().unwrap().stdout).unwrap();
    let folder = Path::new(path.trim_end()).parent().unwrap();
    open_to_others(folder);
    let answer = preload(temp.path()).output().unwrap();
    assert_eq!((answer.status.code(), answer.stdout.as_slice()), (Some(1), &b""[..]));
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(said.contains("is open to other users") && said.contains("\nhint: "), "{said}");
}
