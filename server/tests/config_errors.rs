//! What a wrong configuration is answered with: every message, all problems in one go.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use forebay::config::{FrontSources, Origin, Resolved, Sources, resolve, resolve_front};
use forebay_core::limits::Limits;

/// A folder with an application, a configuration file and nothing else.
struct Place(tempfile::TempDir);

fn place(toml: impl AsRef<[u8]>) -> Place {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server.js"), "").unwrap();
    fs::write(folder.path().join("forebay.toml"), toml).unwrap();
    Place(folder)
}

fn path_only(name: &str) -> Option<OsString> {
    if name == "PATH" { std::env::var_os(name) } else { None }
}

impl Place {
    fn sources(&self) -> Sources {
        Sources { app: None, config: None, flags: Vec::new(), cwd: self.0.path().into(), env: path_only }
    }

    fn errors_of(&self, sources: &Sources) -> String {
        match resolve(sources) {
            Ok(_) => "fine".to_owned(),
            Err(errors) => errors.to_string().replace(&self.0.path().display().to_string(), "DIR"),
        }
    }

    fn errors(&self) -> String {
        self.errors_of(&self.sources())
    }

    fn resolved(&self) -> Resolved {
        resolve(&self.sources()).unwrap()
    }
}

fn origin(resolved: &Resolved, key: &str) -> String {
    resolved.rows.iter().find(|row| row.key == key).unwrap().origin.to_string()
}

#[test]
fn everything_wrong_is_told_in_one_go() {
    let toml = r#"listen = 3
[server]
listn = "x"
engine = "monio"
metrics = "0.0.0.0:9464"
head_bytes_max = 3
[limits]
head_bytes_max = "1MB"
fields_max = 0
queue_timeout = -1
send_timeout = "60 sec"
in_flight_max = 1.5
body_bytes_max = "16k"
[wrkers]
[workers]
count = 5000
pin = "yes"
backoff_min = "1h"
[app]
args = "--flag"
script = ""
[app.env]
PORT = "1"
A = ["x"]
"B=C" = "x"
[forwarding]
trusted = ["10.0.0.0/8",
  "10.0.0.0/99"]
[access_log]
format = "yaml"
[log]
level = "inf"
quite_unlike_anything = 1
"#;
    insta::assert_snapshot!(place(toml).errors());
}

#[test]
fn files_that_are_none() {
    let mut told = Vec::new();
    for bytes in [
        &b"[server\nlisten"[..],
        b"\xff\xfe[\0",
        b"[app]\n\n\x80",
        b"[server]\nlisten = \"a\"\nlisten = \"b\"\n",
        b"server = 1",
    ] {
        told.push(place(bytes).errors());
    }
    told.push(place(vec![b'#'; (1 << 20) + 1]).errors());
    let here = place("");
    for config in ["missing.toml", "."] {
        told.push(here.errors_of(&Sources { config: Some(config.into()), ..here.sources() }));
    }
    let both = Sources { config: Some("a.toml".into()), app: Some("b.toml".into()), ..here.sources() };
    told.push(here.errors_of(&both));
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn flags_and_environment_are_checked_alike() {
    fn env(name: &str) -> Option<OsString> {
        match name {
            "PORT" => Some("eighty".into()),
            "FOREBAY_WORKERS" => Some("0".into()),
            "FOREBAY_TRANSPORT" => Some("htpp".into()),
            "FOREBAY_LOG" => Some("info,forebay=loud".into()),
            "FOREBAY_ENGINE" => Some(String::new().into()),
            _ => path_only(name),
        }
    }
    let here = place("");
    let flags = vec![
        ("--listen", vec!["127.0.0.1:1".into(), "127.0.0.1:1".into(), "host:1".into()]),
        ("--engine", vec!["epoll".into()]),
        ("--log-format", vec!["xml".into()]),
    ];
    insta::assert_snapshot!(here.errors_of(&Sources { flags, env, ..here.sources() }));
}

#[test]
fn values_that_do_not_go_together() {
    let toml = "[server]\nlisten = \":9464\"\nmetrics = 9464\n";
    let told = place(toml).errors();
    let format_alone = place("[access_log]\nformat = \"json\"\n").errors();
    let runtime_dir = format!("[server]\nruntime_dir = \"/{}\"\n", "x".repeat(100));
    let loopback = place("[server]\nmetrics = \"127.0.0.1:0\"\nlisten = \":0\"\n").errors();
    insta::assert_snapshot!([told, format_alone, place(runtime_dir).errors(), loopback].join("\n---\n"));
}

#[test]
fn of_two_values_that_do_not_go_together_the_one_that_was_written_is_named() {
    let told = |lines: &str| place(format!("[workers]\n{lines}")).errors();
    let below_the_default = told("backoff_max = \"10ms\"\n");
    let above_the_default = told("backoff_min = \"1h\"\n");
    let max_came_later = told("backoff_min = \"1h\"\nbackoff_max = \"1m\"\n");
    let min_came_later = told("backoff_max = \"1m\"\nbackoff_min = \"1h\"\n");
    insta::assert_snapshot!([below_the_default, above_the_default, max_came_later, min_came_later].join("\n---\n"));
}

#[test]
fn the_stronger_source_wins_and_is_named() {
    fn env(name: &str) -> Option<OsString> {
        match name {
            "PORT" => Some("4000".into()),
            "FOREBAY_WORKERS" => Some("3".into()),
            _ => path_only(name),
        }
    }
    let here = place("\u{feff}[server]\nlisten = \"127.0.0.1:1\"\n[workers]\ncount = 2\n[shards]\ncount = 5\n");
    let resolved = here.resolved();
    assert_eq!(resolved.config.listen, ["127.0.0.1:1".parse().unwrap()]);
    assert_eq!((resolved.config.workers.count, resolved.config.shards.count), (2, 5));
    assert_eq!(origin(&resolved, "server.listen"), "forebay.toml:2");

    let resolved = resolve(&Sources { env, ..here.sources() }).unwrap();
    assert_eq!(resolved.config.listen, ["0.0.0.0:4000".parse().unwrap()]);
    assert_eq!(
        (origin(&resolved, "server.listen"), origin(&resolved, "workers.count")),
        ("environment PORT".into(), "environment FOREBAY_WORKERS".into())
    );

    let flags = vec![("--workers", vec!["auto".into()]), ("--listen", vec!["[::1]:5".into(), "6".into()])];
    let resolved = resolve(&Sources { env, flags, ..here.sources() }).unwrap();
    assert_eq!(resolved.config.listen, ["[::1]:5".parse().unwrap(), "0.0.0.0:6".parse().unwrap()]);
    assert_eq!(
        (resolved.config.workers.count, origin(&resolved, "workers.count")),
        (forebay::cpus::vcpus(), "--workers".into())
    );
    assert_eq!(origin(&resolved, "shards.count"), "forebay.toml:6");
    assert_eq!(resolved.rows.iter().find(|row| row.key == "limits.fields_max").unwrap().origin, Origin::Default);
}

#[test]
fn defaults_are_those_of_the_core() {
    let config = place("").resolved().config;
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert!(config.workers.pin && config.workers.batch && config.workers.preload && config.shards.pin);
    assert!(config.forwarding.x_forwarded && config.forwarding.trusted.is_empty());
    assert!(config.access_log.is_none() && config.metrics.is_none());
}

#[test]
fn paths_are_relative_to_the_file() {
    let here = place("");
    let sub = here.0.path().join("etc");
    fs::create_dir(&sub).unwrap();
    fs::write(sub.join("f.toml"), "[app]\nscript = \"../server.js\"\n[access_log]\npath = \"a.log\"\n").unwrap();
    let resolved = resolve(&Sources { app: Some("etc/f.toml".into()), ..here.sources() }).unwrap();
    assert_eq!(resolved.config.access_log.unwrap().path, Some(sub.join("a.log")));
    assert_eq!(resolved.config.launch.args, [sub.join("../server.js")]);
    let stdout = place("[access_log]\npath = \"-\"\n").resolved().config.access_log.unwrap();
    assert_eq!(stdout.path, None);
}

#[test]
fn a_front_has_a_socket_for_each_port() {
    let here = place("");
    let front = |listen: &[&str], to: &str| {
        let listen = listen.iter().map(|&text| text.to_owned()).collect();
        let common = Sources { cwd: PathBuf::from("/run"), ..here.sources() };
        resolve_front(&FrontSources { listen, to: to.to_owned(), pipe: None, no_forwarded: true, common })
    };
    let routes = front(&["127.0.0.1:3000-3001", "[::1]:3000"], "s/{port}.sock").unwrap().routes;
    let shown: Vec<_> = routes
        .iter()
        .map(|route| format!("{:?} {}", route.listen, route.endpoint.display()).replace('\\', "/"))
        .collect();
    assert_eq!(shown, ["[127.0.0.1:3000, [::1]:3000] /run/s/3000.sock", "[127.0.0.1:3001] /run/s/3001.sock"]);
    let told: Vec<_> = [
        front(&["127.0.0.1:3000-3001"], "one.sock"),
        front(&["127.0.0.1:3001-3000", "x", "127.0.0.1:0", "127.0.0.1:1-70000"], "{port}"),
        front(&["127.0.0.1:1-5", "127.0.0.1:3"], "{port}"),
        front(&["127.0.0.1:1-65535"], "{port}"),
        front(&["127.0.0.1:1"], &format!("{}/{{port}}", "x".repeat(120))),
    ]
    .into_iter()
    .map(|outcome| outcome.unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn no_file_makes_it_panic() {
    // A whole file, then every prefix of it, then each with one byte changed.
    let whole = b"[server]\nlisten = [\"127.0.0.1:1\"]\n[limits]\nhead_bytes_max = 0x10\n[app.env]\nA = 1979-05-27\n[workers]\ncount = 1e3\n";
    let here = place("");
    let file = here.0.path().join("x.toml");
    // The script is missing, so that node is not started for each.
    let sources =
        Sources { config: Some("x.toml".into()), app: Some("missing".into()), env: |_| None, ..here.sources() };
    for end in 0..whole.len() {
        fs::write(&file, &whole[..end]).unwrap();
        resolve(&sources).unwrap_err();
        let mut changed = whole.to_vec();
        changed[end] = b"\0\xff\"[=\n"[end % 6];
        fs::write(&file, changed).unwrap();
        resolve(&sources).unwrap_err();
    }
}
