//! What workers write is in files, whole and in time, and what they said last too.

use std::path::Path;

use tempfile::TempDir;

use super::server::Server;
use super::setup::Setup;
use super::system::folder;
use super::wait::{until, until_some};

/// A server whose workers write to files, and the folder of those.
fn chatty(change: impl FnOnce(Setup) -> Setup) -> (Server, TempDir) {
    let dir = folder();
    let setup = Setup::new("chatty.cjs").set("app_log.dir", format!("{:?}", dir.path().join("logs")));
    (change(setup).start(), dir)
}

/// The names of the files that tell of a stream, the oldest first.
fn files(dir: &TempDir, kind: &str) -> Vec<String> {
    let mut names: Vec<_> = all(dir).into_iter().filter(|name| name.contains(&format!("-{kind}-"))).collect();
    names.sort_by_key(|name| name.rsplit('-').next().unwrap().trim_end_matches(".txt").parse::<u64>().unwrap());
    names
}

/// All names in the folder, once nothing is on its way there.
fn all(dir: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(dir.path().join("logs")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| !name.starts_with('.')).collect()
}

fn read(dir: &TempDir, name: impl AsRef<Path>) -> String {
    std::fs::read_to_string(dir.path().join("logs").join(name)).unwrap_or_default()
}

/// What a stream's files say together.
fn whole(dir: &TempDir, kind: &str) -> String {
    files(dir, kind).iter().map(|name| read(dir, name)).collect()
}

fn get(server: &Server, path: &str) -> u16 {
    server.connect().get(path).status
}

#[test]
fn lines_are_in_a_file_that_a_page_leads_to() {
    let (server, dir) = chatty(|setup| setup.set("app_log.line_ends", "\"crlf\""));
    assert!(all(&dir).is_empty(), "nothing is made before there is something to write");
    (0..5).for_each(|_| assert_eq!(get(&server, "/"), 200));
    let lines: String = (1..=5).map(|n| format!("Request{n}\r\n")).collect();
    until("all lines are there", || whole(&dir, "stdout") == lines);
    until("the page is there", || all(&dir).len() == 2);
    let [file] = &*files(&dir, "stdout") else { panic!("{:?}", all(&dir)) };
    assert!(file.contains(&format!("-{}-stdout-", server.ready_pids()[0])), "{file}");
    assert!(read(&dir, "index.html").contains(&format!("<a href=\"{file}\">")), "{}", read(&dir, "index.html"));
    server.log_has("[w0] Request5"); // Printed all the same.
    // Who empties the folder gets new files, not silence.
    std::fs::remove_dir_all(dir.path().join("logs")).unwrap();
    assert_eq!((get(&server, "/"), get(&server, "/complain")), (200, 200));
    until("it goes on", || whole(&dir, "stdout") == "Request6\r\n" && whole(&dir, "stderr") == "this is bad\r\n");
    until("the page is there", || read(&dir, "index.html").contains("<tr class=\"stderr\">"));
    server.stop();
}

#[test]
fn a_file_that_is_long_enough_is_followed_by_another() {
    let (server, dir) = chatty(|setup| setup.set("app_log.file_bytes_max", "\"1KiB\""));
    assert_eq!((get(&server, "/long"), get(&server, "/long")), (200, 200));
    until("both lines are there", || whole(&dir, "stdout").len() == 2 * 1025);
    until("the page is there", || all(&dir).len() == 3);
    assert_eq!(files(&dir, "stdout").len(), 2, "{:?}", all(&dir));
    server.stop();
}

#[test]
fn rotation_under_load_loses_nothing() {
    let (server, dir) = chatty(|setup| {
        let setup = setup.set("app_log.file_bytes_max", "\"64KiB\"").set("app_log.files_max", 1000);
        setup.set("app_log.total_bytes_max", "\"100MiB\"")
    });
    const LINES: usize = 20_000;
    assert_eq!(get(&server, &format!("/many?lines={LINES}")), 200);
    let lines: String = (0..LINES).map(|n| format!("line {n} {}\n", ".".repeat(100))).collect();
    until("all of it is there", || whole(&dir, "stdout").len() >= lines.len());
    assert!(whole(&dir, "stdout") == lines, "nothing is lost, doubled or out of order");
    assert!(files(&dir, "stdout").len() > 25, "{:?}", all(&dir));
    server.stop();
}

#[test]
fn old_files_go_and_those_of_others_stay() {
    let (server, dir) = chatty(|setup| setup.set("app_log.file_bytes_max", "\"1KiB\"").set("app_log.files_max", 3));
    let precious = dir.path().join("logs/precious-1-stdout.txt");
    std::fs::create_dir(dir.path().join("logs")).unwrap();
    std::fs::write(&precious, "mine").unwrap();
    assert_eq!(get(&server, "/many?lines=300"), 200);
    let last = format!("line 299 {}\n", ".".repeat(100));
    until("the last line is there", || whole(&dir, "stdout").ends_with(&last));
    until("the old ones are gone", || files(&dir, "stdout").len() == 3);
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "mine");
    server.stop();
}

#[test]
fn an_exception_is_written_down_with_its_stack() {
    let (server, dir) = chatty(|setup| setup);
    let errors = || read(&dir, "logging-errors.txt");
    assert_eq!(server.connect().post("/throw", "").status, 502);
    let pid = server.ready_pids()[0];
    until("it is written down", || errors().contains("Node.js v"));
    let text = errors();
    let head = text.lines().next().unwrap();
    assert!(
        head.starts_with("20")
            && head.contains(&format!("Z worker w0 pid {pid}: uncaught exception, exit code 1, up ")),
        "{text}"
    );
    assert!(text.contains("\nTypeError: an exception in the night\n    at "), "{text}");
    assert!(text.contains("chatty.cjs:") && text.contains("(node:"), "the whole stack: {text}");
    until("the page has it", || read(&dir, "index.html").contains("logging-errors.txt"));
    until("the next one serves", || server.ready_pids().len() == 2);
    assert_eq!(server.connect().post("/reject", "").status, 502);
    until("so is this", || errors().contains("Error: a promise in the night\n    at "));
    assert_eq!(errors().matches("Z worker w0 pid ").count(), 2, "{}", errors());
    server.stop();
}

#[test]
fn the_last_words_of_v8_are_written_down() {
    let (server, dir) = chatty(|setup| setup.set("app.node_args", "[\"--max-old-space-size=20\"]"));
    assert_eq!(server.connect().post("/oom", "").status, 502);
    until("the process's file has it", || whole(&dir, "stderr").contains("JavaScript heap out of memory"));
    let text = until_some("it is written down", || {
        Some(read(&dir, "logging-errors.txt")).filter(|text| text.contains("JavaScript heap out of memory"))
    });
    assert!(text.contains(": V8 ran out of memory, SIGABRT (6), up "), "{text}");
    server.stop();
}

#[test]
fn an_end_without_a_failure_is_followed_by_a_start_and_no_complaint() {
    let (server, dir) = chatty(|setup| setup);
    assert_eq!(server.connect().post("/exit?code=0", "").status, 502);
    server.log_has("worker w0 ended by itself: pid ");
    until("the next one serves", || server.ready_pids().len() == 2);
    assert_eq!(server.connect().post("/exit?code=3", "").status, 502);
    until("a failure is written down", || !read(&dir, "logging-errors.txt").is_empty());
    let text = read(&dir, "logging-errors.txt");
    assert!(text.contains(": crashed, exit code 3, up ") && !text.contains("exit code 0"), "{text}");
    server.stop();
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_the_rest_goes_on() {
    let dir = folder();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let server = Setup::new("chatty.cjs").set("app_log.dir", format!("{:?}", file.join("logs"))).start();
    assert_eq!(get(&server, "/"), 200);
    server.log_has("app_log.dir: cannot write to ");
    server.log_has("[w0] Request1");
    server.stop();
}

#[test]
fn without_a_folder_there_are_no_files() {
    let dir = folder();
    std::fs::copy(super::setup::apps().join("chatty.cjs"), dir.path().join("chatty.cjs")).unwrap();
    let server = Setup::new(dir.path().join("chatty.cjs")).start();
    assert_eq!(get(&server, "/"), 200);
    server.log_has("[w0] Request1");
    server.stop();
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["chatty.cjs"]);
}
