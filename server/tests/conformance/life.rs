//! Log files, watched files and recycles.

use std::fs;

use super::site::{COUNTER, Served, Site};
use super::wait::until;

/// The names in the log folder, files that are on their way there left out.
fn log_names(served: &Served) -> Vec<String> {
    let entries = fs::read_dir(served.site.path("iisnode")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| !name.starts_with('.')).collect()
}

/// What the log files say together.
fn logged(served: &Served) -> String {
    let mut names = log_names(served);
    names.retain(|name| name != "index.html");
    names.sort_by_key(|name| name.rsplit('-').next().unwrap().to_owned());
    names.iter().map(|name| fs::read_to_string(served.site.path("iisnode").join(name)).unwrap_or_default()).collect()
}

/// A script that says so much.
fn says(text: &str) -> String {
    format!("require('http').createServer((req, res) => res.end({text})).listen(process.env.PORT);")
}

fn until_body(served: &Served, path: &str, body: &str) {
    until(&format!("{path} says {body}"), || served.get(path).text() == body);
}

#[test]
fn t105_logging() {
    let script = "let n = 0; require('http').createServer((req, res) => {
        console.log(`Request${++n}`); res.end(`Hello, world ${n}`); }).listen(process.env.PORT);";
    let served = Site::hello(script, "").start();
    let expected: Vec<_> = (1..=5).map(|n| format!("Hello, world {n}")).collect();
    assert_eq!(served.bodies("/hello.js", 5), expected);
    until("all of it is there", || logged(&served) == "Request1\r\nRequest2\r\nRequest3\r\nRequest4\r\nRequest5\r\n");
    until("with its page", || log_names(&served).len() == 2);
    assert!(log_names(&served).contains(&"index.html".to_owned()), "{:?}", log_names(&served));
    served.stop();
}

#[test]
fn t106_a_new_script_is_the_one_that_serves() {
    let served = Site::hello(&says("'Hello, world 1'"), "").start();
    assert_eq!(served.get("/hello.js").text(), "Hello, world 1");
    served.site.write("hello.js", says("'Hello, world 2'"));
    until_body(&served, "/hello.js", "Hello, world 2");
    served.stop();
}

#[test]
fn t110_the_next_log_file_is_begun_when_one_is_long_enough() {
    let script = "require('http').createServer((req, res) => {
        console.log('x'.repeat(1024)); res.end('Hello, world'); }).listen(process.env.PORT);";
    let served = Site::hello(script, r#"<iisnode maxLogFileSizeInKB="1" />"#).start();
    assert_eq!(served.bodies("/hello.js", 2), ["Hello, world", "Hello, world"]);
    until("both lines are there", || logged(&served).len() == 2 * 1026);
    until("with their page", || log_names(&served).len() == 3);
    served.stop();
}

#[test]
fn t111_without_logging_there_are_no_files() {
    let script = "require('http').createServer((req, res) => { console.log('a line'); res.end(); })
        .listen(process.env.PORT);";
    let served = Site::hello(script, r#"<iisnode loggingEnabled="false" />"#).start();
    assert_eq!(served.get("/hello.js").status, 200);
    served.server.log_has("a line");
    assert!(!served.site.path("iisnode").exists());
    served.stop();
}

#[test]
fn t117_a_new_dependency_is_the_one_that_is_used() {
    let site = Site::hello(&says("require('part.js').text"), r#"<iisnode watchedFiles="*.js;node_modules\*.js" />"#);
    let served = site.file("node_modules/part.js", "exports.text = 'Hello, world 1';").start();
    assert_eq!(served.get("/hello.js").text(), "Hello, world 1");
    served.site.write("node_modules/part.js", "exports.text = 'Hello, world 2';");
    until_body(&served, "/hello.js", "Hello, world 2");
    served.stop();
}

#[test]
fn t121_a_watched_folder_may_be_missing() {
    let served = Site::hello(&says("'Hello, world!'"), r#"<iisnode watchedFiles="*.js;idontexist\*" />"#).start();
    assert_eq!(served.get("/hello.js").text(), "Hello, world!");
    served.site.write("idontexist/now", "I do");
    served.server.log_has("idontexist/now is new: reload");
    served.server.log_has("reload done");
    assert_eq!(served.get("/hello.js").text(), "Hello, world!");
    served.stop();
}

#[test]
fn t125_yml_that_changes_starts_more_processes() {
    let site = Site::hello(COUNTER, "").file("iisnode.yml", "nodeProcessCountPerApplication: 2");
    let served = site.start();
    until("both are ready", || served.server.ready_pids().len() == 2);
    assert_eq!(served.get("/hello.js").text(), "Hello, world 1");
    served.site.write("iisnode.yml", "nodeProcessCountPerApplication: 4");
    served.server.log_has("reload done: 4 new workers serve");
    assert_eq!(served.server.ready_pids().len(), 2 + 4);
    assert_eq!(served.get("/hello.js").text(), "Hello, world 1", "from a new one");
    // And what is gone from it counts no more, unlike upstream.
    served.site.write("iisnode.yml", "");
    served.server.log_has("reload done: 1 new workers serve");
    served.stop();
}

#[test]
fn t143_an_application_that_asks_for_it_is_recycled() {
    let script = "const net = require('net');
        require('http').createServer((req, res) => {
          res.setHeader('processpid', process.pid);
          res.end('Hello, world!');
          const client = net.connect(process.env.IISNODE_CONTROL_PIPE, () => client.end('recycle'));
        }).listen(process.env.PORT);";
    let served = Site::hello(script, r#"<iisnode recycleSignalEnabled="true" />"#).start();
    let pid = |served: &Served| {
        let answer = served.get("/hello.js");
        assert_eq!((answer.status, answer.text()), (200, "Hello, world!".to_owned()));
        answer.field("processpid").unwrap().to_owned()
    };
    let before = pid(&served);
    until("another process answers", || pid(&served) != before);
    served.stop();
}
