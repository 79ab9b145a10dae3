//! Applications as people write them run without a change, whatever they listen on.

use super::client::Client;
use super::setup::{Setup, Transport, apps};
use super::wait::until;

/// What the application answers about itself.
fn answer(app: &str) -> serde_json::Value {
    let server = Setup::new(app).start();
    let answer = server.connect().get("/").json();
    server.stop();
    answer
}

#[test]
fn a_common_js_application_that_parses_port_as_a_number_is_served() {
    let server = Setup::new("common.js").start();
    assert_eq!(server.connect().get("/").json()["kind"], "common");
    // It may print a port, and must not fail when it looks for one.
    let shown = server.log_line("address {");
    assert!(shown.contains("\"port\":") && !shown.contains("null"), "{shown}");
    server.stop();
}

#[test]
fn an_es_module_with_top_level_await_is_served() {
    let answer = answer("module.mjs");
    assert_eq!(answer["kind"], "module");
    assert!(answer["address"].is_object() || answer["address"].is_string(), "{answer}");
}

#[test]
fn a_hard_coded_port_is_moved_and_still_shown_to_the_application() {
    let server = Setup::new("fixed.js").workers(2).start();
    let answer = server.connect().get("/").json();
    assert_eq!((&answer["kind"], &answer["address"]["port"]), (&"fixed".into(), &3000.into()), "{answer}");
    server.log_has("listening on 3000");
    server.stop();
}

#[test]
fn type_script_is_served_where_node_leaves_types_out() {
    let version = std::process::Command::new("node").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(|part| part.parse::<u32>().unwrap());
    let (major, minor) = (numbers.next().unwrap(), numbers.next().unwrap());
    if (major, minor) < (22, 6) {
        println!("skipped: node {} does not run TypeScript", version.trim());
        let (status, said) = Setup::new("typed.ts").fail();
        assert_eq!(status.code(), Some(2), "{said}");
        assert!(said.contains("does not run TypeScript") && said.contains("hint: "), "{said}");
        return;
    }
    assert_eq!(answer("typed.ts")["kind"], "typed");
}

#[test]
fn a_folder_is_served_by_what_its_package_names() {
    let main = answer("with-main");
    assert_eq!((&main["kind"], &main["cwd"]), (&"main".into(), &apps().join("with-main").to_str().into()));
    let start = answer("with-start");
    let expected =
        serde_json::json!({"kind": "start", "greeting": "hi", "args": ["--flag"], "flags": ["--no-warnings"]});
    assert_eq!(start, expected);
    assert_eq!(answer("with-index")["kind"], "index");
}

#[test]
fn a_start_script_for_a_shell_is_served_and_stopped() {
    assert_eq!(answer("with-shell")["kind"], "shell");
}

#[test]
fn without_an_application_there_is_a_demo() {
    let empty = super::system::folder();
    let server = Setup::in_folder(empty.path()).start();
    assert_eq!(server.connect().get("/").status, 200);
    server.stop();
}

#[test]
fn workers_say_how_they_fare() {
    let server = Setup::new("lab.cjs").transport(Transport::Auto).set("server.metrics", "\"127.0.0.1:0\"").start();
    let line = server.log_line("metrics on http://");
    let address = line.split_once("http://").unwrap().1.split('/').next().unwrap().parse().unwrap();
    let page = || Client::connect(address).get("/metrics").text();
    let value = |page: &str, name: &str| {
        let line = page.lines().find(|line| line.starts_with(&format!("{name}{{worker=\"0\"}} ")))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    until("its heap is known", || value(&page(), "forebay_worker_heap_used_bytes").is_some_and(|bytes| bytes > 1e6));
    let page = page();
    assert!(page.contains("forebay_worker_transport{worker=\"0\",transport=\"frames\"} 1\n"), "{page}");
    assert_eq!(value(&page, "forebay_worker_links"), Some(1.0), "{page}");
    assert!(value(&page, "forebay_worker_event_loop_utilisation").is_some_and(|share| share <= 1.0), "{page}");
    assert!(value(&page, "forebay_worker_resident_memory_bytes") > value(&page, "forebay_worker_heap_used_bytes"));
    server.stop();
}
