//! Where the configuration comes from: web.config, iisnode.yml, appSettings, variables.

use super::site::{COUNTER, Served, Site, web_config};
use super::wait::until;

/// Answers with variables of its environment, `?A,B`, and nothing for what is not there.
const ENVIRONMENT: &str = "require('http').createServer((req, res) => {
  const names = decodeURIComponent(req.url.split('?')[1] || '').split(',');
  res.end(names.map((name) => String(process.env[name])).join(' '));
}).listen(process.env.PORT);";

#[test]
fn t101_one_process_answers_in_sequence() {
    let served = Site::hello(COUNTER, "").start();
    let expected: Vec<_> = (1..=5).map(|n| format!("Hello, world {n}")).collect();
    assert_eq!(served.bodies("/hello.js", 5), expected);
    served.stop();
}

#[test]
fn t107_the_current_folder_is_the_scripts() {
    let script = "const text = require('fs').readFileSync('file.txt', 'utf8');
        require('http').createServer((req, res) => res.end(text)).listen(process.env.PORT);";
    // With a package.json above, which would make its own folder the current one natively.
    let site = Site::new().file("sub/file.txt", "Contents of a file").file("sub/hello.js", script);
    let served = site.file("package.json", "{}").file("web.config", web_config("sub/hello.js", "")).start();
    assert_eq!(served.get("/sub/hello.js").text(), "Contents of a file");
    served.stop();
}

#[test]
fn t108_app_settings() {
    let script = "require('http').createServer((req, res) =>
        res.end(process.env.setting1 + process.env.setting2 + process.env.setting3)).listen(process.env.PORT);";
    let settings = r#"<configuration><appSettings>
        <add key="setting1" value="value1" /><add key="setting2" value="value2" />
        <add key="" value="emptyKey" /><add key="setting3" value="" />
        </appSettings>"#;
    let text = web_config("hello.js", "").replacen("<configuration>", settings, 1);
    let served = Site::new().file("hello.js", script).file("web.config", text).start();
    assert_eq!(served.get("/hello.js").text(), "value1value2");
    served.stop();
}

#[test]
fn app_settings_are_followed_into_a_file_and_give_way_to_the_environment() {
    let settings = r#"<configuration><appSettings file="more.config">
        <add key="A" value="in place" /><add key="B" value="in place" /><add key="C" value="in place" />
        <add key="PORT" value="80" /></appSettings>"#;
    let text = web_config("hello.js", r#"<iisnode node_env="staging" />"#).replacen("<configuration>", settings, 1);
    let more = r#"<appSettings><add key="B" value="in the file" /><add key="D" value="in the file" /></appSettings>"#;
    let site = Site::new().file("hello.js", ENVIRONMENT).file("web.config", text).file("more.config", more);
    let served = site.env("C", "environment").start();
    let body = served.get("/hello.js?A,B,C,D,NODE_ENV").text();
    assert_eq!(body, "in place in the file environment in the file staging");
    let port = served.get("/hello.js?PORT").text();
    assert!(port.ends_with(".sock"), "{port}");
    served.stop();
}

#[test]
fn the_application_finds_the_variables_of_iisnode() {
    let served = Site::hello(ENVIRONMENT, r#"<iisnode maxLogFiles="7" logDirectory="logs" />"#).start();
    let names = "IISNODE_VERSION,NODE_PENDING_PIPE_INSTANCES,IISNODE_LOGGINGENABLED,IISNODE_LOGDIRECTORY,\
        IISNODE_MAXLOGFILES,IISNODE_MAXLOGFILESIZEINKB,IISNODE_MAXTOTALLOGFILESIZEINKB";
    let body = served.get(&format!("/hello.js?{names}")).text();
    assert_eq!(body, "0.2.27 5000 1 logs 7 128 1024");
    served.stop();
}

#[test]
fn t111_node_env_without_logging_and_debugging() {
    let script = "require('http').createServer((req, res) => {
        console.log('a line');
        res.end('Hello, world! [NODE_ENV]=' + process.env.NODE_ENV); }).listen(process.env.PORT);";
    let inside = r#"<iisnode node_env="production" loggingEnabled="false" debuggingEnabled="false" />"#;
    let served = Site::hello(script, inside).start();
    assert_eq!(served.get("/hello.js").text(), "Hello, world! [NODE_ENV]=production");
    let debug = served.get("/hello.js/debug");
    assert_eq!((debug.status, debug.text()), (200, "Hello, world! [NODE_ENV]=production".to_owned()));
    assert_eq!(served.get("/hello.js.logs/0.txt").status, 404);
    served.server.log_has("a line");
    assert!(!served.site.path("iisnode").exists());
    served.stop();
}

#[test]
fn t124_yml_wins_over_web_config() {
    let inside = r#"<iisnode nodeProcessCountPerApplication="2" />"#;
    let site = Site::hello(COUNTER, inside).file("iisnode.yml", "nodeProcessCountPerApplication: 4\n");
    let served = site.start();
    served.server.log_has(": 4 worker(s) over ");
    assert_eq!(served.get("/hello.js").text(), "Hello, world 1");
    served.stop();
}

#[test]
fn a_variable_is_between_the_two() {
    let inside = r#"<iisnode node_env="xml" maxLogFiles="5" maxLogFileSizeInKB="6" />"#;
    let site = Site::hello(ENVIRONMENT, inside).file("iisnode.yml", "maxLogFiles: 9\n");
    let served = site.env("IISNODE_maxLogFiles", 8).env("IISNODE_maxLogFileSizeInKB", 7).start();
    assert_eq!(served.get("/hello.js?IISNODE_MAXLOGFILES,IISNODE_MAXLOGFILESIZEINKB,NODE_ENV").text(), "9 7 xml");
    served.stop();
}

#[test]
fn the_overrides_file_may_have_another_name() {
    let inside = r#"<iisnode configOverrides="other.yml" />"#;
    let site =
        Site::hello(ENVIRONMENT, inside).file("iisnode.yml", "node_env: no\n").file("other.yml", "node_env: yes\n");
    let served = site.start();
    assert_eq!(served.get("/hello.js?NODE_ENV").text(), "yes");
    served.stop();
}

#[test]
fn an_interceptor_of_ones_own_comes_before_the_application() {
    let script = "require('http').createServer((req, res) =>
        res.end(`${globalThis.came} ${require.main === module}`)).listen(process.env.PORT);";
    let site = Site::hello(script, r#"<iisnode interceptor="&quot;own hook.js&quot;" />"#);
    let served = site.file("own hook.js", "globalThis.came = 'first';").start();
    assert_eq!(served.get("/hello.js").text(), "first true");
    served.stop();
}

#[test]
fn a_node_of_a_windows_path_is_the_one_on_path_with_its_flags() {
    let script = "require('http').createServer((req, res) =>
        res.end(process.execArgv.join(' '))).listen(process.env.PORT);";
    let line = r#"<iisnode nodeProcessCommandLine="D:\Program Files (x86)\nodejs\node.exe --expose-gc" />"#;
    let served = Site::hello(script, line).start();
    assert_eq!(served.get("/hello.js").text(), "--expose-gc");
    served.stop();
}

#[test]
fn ones_own_flags_win_over_all_of_it() {
    let site = Site::hello(COUNTER, "").file("iisnode.yml", "nodeProcessCountPerApplication: 4\n");
    let served = site.env("IISNODE_nodeProcessCountPerApplication", 3).arg("--workers").arg("2").start();
    served.server.log_has(": 2 worker(s) over ");
    served.stop();
}

#[test]
fn t116_a_wrong_attribute_is_explained_to_clients() {
    let served = Site::hello(COUNTER, r#"<iisnode idontexist="12" />"#).start();
    let page = served.get("/hello.js");
    assert_eq!(page.status, 200);
    let text = page.text();
    assert!(text.contains("unable to read the configuration file web.config"), "{text}");
    assert!(text.contains("web.config:6: idontexist: unknown attribute of &lt;iisnode&gt;"), "{text}");
    assert_eq!(page.field("cache-control").as_deref(), Some("no-cache"));
    // Nothing was started with it; as soon as it is right, it is served.
    assert_eq!(served.server.ready_pids().len(), 0);
    served.site.write("web.config", web_config("hello.js", ""));
    served.reload("can be used again");
    assert_eq!(served.get("/hello.js").text(), "Hello, world 1");
    served.stop();
}

#[test]
fn a_web_config_that_is_no_xml_is_explained_too() {
    let served = Site::new().file("hello.js", COUNTER).file("web.config", "<configuration>\n<iisnode a=b />").start();
    let text = served.get("/").text();
    assert!(text.contains("unable to read the configuration file web.config"), "{text}");
    assert!(text.contains("web.config:2: not XML"), "{text}");
    served.stop();
}

#[test]
fn without_pages_of_errors_a_wrong_file_is_refused_at_the_start() {
    let inside = r#"<iisnode idontexist="12" devErrorsEnabled="false" />"#;
    let (status, said) = Site::hello(COUNTER, inside).fail();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("idontexist: unknown attribute"), "{said}");
}

/// Writes iisnode.yml when it is asked to, and counts its other requests.
const WRITER: &str = "const fs = require('fs');
let n = 0;
require('http').createServer((req, res) => {
  const text = req.url.split('?')[1];
  if (text === undefined) return res.end(`Hello, world ${++n}`);
  fs.writeFileSync('iisnode.yml', decodeURIComponent(text));
  res.end('iisnode.yml updated');
}).listen(process.env.PORT);";

/// Has the application write iisnode.yml.
fn write_yml(served: &Served, text: &str) {
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(served.get(&format!("/hello.js?{encoded}")).text(), "iisnode.yml updated");
}

/// Waits until one answers that nobody has asked before. Nearly always that is at once, since a change holds requests; a
/// busy machine may tell of it later than the client comes.
fn new_workers_answer(served: &Served) {
    until("a new worker answers", || served.get("/hello.js").text() == "Hello, world 1");
}

#[test]
fn t125_a_changed_yml_counts_without_being_asked_to() {
    let served = Site::hello(WRITER, "").start();
    for count in [2, 4] {
        write_yml(&served, &format!("nodeProcessCountPerApplication: {count}"));
        new_workers_answer(&served);
        served.server.log_has(&format!("reload done: {count} new workers serve"));
    }
    served.stop();
}

#[test]
fn t126_yml_syntax() {
    let served = Site::hello(WRITER, "").start();
    for yml in ["", "foo:", "foo:    # comment", "foo: bar", "a: b\n\n\nc: d\n"] {
        write_yml(&served, yml);
        new_workers_answer(&served);
        std::fs::remove_file(served.site.path("iisnode.yml")).unwrap();
    }
    for yml in [": foo", "   : bar", "loggingEnabled: foobar"] {
        write_yml(&served, yml);
        let told = "unable to read the configuration file iisnode.yml";
        until("clients are told", || {
            let page = served.get("/hello.js");
            assert_eq!(page.status, 200, "{yml:?}");
            page.text().contains(told)
        });
        std::fs::remove_file(served.site.path("iisnode.yml")).unwrap();
        until("it is served again", || served.get("/hello.js").text().starts_with("Hello, world "));
    }
    served.stop();
}

#[test]
fn without_pages_of_errors_a_yml_that_becomes_wrong_changes_nothing() {
    let served = Site::hello(COUNTER, r#"<iisnode devErrorsEnabled="false" />"#).start();
    assert_eq!(served.get("/hello.js").text(), "Hello, world 1");
    served.site.write("iisnode.yml", "nonsense");
    served.reload("reload failed, workers stay as they are");
    assert_eq!(served.get("/hello.js").text(), "Hello, world 2");
    served.stop();
}

#[test]
fn a_key_that_is_removed_falls_back() {
    let served = Site::hello(ENVIRONMENT, "").file("iisnode.yml", "maxLogFiles: 7\nnode_env: a\n").start();
    assert_eq!(served.get("/hello.js?IISNODE_MAXLOGFILES,NODE_ENV").text(), "7 a");
    served.site.write("iisnode.yml", "node_env: b\n");
    served.reload("reload done");
    assert_eq!(served.get("/hello.js?IISNODE_MAXLOGFILES,NODE_ENV").text(), "20 b");
    served.stop();
}

#[test]
fn t112_dev_errors() {
    let config = |rest: &str| format!(r#"<iisnode nodeProcessCommandLine="idontexist.exe" {rest} />"#);
    let on = Site::hello(COUNTER, &config("")).start();
    let page = on.get("/hello.js");
    assert_eq!(page.status, 200, "{}", page.text());
    let off = Site::hello(COUNTER, &config(r#"devErrorsEnabled="false""#)).start();
    assert_eq!(off.get("/hello.js").status, 500);
    on.stop();
    off.stop();
}

#[test]
fn a_program_that_is_missing_is_1000() {
    let config =
        r#"<iisnode nodeProcessCommandLine="idontexist.exe" devErrorsEnabled="false" debugHeaderEnabled="true" />"#;
    let site = Site::hello(COUNTER, config).start();
    let answer = site.get("/hello.js");
    assert_eq!((answer.status, answer.field("x-forebay-status").as_deref()), (500, Some("500.1000")));
    site.stop();
}

#[test]
fn a_script_that_is_missing_is_404() {
    let site = Site::hello(COUNTER, r#"<iisnode debugHeaderEnabled="true" />"#);
    std::fs::remove_file(site.path("hello.js")).unwrap();
    let site = site.start();
    let answer = site.get("/hello.js");
    assert_eq!((answer.status, answer.field("x-forebay-status").as_deref()), (404, Some("404")));
    site.site.write("hello.js", COUNTER);
    until("it is there", || site.get("/hello.js").status == 200);
    site.stop();
}

#[test]
fn iis_bounds_announced_bodies_and_no_others() {
    let limits = "<security><requestFiltering><requestLimits maxAllowedContentLength=\"10\" />\
        </requestFiltering></security>";
    let script = "require('http').createServer((req, res) => {
        let n = 0;
        req.on('data', (data) => n += data.length).on('end', () => res.end(String(n))); }).listen(process.env.PORT);";
    let served = Site::hello(script, limits).start();
    assert_eq!(served.server.connect().post("/hello.js", "0123456789").text(), "10");
    assert_eq!(served.server.connect().post("/hello.js", "0123456789a").status, 413);
    let chunked = "POST /hello.js HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\
        14\r\n01234567890123456789\r\n0\r\n\r\n";
    assert_eq!(served.server.connect().request(chunked).text(), "20");
    served.stop();
}

#[test]
fn no_concurrency_at_all_refuses_everything_at_once() {
    let inside = r#"<iisnode maxConcurrentRequestsPerProcess="0" devErrorsEnabled="false" />"#;
    let served = Site::hello(COUNTER, inside).start();
    served.server.log_has(" ready: ");
    assert_eq!(served.get("/hello.js").status, 503);
    served.stop();
}
