//! Which requests reach the application: handlers, default documents, rewrite rules, files.

use std::fs;
use std::time::{Duration, Instant};

use super::site::{Site, web_config};
use super::wait::until;

const HELLO: &str = "require('http').createServer((req, res) => res.end('Hello, world!')).listen(process.env.PORT);";
const ECHO_URL: &str = "require('http').createServer((req, res) => res.end(req.url)).listen(process.env.PORT);";

#[test]
fn t100_hello_world() {
    let served = Site::hello(HELLO, "").start();
    let hello = served.get("/hello.js");
    assert_eq!((hello.status, hello.text(), hello.field("iisnode-debug")), (200, "Hello, world!".into(), None));
    served.stop();
}

#[test]
fn t102_a_default_document() {
    let site = Site::new().file("index.js", HELLO.replace("Hello, world!", "[defaultdocument]")).file(
        "web.config",
        web_config(
            "index.js",
            "<defaultDocument enabled=\"true\"><files><add value=\"index.js\" /></files></defaultDocument>",
        ),
    );
    let served = site.start();
    assert_eq!(served.get("/").text(), "[defaultdocument]");
    assert_eq!(served.get("/missing").status, 404);
    served.stop();
}

#[test]
fn t103_the_application_sees_the_original_url() {
    let rule = "<rewrite><rules><rule name=\"myapp\"><match url=\"hello/*\" /><action type=\"Rewrite\" url=\"hello.js\" />\
                </rule></rules></rewrite>";
    let served = Site::hello(ECHO_URL, rule).start();
    for path in
        ["/hello", "/hello/", "/hello.js", "/hello?foo=bar", "/hello/a/b/c", "/hello/a/b/c/", "/hello/a/b?foo=bar"]
    {
        assert_eq!(served.get(path).text(), path);
    }
    assert_eq!(served.get("/other").status, 404);
    served.stop();
}

#[test]
fn t104_a_body_comes_back() {
    let echo = "require('http').createServer((req, res) => req.pipe(res)).listen(process.env.PORT);";
    let served = Site::hello(echo, "").start();
    assert_eq!(served.server.connect().post("/hello.js", "A simple body").text(), "A simple body");
    served.stop();
}

/// Without `?foo`, of which upstream's own test expects what upstream does not do.
#[test]
fn t109_the_debugger_from_start_to_end() {
    let served = Site::hello(HELLO, "").start();
    let ask = |query: &str| {
        let request = format!("GET /hello.js/debug{query} HTTP/1.1\r\nHost: {}\r\n\r\n", served.server.address);
        served.server.connect().request(request)
    };
    assert_eq!(ask("").status, 301);
    assert_eq!(ask("/").status, 200);
    let killed = "The debugger and debugee processes have been killed.";
    assert_eq!(ask("/?kill").text(), killed);
    assert_eq!(ask("/?kill").text(), "The debugger for the application is not running.");
    let stopped = ask("/?brk");
    assert!(stopped.status == 200 && stopped.text().contains("js_app.html"), "{stopped:?}");
    assert_eq!(ask("/?kill").text(), killed);
    served.stop();
}

#[test]
fn t111_what_no_handler_matches_does_not_exist() {
    let served = Site::hello(HELLO, "<iisnode loggingEnabled=\"false\" debuggingEnabled=\"false\" />").start();
    assert_eq!(served.get("/hello.js/debug").text(), "Hello, world!");
    let missing = served.get("/hello.js.logs/0.txt");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("Not Found"), "{missing:?}");
    served.stop();
}

#[test]
fn t121_a_folder_to_be_watched_may_be_missing() {
    let served = Site::hello(HELLO, "<iisnode watchedFiles=\"*.js;idontexist\\*\" />").start();
    assert_eq!(served.get("/hello.js").text(), "Hello, world!");
    served.stop();
}

#[test]
fn files_beside_the_script_are_served_and_configuration_is_not() {
    let site =
        Site::hello(HELLO, "<staticContent><mimeMap fileExtension=\".xyz\" mimeType=\"text/x-xyz\" /></staticContent>")
            .file("ping.txt", "pong")
            .file("helloClient.js", "client")
            .file("a.xyz", "x")
            .file("package.json", "{}")
            .file("node_modules/m/index.js", "")
            .file("iisnode/0.txt", "log")
            .file(".env", "SECRET=1");
    let served = site.start();
    assert_eq!(served.get("/ping.txt").text(), "pong");
    assert_eq!(served.get("/helloClient.js").text(), "client");
    assert_eq!(served.get("/a.xyz").field("content-type").unwrap(), "text/x-xyz");
    assert_eq!(served.server.connect().post("/ping.txt", "").status, 405);
    for path in ["/web.config", "/package.json", "/node_modules/m/index.js", "/.env", "/iisnode/0.txt", "/missing.txt"]
    {
        assert_eq!(served.get(path).status, 404, "{path}");
    }
    assert_eq!(served.get("/..%2fweb.config").status, 400);
    served.stop();
}

/// What Azure's deployment tools write beside a script.
#[test]
fn static_and_dynamic_content() {
    let rules = "<webSocket enabled=\"false\" /><rewrite><rules>\
        <rule name=\"NodeInspector\" patternSyntax=\"ECMAScript\" stopProcessing=\"true\">\
        <match url=\"^hello.js\\/debug[\\/]?\" /></rule>\
        <rule name=\"StaticContent\"><action type=\"Rewrite\" url=\"public{REQUEST_URI}\" /></rule>\
        <rule name=\"DynamicContent\"><conditions>\
        <add input=\"{REQUEST_FILENAME}\" matchType=\"IsFile\" negate=\"True\" /></conditions>\
        <action type=\"Rewrite\" url=\"hello.js\" /></rule></rules></rewrite>\
        <security><requestFiltering><hiddenSegments><remove segment=\"bin\" /></hiddenSegments></requestFiltering></security>\
        <httpErrors existingResponse=\"PassThrough\" />";
    let served = Site::hello(ECHO_URL, rules).file("public/style.css", "css").start();
    assert_eq!(served.get("/style.css?v=2").text(), "css");
    assert_eq!(served.get("/api/x?y=z").text(), "/api/x?y=z");
    assert_eq!(served.get("/").text(), "/");
    fs::write(served.site.path("public/late.txt"), "late").unwrap();
    until("a new file is served", || served.get("/late.txt").text() == "late");
    served.stop();
}

#[test]
fn redirections_and_answers_of_rules() {
    let rules = "<rewrite><rules>\
        <rule name=\"secure\" stopProcessing=\"true\"><match url=\"^secure/(.*)\" />\
        <conditions><add input=\"{HTTPS}\" pattern=\"^OFF$\" /></conditions>\
        <action type=\"Redirect\" url=\"https://{HTTP_HOST}/{R:1}\" redirectType=\"Temporary\" /></rule>\
        <rule name=\"no\"><match url=\"^no$\" />\
        <action type=\"CustomResponse\" statusCode=\"403\" statusReason=\"Not for you\" statusDescription=\"&lt;b&gt;\" /></rule>\
        <rule name=\"cut\"><match url=\"^cut$\" /><action type=\"AbortRequest\" /></rule>\
        </rules></rewrite>";
    let served = Site::hello(HELLO, rules).start();
    let secure = served.get("/secure/a%20b?c=d");
    assert_eq!((secure.status, secure.field("location").unwrap().as_str()), (307, "https://test/a%20b?c=d"));
    let no = served.get("/no");
    assert!(no.head.starts_with("HTTP/1.1 403 Not for you\r\n"), "{}", no.head);
    assert!(no.text().contains("&lt;b&gt;") && !no.text().contains("<b>"), "{}", no.text());
    let mut client = served.server.connect();
    client.send("GET /cut HTTP/1.1\r\nHost: test\r\n\r\n");
    client.is_closed();
    served.stop();
}

#[test]
fn t120_an_exception_at_load_is_explained() {
    let script = "var a = \"<b> & 'x'\" syntax error;\nrequire('idontexist');\n";
    let served = Site::hello(script, "").start();
    let began = Instant::now();
    let mut client = served.server.connect();
    let page = client.get("/hello.js");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(page.status, 200);
    assert_eq!(page.field("content-type").unwrap(), "text/html; charset=utf-8");
    assert_eq!(page.field("cache-control").unwrap(), "no-cache");
    let text = page.text();
    for line in ["HRESULT: 0x", "HTTP status: 500", "HTTP subStatus: 1002", "HTTP reason: Internal Server Error"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    // What the script's line holds shows as text.
    assert!(text.contains("&lt;b&gt; &amp; &#39;x&#39;&quot; syntax error"), "{text}");
    assert!(!text.contains("<b>"), "{text}");
    // A body that came whole does not cost the connection, and HEAD has none.
    let again = client.post("/hello.js", "body");
    assert_eq!((again.status, again.text().contains("subStatus: 1002")), (200, true));
    client.send("HEAD /hello.js HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.response_to_head().status, 200);
}

#[test]
fn a_crash_is_explained_and_production_is_told_nothing() {
    let script = "require('http').createServer((req, res) => {
        if (req.url.endsWith('die')) { console.error('last <words>'); process.exit(7); }
        res.end('fine');
      }).listen(process.env.PORT);";
    let served = Site::hello(script, "").start();
    let page = served.server.connect().post("/hello.js/die", "x").text();
    assert!(page.contains("last &lt;words&gt;") && page.contains("ended: exit code 7"), "{page}");
    // Only the shard can ask for such a page, for a failure that there was.
    assert_eq!(served.get("/failure?5&0&1").status, 404);
    assert_eq!(served.get("/.forebay/error?cause=1001").status, 404);
    until("it serves again", || served.get("/hello.js").text() == "fine");
    served.stop();
    let served = Site::hello(script, "<iisnode devErrorsEnabled=\"false\" />").start();
    let answer = served.server.connect().post("/hello.js/die", "x");
    assert!(answer.status >= 500 && !answer.text().contains("words"), "{answer:?}");
}

/// A body that was not read to its end must not be taken for the next request.
#[test]
fn a_page_for_a_request_that_goes_on_ends_the_connection() {
    let script = "require('http').createServer((req, res) => req.once('data', () => process.exit(3)))
      .listen(process.env.PORT);";
    let served = Site::hello(script, "").start();
    let mut client = served.server.connect();
    client.send("POST /hello.js HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nGET /smuggled HTTP/1.1\r\n");
    let page = client.response();
    assert_eq!((page.status, page.field("connection").as_deref()), (200, Some("close")), "{page:?}");
    assert!(page.text().contains("HTTP status: 500"), "{page:?}");
    client.finish();
    client.is_closed();
}

/// Upstream's samples, as they are under `/node`.
#[test]
fn t200_samples() {
    let sample = |name: &str| HELLO.replace("Hello, world!", &format!("Hello, world! [{name} sample]"));
    let configuration = Site::hello(&sample("configuration"), "").file("readme.htm", "<p>readme").start();
    assert_eq!(configuration.get("/hello.js").text(), "Hello, world! [configuration sample]");
    assert_eq!(configuration.get("/readme.htm").text(), "<p>readme");
    configuration.stop();
    let express = "const http = require('http');
        http.createServer((req, res) => {
          const known = { '/myapp/foo': 'Hello from foo! [express sample]', '/myapp/bar': 'Hello from bar! [express sample]' };
          if (known[req.url]) return res.end(known[req.url]);
          res.statusCode = 404;
          res.end('Cannot GET ' + req.url);
        }).listen(process.env.PORT);";
    let rule = "<rewrite><rules><rule name=\"myapp\"><match url=\"myapp/*\" /><action type=\"Rewrite\" url=\"hello.js\" />\
                </rule></rules></rewrite>";
    let served = Site::hello(express, rule).start();
    assert_eq!(served.get("/myapp/foo").text(), "Hello from foo! [express sample]");
    assert_eq!(served.get("/myapp/bar").text(), "Hello from bar! [express sample]");
    let missing = served.get("/myapp/idonotexist");
    assert_eq!((missing.status, missing.text()), (404, "Cannot GET /myapp/idonotexist".into()));
    served.stop();
}
