//! What is answered without the application: files, and the page that takes it offline.

use std::fs;
use std::path::Path;

use super::response::Response;
use super::server::Server;
use super::setup::Setup;
use super::system::is_alive;
use super::wait::until;

const APP: &str = "require('http').createServer((req, res) => res.end(`app ${req.method} ${req.url}`))
  .listen(process.env.PORT);";

/// An application with a folder of files, which are served.
struct App {
    folder: tempfile::TempDir,
}

impl App {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fba").tempdir_in("/tmp").unwrap();
        let app = Self { folder };
        app.write("server.js", APP);
        app.write("public/a.txt", "0123456789");
        app.write("public/b.css", "b { color: red }");
        app.write("public/sub/index.html", "<p>sub");
        app
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn setup(&self) -> Setup {
        let files = self.path().join("public");
        Setup::new(self.path()).set("site.files", format!("{:?}", files.display()))
    }
}

fn ask(server: &Server, fields: &str) -> Response {
    let request = format!("GET /a.txt HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
    server.connect().request(request)
}

#[test]
fn files_come_without_the_application() {
    let app = App::new();
    let server = app.setup().set("site.max_age", "\"1h\"").start();
    let mut client = server.connect();
    let text = client.get("/a.txt?v=1");
    assert_eq!((text.status, text.text()), (200, "0123456789".into()));
    assert_eq!(text.field("content-type").unwrap(), "text/plain");
    assert_eq!(text.field("cache-control").unwrap(), "max-age=3600");
    // The same connection goes on to the application and back.
    assert_eq!(client.get("/hello?x").text(), "app GET /hello?x");
    let style = client.get("/b.css");
    assert_eq!(
        (style.field("content-type").unwrap().as_str(), style.text().as_str()),
        ("text/css", "b { color: red }")
    );
    assert_eq!(client.post("/a.txt", "x").text(), "app POST /a.txt");
    client.send("HEAD /a.txt HTTP/1.1\r\nHost: test\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.field("content-length").unwrap().as_str()), (200, "10"));
    assert_eq!(client.get("/sub/").text(), "<p>sub");
    let sub = client.get("/sub");
    assert_eq!((sub.status, sub.field("location").unwrap().as_str()), (301, "/sub/"));
    assert_eq!(client.get("/").text(), "app GET /");
    server.stop();
}

#[test]
fn conditions_and_ranges() {
    let app = App::new();
    app.write("public/a.txt.gz", "not really compressed");
    let server = app.setup().start();
    let whole = ask(&server, "");
    let (tag, date) = (whole.field("etag").unwrap(), whole.field("last-modified").unwrap());
    assert_eq!(whole.field("cache-control"), None);
    for fields in [format!("If-None-Match: {tag}\r\n"), format!("If-Modified-Since: {date}\r\n")] {
        let same = ask(&server, &fields);
        assert_eq!((same.status, same.field("etag").unwrap()), (304, tag.clone()), "{fields}");
    }
    assert_eq!(ask(&server, "If-None-Match: \"x\"\r\n").status, 200);
    assert_eq!(ask(&server, "If-Match: \"x\"\r\n").status, 412);
    let part = ask(&server, "Range: bytes=2-4\r\n");
    assert_eq!((part.status, part.text()), (206, "234".into()));
    assert_eq!(part.field("content-range").unwrap(), "bytes 2-4/10");
    assert_eq!(ask(&server, "Range: bytes=20-\r\n").status, 416);
    assert_eq!(ask(&server, &format!("Range: bytes=2-4\r\nIf-Range: {date}\r\n")).status, 206);
    assert_eq!(ask(&server, "Range: bytes=2-4\r\nIf-Range: \"x\"\r\n").status, 200);
    let small = ask(&server, "Accept-Encoding: gzip, br\r\n");
    assert_eq!((small.field("content-encoding").unwrap().as_str(), &*small.text()), ("gzip", "not really compressed"));
    server.stop();
}

/// The application says what it got where a file is not to be had, so everything but `app` is a leak.
#[test]
fn nothing_else_is_served() {
    let app = App::new();
    app.write("secret.txt", "secret");
    app.write("public/.env", "secret");
    app.write("public/package.json", "secret");
    app.write("public/web.config", "secret");
    app.write("public/.git/config", "secret");
    app.write("public/node_modules/x.js", "secret");
    super::system::link(app.path().join("secret.txt"), app.path().join("public/link.txt")).unwrap();
    super::system::link(app.path(), app.path().join("public/up")).unwrap();
    let server = app.setup().start();
    let mut client = server.connect();
    for path in [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "/.env",
        "/%2Eenv",
        "/./.env",
        "/package.json",
        "/web.config",
        "/.git/config",
        "/node_modules/x.js",
        "/link.txt",
        "/up/secret.txt",
        "/a.txt%00.html",
        "/a.txt.",
        "/a.txt%20",
        "/a.txt::$DATA",
        "/a.txt/",
        "/file?a.txt",
        "/answer?200&x&y",
        "/offline",
        "/redirect?302&http://elsewhere/",
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.text()), (200, format!("app GET {path}")), "{path}");
    }
    server.stop();
}

#[test]
fn a_link_within_the_folder_is_followed() {
    let app = App::new();
    super::system::link("a.txt", app.path().join("public/inside.txt")).unwrap();
    let server = app.setup().start();
    assert_eq!(server.connect().get("/inside.txt").text(), "0123456789");
    server.stop();
}

#[test]
fn files_come_and_go() {
    let app = App::new();
    let server = app.setup().start();
    let mut client = server.connect();
    assert_eq!(client.get("/new/c.txt").text(), "app GET /new/c.txt");
    app.write("public/new/c.txt", "new");
    until("the file is served", || client.get("/new/c.txt").text() == "new");
    fs::remove_dir_all(app.path().join("public/new")).unwrap();
    until("the file is gone", || client.get("/new/c.txt").text() == "app GET /new/c.txt");
    // The folder is another one than before, though it has the same name.
    app.write("public/new/d.txt", "d");
    until("the other file is served", || client.get("/new/d.txt").text() == "d");
    app.write("public/new/e.txt", "e");
    until("a later file is served", || client.get("/new/e.txt").text() == "e");
    fs::rename(app.path().join("public/a.txt"), app.path().join("public/z.txt")).unwrap();
    until("the new name is served", || client.get("/z.txt").text() == "0123456789");
    until("the old name is not", || client.get("/a.txt").text() == "app GET /a.txt");
    server.stop();
}

#[test]
fn a_large_file_is_streamed() {
    let app = App::new();
    let large: Vec<u8> = (0..20 << 20).map(|i| (i % 251) as u8).collect();
    app.write("public/large.bin", &large);
    let server = app.setup().start();
    let before = server.memory().peak_kib;
    assert!(server.connect().get("/large.bin").body == large);
    let grown = server.memory().peak_kib - before;
    assert!(grown < 16 * 1024, "{grown} KiB for a file of 20 MiB");
    server.stop();
}

#[test]
fn a_page_takes_the_application_offline() {
    let app = App::new();
    let server = app.setup().start();
    let mut client = server.connect();
    assert_eq!(client.get("/x").text(), "app GET /x");
    let pid = server.ready_pids()[0];
    app.write("app_offline.htm", "<p>Back soon");
    until("it is offline", || client.get("/x").status == 503);
    for path in ["/", "/a.txt", "/x?y"] {
        let page = client.get(path);
        assert_eq!((page.status, page.text()), (503, "<p>Back soon".into()));
        assert_eq!(page.field("cache-control").unwrap(), "no-store");
        assert!(page.field("retry-after").is_some());
    }
    assert_eq!(client.post("/x", "body").status, 503);
    until("no worker runs", || !is_alive(pid));
    fs::remove_file(app.path().join("app_offline.htm")).unwrap();
    until("it is back", || client.get("/x").text() == "app GET /x");
    assert_eq!(client.get("/a.txt").text(), "0123456789");
    server.stop();
}

#[test]
fn a_page_that_is_there_at_the_start() {
    let app = App::new();
    app.write("app_offline.htm", "<p>Not yet");
    let server = app.setup().early().start();
    let mut client = server.connect();
    assert_eq!(client.get("/x").text(), "<p>Not yet");
    fs::remove_file(app.path().join("app_offline.htm")).unwrap();
    until("it is there", || client.get("/x").text() == "app GET /x");
    server.stop();
}

#[test]
fn a_request_in_flight_is_finished_before_the_application_goes() {
    let app = App::new();
    app.write(
        "server.js",
        "require('http').createServer((req, res) => {
           res.write('first ');
           req.on('end', () => res.end('last')).resume();
         }).listen(process.env.PORT);",
    );
    let server = app.setup().start();
    let mut client = server.connect();
    client.send("POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n");
    client.until("first ");
    app.write("app_offline.htm", "<p>Back soon");
    until("it is offline", || server.connect().get("/x").status == 503);
    client.send("x");
    client.until("last");
    until("workers stopped", || !is_alive(server.ready_pids()[0]));
    server.stop();
}
