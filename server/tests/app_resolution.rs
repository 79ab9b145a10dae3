//! From what the operator names to the command of a worker.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use forebay::config::{Launch, Sources, resolve};

fn path_only(name: &str) -> Option<OsString> {
    if name == "PATH" { std::env::var_os(name) } else { None }
}

/// Makes the files, resolves `app` in their folder, and tells the outcome on one line.
fn outcome(files: &[(&str, &str)], app: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let app = Some(app).filter(|app| !app.is_empty()).map(Into::into);
    let sources = Sources { app, config: None, flags: Vec::new(), cwd: folder.path().into(), env: path_only };
    let told = match resolve(&sources) {
        Ok(resolved) => command(&resolved.config.launch),
        Err(errors) => errors.to_string(),
    };
    let runtime_dir = std::env::temp_dir().join(format!("forebay-{}", std::process::id()));
    let told = told.replace(&folder.path().display().to_string(), "DIR");
    told.replace(&runtime_dir.display().to_string(), "RUN").replace('\\', "/")
}

fn command(launch: &Launch) -> String {
    let program = launch.program.file_name().unwrap().to_string_lossy().into_owned();
    let args: Vec<_> = launch.args.iter().map(|arg| arg.to_string_lossy()).collect();
    let shown = launch.env.iter().filter(|(name, _)| name != "PATH" && !name.to_string_lossy().starts_with("npm_"));
    let env: Vec<_> = shown.map(|(name, value)| format!(" {}={}", name.display(), value.display())).collect();
    let indirect = if launch.indirect { " (indirect)" } else { "" };
    format!("{}: {program} {} in {}{}{indirect}", launch.title, args.join(" "), launch.cwd.display(), env.concat())
}

#[test]
#[cfg(unix)]
fn what_is_run() {
    let start = |line: &str| format!(r#"{{"name": "x", "main": "main.js", "scripts": {{"start": {line:?}}}}}"#);
    let main = r#"{"main": "lib"}"#;
    let table: [(&[(&str, &str)], &str); 15] = [
        (&[], ""),
        (&[("server.js", ""), ("app.js", "")], ""),
        (&[("index.mjs", "")], "."),
        (&[("a/b.cjs", "")], "a/b.cjs"),
        (&[("package.json", "{}"), ("src/b.js", "")], "src/b.js"),
        (&[("bin/www", "")], "bin/www"),
        (&[("package.json", main), ("lib/index.js", ""), ("server.js", "")], ""),
        (&[("package.json", &start("node ./bin/www --x")), ("bin/www", ""), ("main.js", "")], ""),
        (&[("package.json", &start("NODE_ENV=production node dist/main")), ("dist/main.js", "")], ""),
        (&[("package.json", &start("node .")), ("main.js", "")], ""),
        (&[("package.json", &start("next start"))], ""),
        (&[("package.json", &start("echo \"Error: no start\" && exit 1")), ("main.js", "")], ""),
        (
            &[("f/forebay.toml", "[app]\nargs=[\"a b\"]\nenv={A=1}\nnode_args=[\"--no-warnings\"]"), ("f/app.js", "")],
            "f",
        ),
        (&[("forebay.toml", "[app]\nscript=\"sub\"\nargs=[\"a b\"]"), ("sub/package.json", &start("next start"))], ""),
        (&[("forebay.toml", "[app]\ncwd=\"sub\""), ("app.js", ""), ("sub/x", "")], "forebay.toml"),
    ];
    let told: Vec<_> = table.iter().map(|(files, app)| outcome(files, app)).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_refused() {
    let start = r#"{
  "scripts": {
    "start": "node dist/server.js"
  }
}"#;
    let table: [(&[(&str, &str)], &str); 12] = [
        (&[], "server.js"),
        (&[("server.js", "")], "server"),
        (&[("x", "")], "."),
        (&[("data.json", "")], "data.json"),
        (&[("package.json", "{\n  \"main\": \"x\",\n}")], ""),
        (&[("package.json", "[]")], ""),
        (&[("package.json", "{}")], ""),
        (&[("package.json", "{\n \"main\": \"gone.js\"}"), ("app.js", "")], ""),
        (&[("package.json", start)], ""),
        (&[("forebay.toml", "[app]\n\nscript = \"gone.js\"")], ""),
        (&[("forebay.toml", "[app]\nnode = \"./no-node\""), ("app.js", "")], ""),
        (&[("forebay.toml", "[app]\ncwd = \"gone\""), ("app.js", "")], ""),
    ];
    let told: Vec<_> = table.iter().map(|(files, app)| outcome(files, app)).collect();
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[cfg(unix)]
fn with_node(script: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("node");
    // Written elsewhere and moved: a file that is open for writing does not run, and tests fork in between.
    let status = std::process::Command::new("sh")
        .args(["-c", r#"printf '%s' "$1" > "$0" && chmod 755 "$0""#])
        .args([node.as_os_str(), script.as_ref()])
        .status()
        .unwrap();
    assert!(status.success() && fs::metadata(&node).unwrap().permissions().mode() & 0o111 != 0);
    let toml = format!("[app]\nnode = \"{}\"\n", node.display());
    outcome(&[("forebay.toml", &toml), ("app.ts", "")], "").replace(&folder.path().display().to_string(), "NODE")
}

#[test]
#[cfg(unix)]
fn nodes_that_will_not_do() {
    let told = [
        with_node("#!/bin/sh\necho v16.20.2\n"),
        with_node("#!/bin/sh\necho Python 3.12\n"),
        with_node("#!/bin/sh\nexit 3\n"),
        with_node("#!/nonexistent\n"),
        with_node("#!/bin/sh\necho v20.1.0\n"),
        with_node("#!/bin/sh\necho v22.7.0\n"),
        with_node("#!/bin/sh\necho v24.0.0\n"),
    ];
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn no_node_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let sources = Sources { app: None, config: None, flags: Vec::new(), cwd: folder.path().into(), env: |_| None };
    let told = resolve(&sources).unwrap_err().to_string();
    assert_eq!(
        told,
        "error: app.node: not found on PATH (node)\n\
         hint: install node 18 or newer, or name it: [app] node = \"/path/to/node\""
    );
}

#[test]
fn the_commands_of_dependencies_come_first_on_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("node_modules/.bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(folder.path().join("package.json"), r#"{"scripts": {"start": "next start"}, "version": "1.2.3"}"#)
        .unwrap();
    let sources = Sources { app: None, config: None, flags: Vec::new(), cwd: folder.path().into(), env: path_only };
    let launch = resolve(&sources).unwrap().config.launch;
    let value = |name: &str| launch.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(std::env::split_paths(&value("PATH")).next().unwrap(), Path::new(&bin));
    assert_eq!((value("npm_package_version"), value("npm_lifecycle_event")), ("1.2.3".into(), "start".into()));
}
