//! A change of a file that is watched is a reload, however it comes about, and a bad one costs nothing.

use tempfile::TempDir;

use super::server::Server;
use super::setup::Setup;
use super::system::{folder, link};
use super::wait::until;

/// A script that says `text` and what `part.js` beside it exports, if there is one.
fn script(text: &str) -> String {
    format!(
        "let part = ''; try {{ part = require('./node_modules/part.js'); }} catch {{}}\n\
         require('http').createServer((req, res) => res.end('{text}' + part)).listen(process.env.PORT);"
    )
}

fn write(dir: &TempDir, name: &str, text: &str) {
    let path = dir.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn start(dir: &TempDir, patterns: &str) -> Server {
    write(dir, "hello.js", &script("Hello, world 1"));
    let server = Setup::new(dir.path().join("hello.js")).set("watch.files", patterns).start();
    assert_eq!(server.connect().get("/").text(), "Hello, world 1");
    server
}

fn says(server: &Server, text: &str) {
    until(&format!("it says {text:?}"), || server.connect().get("/").text() == text);
}

fn dir() -> TempDir {
    folder()
}

#[test]
fn a_script_that_changes_is_the_one_that_serves() {
    let dir = dir();
    let server = start(&dir, "[\"*.js\"]");
    write(&dir, "hello.js", &script("Hello, world 2"));
    says(&server, "Hello, world 2");
    server.log_has(&format!("{} has changed: reload", dir.path().join("hello.js").display()));
    // As editors and deployments do it.
    write(&dir, "new.tmp", &script("Hello, world 3"));
    std::fs::rename(dir.path().join("new.tmp"), dir.path().join("hello.js")).unwrap();
    says(&server, "Hello, world 3");
    // What nobody watches does not count.
    let reloads = server.log_count("reload done");
    write(&dir, "notes.txt", "x");
    write(&dir, "lib/deep.js", "x");
    write(&dir, "other.js", "x");
    server.log_has(&format!("{} is new: reload", dir.path().join("other.js").display()));
    until("that is one more", || server.log_count("reload done") == reloads + 1);
    server.stop();
}

#[test]
fn a_bad_change_costs_nothing_and_the_next_one_is_seen() {
    let dir = dir();
    let server = start(&dir, "[\"*.js\"]");
    write(&dir, "hello.js", "this is no JavaScript");
    server.log_has("reload failed, workers stay as they are");
    assert_eq!(server.connect().get("/").text(), "Hello, world 1");
    std::fs::remove_file(dir.path().join("hello.js")).unwrap();
    server.log_has(&format!("{} is gone: reload", dir.path().join("hello.js").display()));
    until("that failed too", || server.log_count("reload failed, workers stay as they are") == 2);
    assert_eq!(server.connect().get("/").text(), "Hello, world 1");
    write(&dir, "hello.js", &script("Hello, world 2"));
    says(&server, "Hello, world 2");
    server.stop();
}

#[test]
fn folders_that_are_not_there_are_waited_for() {
    let dir = dir();
    let server = start(&dir, r#"["*.js", "idontexist\\*", "node_modules\\*.js"]"#);
    write(&dir, "node_modules/part.js", "module.exports = ' and more';");
    says(&server, "Hello, world 1 and more");
    // One that is deleted and made again is another folder.
    std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
    write(&dir, "node_modules/part.js", "module.exports = ' and other';");
    says(&server, "Hello, world 1 and other");
    write(&dir, "node_modules/part.js", "module.exports = ' and yet another';");
    says(&server, "Hello, world 1 and yet another");
    server.stop();
}

#[test]
fn folders_in_folders_are_looked_into_where_that_is_wanted() {
    let dir = dir();
    let server = start(&dir, "[\"**/*.json\", \"../*/only-here.cfg\"]");
    write(&dir, "a/b/c.json", "{}");
    let deep = dir.path().join("a").join("b").join("c.json");
    server.log_has(&format!("{} is new: reload", deep.display()));
    write(&dir, "a/b/c.json", "{ }");
    server.log_has(&format!("{} has changed: reload", deep.display()));
    write(&dir, "only-here.cfg", "");
    server.log_has(&format!("{} is new: reload", dir.path().join("only-here.cfg").display()));
    write(&dir, "node_modules/m/package.json", "{}");
    write(&dir, "z.json", "{}");
    server.log_has(&format!("{} is new: reload", dir.path().join("z.json").display()));
    assert_eq!(server.log_count("package.json"), 0, "{}", server.log());
    server.stop();
}

#[test]
fn the_configuration_is_watched_with_the_rest() {
    let dir = dir();
    let server = start(&dir, "[\"*.js\"]");
    let file = server.dir.path().join("forebay.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{good}limits.nonsense = 1\n")).unwrap();
    server.log_has("forebay.toml has changed: reload");
    server.log_has("reload failed, workers stay as they are");
    std::fs::write(&file, format!("{good}app.env = {{ NODE_ENV = \"other\" }}\nlog.level = \"info\"\n")).unwrap();
    server.log_has("reload done: 1 new workers serve");
    // What is watched from here on is what it says now.
    std::fs::write(&file, good.replace("*.js", "*.other")).unwrap();
    until("that is done too", || server.log_count("reload done") == 2);
    write(&dir, "x.other", "");
    server.log_has("x.other is new: reload");
    server.stop();
}

#[test]
fn a_link_to_the_next_release_is_a_change() {
    let dir = dir();
    for (folder, text) in [("one", "1"), ("two", "22")] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        write(&dir, &format!("{folder}/hello.js"), &script(text));
    }
    let current = dir.path().join("current");
    link("one", &current).unwrap();
    let server = Setup::new(current.join("hello.js")).set("watch.files", "[\"*.js\"]").start();
    assert_eq!(server.connect().get("/").text(), "1");
    link("two", dir.path().join("next")).unwrap();
    std::fs::rename(dir.path().join("next"), &current).unwrap();
    says(&server, "22");
    server.stop();
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_watched_unless_asked_for() {
    let dir = dir();
    write(&dir, "hello.js", &script("Hello, world 1"));
    let server = Setup::new(dir.path().join("hello.js")).start();
    let threads = |pid: u32| {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    };
    let is_watching = |name: &String| name == "changes";
    assert!(!threads(server.pid()).iter().any(is_watching));
    let watching = start(&dir, "[\"*.js\"]");
    assert!(threads(watching.pid()).iter().any(is_watching), "{:?}", threads(watching.pid()));
    watching.stop();
    server.stop();
}
