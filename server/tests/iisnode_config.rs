//! What web.config, iisnode.yml and their variables become, and what wrong ones are answered with.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::ffi::OsString;
use std::fs;

use forebay::config::{Resolved, Sources, check_report, iisnode_tests, resolve};

/// A folder with an application and files of iisnode.
struct Place(tempfile::TempDir);

fn path_only(name: &str) -> Option<OsString> {
    if name == "PATH" { std::env::var_os(name) } else { None }
}

fn web_config(inside: &str) -> String {
    format!(
        "<configuration>\n<system.webServer>\n<handlers>\n<add name=\"iisnode\" path=\"server.js\" verb=\"*\" \
         modules=\"iisnode\" />\n</handlers>\n{inside}\n</system.webServer>\n</configuration>\n"
    )
}

fn place() -> Place {
    Place(tempfile::tempdir().unwrap()).with("server.js", "")
}

/// A place with the attribute in its web.config.
fn with(attributes: &str) -> Place {
    place().with("web.config", web_config(&format!("<iisnode {attributes} />")))
}

impl Place {
    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.path().join(name), text).unwrap();
        self
    }

    fn sources(&self) -> Sources {
        Sources { app: None, config: None, flags: Vec::new(), cwd: self.0.path().into(), env: path_only }
    }

    fn resolved(&self) -> Resolved {
        resolve(&self.sources()).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn clean(&self, text: &str) -> String {
        text.replace(&self.0.path().display().to_string(), "DIR")
    }

    fn errors(&self) -> String {
        match resolve(&self.sources()) {
            Ok(_) => "fine".to_owned(),
            Err(errors) => self.clean(&errors.to_string()),
        }
    }

    fn remarks(&self) -> String {
        let remarks: Vec<_> = self.resolved().remarks.iter().map(ToString::to_string).collect();
        self.clean(&remarks.join("\n"))
    }
}

fn row(resolved: &Resolved, key: &str) -> (String, String) {
    let row = resolved.rows.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("no setting {key}"));
    (row.value.clone(), row.origin.to_string())
}

/// An attribute, a value for it, and what that becomes; nothing becomes of those that are explained.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("node_env", "staging", &[]),
    ("asyncCompletionThreadCount", "8", &[]),
    ("nodeProcessCountPerApplication", "3", &[("workers.count", "3")]),
    (
        "nodeProcessCommandLine",
        "&quot;/no/such thing/node&quot; --a &quot;b c&quot;",
        &[("app.node", "/no/such thing/node"), ("app.node_args", r#"["--a", "b c"]"#)],
    ),
    ("interceptor", "server.js", &[("app.node_args", r#"["--require", "DIR/server.js"]"#)]),
    ("maxConcurrentRequestsPerProcess", "Infinite", &[("limits.in_flight_max", "1000000")]),
    ("maxNamedPipeConnectionRetry", "40", &[("limits.ready_wait_timeout", "10s")]),
    ("namedPipeConnectionRetryDelay", "500", &[("limits.ready_wait_timeout", "50s")]),
    ("maxNamedPipeConnectionPoolSize", "9", &[("limits.upstream_idle_max", "9")]),
    ("maxNamedPipePooledConnectionAge", "4500", &[("limits.upstream_idle_timeout", "4500ms")]),
    ("initialRequestBufferSize", "8192", &[]),
    ("maxRequestBufferSize", "32768", &[("limits.head_bytes_max", "32KiB")]),
    ("uncFileChangesPollingInterval", "7000", &[("watch.poll_interval", "7s")]),
    (
        "gracefulShutdownTimeout",
        "1500",
        &[("workers.drain_timeout", "1500ms"), ("workers.tunnel_drain_timeout", "1500ms")],
    ),
    ("logDirectory", "..\\logs", &[("app_log.dir", if cfg!(windows) { "..\\logs" } else { "../logs" })]),
    ("debuggingEnabled", "false", &[("debugger.enabled", "false")]),
    ("debuggerExtensionDll", "iisnode-inspector.dll", &[]),
    ("debugHeaderEnabled", "true", &[("response.debug_header", "true")]),
    ("debuggerVirtualDir", "x", &[]),
    ("debuggerPathSegment", "inspect", &[("debugger.path_segment", "inspect")]),
    ("debuggerPortRange", "6000-6100", &[("debugger.ports", "6000-6100")]),
    ("maxLogFileSizeInKB", "3", &[("app_log.file_bytes_max", "3KiB")]),
    ("maxTotalLogFileSizeInKB", "4096", &[("app_log.total_bytes_max", "4MiB")]),
    ("maxLogFiles", "7", &[("app_log.files_max", "7")]),
    ("loggingEnabled", "false", &[("app_log.dir", "off")]),
    ("devErrorsEnabled", "false", &[("errors.dev_pages", "false")]),
    ("flushResponse", "false", &[("response.gather_bytes_max", "4MiB")]),
    ("watchedFiles", "*.js; lib\\*.json;;iisnode.yml", &[("watch.files", r#"["*.js", "lib/*.json", "iisnode.yml"]"#)]),
    ("enableXFF", "true", &[("forwarding.x_forwarded", "true")]),
    (
        "promoteServerVars",
        "REQUEST_METHOD, AUTH_USER",
        &[("forwarding.server_variables", r#"["REQUEST_METHOD", "AUTH_USER"]"#)],
    ),
    ("configOverrides", "none.yml", &[]),
    ("recycleSignalEnabled", "true", &[("workers.control_pipe", "true")]),
    ("idlePageOutTimePeriod", "2500", &[("workers.page_out_after", "2500ms")]),
    ("nodeProcessStickySessions", "true", &[("workers.affinity", "cookie")]),
];

#[test]
fn every_attribute_becomes_what_the_table_says() {
    let tested: Vec<_> = CASES.iter().map(|(name, ..)| *name).collect();
    let there: Vec<_> = iisnode_tests().iter().map(|(name, _)| *name).collect();
    assert_eq!(tested, there, "each attribute has one case, in the table's order");
    let untouched = with("");
    let defaults = untouched.resolved();
    for (name, value, becomes) in CASES {
        let place = with(&format!("{name}=\"{value}\""));
        let resolved = place.resolved();
        for (key, expected) in *becomes {
            let (value, origin) = row(&resolved, key);
            assert_eq!(place.clean(&value), *expected, "{name}: {key}");
            // What turns something off is not written anywhere.
            assert!(origin == "web.config:6" || *expected == "off", "{name}: {key} is from {origin}");
        }
        // Nothing else changes, and what is accepted without a setting is remarked upon or in the environment.
        for (before, after) in defaults.rows.iter().zip(&resolved.rows) {
            let is_own = becomes.iter().any(|(key, _)| *key == after.key);
            let differs_by_place = ["server.runtime_dir", "app.script", "app.cwd", "app.env"].contains(&after.key);
            assert!(is_own || differs_by_place || before.value == after.value, "{name} changes {}", after.key);
        }
        let is_explained = resolved.remarks.iter().any(|remark| remark.text.starts_with(name));
        let has_own_test = matches!(*name, "node_env" | "configOverrides");
        assert!(!becomes.is_empty() || is_explained || has_own_test, "{name} is ignored without a word");
    }
}

#[test]
fn profiles_have_their_defaults() {
    let report = |profile: &'static str| {
        let place = with("");
        let sources = Sources { flags: vec![("--profile", vec![profile.into()])], ..place.sources() };
        let resolved = resolve(&sources).unwrap();
        let is_default = |row: &&forebay::config::Row| row.origin.to_string().starts_with("default of ");
        let rows: Vec<_> =
            resolved.rows.iter().filter(is_default).map(|row| format!("{} = {}", row.key, row.value)).collect();
        (rows.join("\n"), resolved)
    };
    let (iisnode, _) = report("iisnode");
    insta::assert_snapshot!("defaults_of_iisnode", iisnode);
    let (azure, _) = report("azure");
    let differing: Vec<_> = azure.lines().filter(|line| !iisnode.contains(line)).collect();
    assert_eq!(
        differing,
        [
            "limits.in_flight_max = 1000000",
            "limits.ready_wait_timeout = 50s",
            "response.gather_bytes_max = 4MiB",
            "errors.dev_pages = false",
            "debugger.enabled = false",
        ]
    );
    let (native, resolved) = report("native");
    assert_eq!(native, "");
    assert!(resolved.files.is_empty() && row(&resolved, "app.script").1 == "default");
}

#[test]
fn a_profile_gives_defaults_to_a_forebay_toml_too() {
    let toml = "[app]\nprofile = \"azure\"\n[workers]\ncount = 2\n";
    let resolved = place().with("forebay.toml", toml).resolved();
    assert_eq!(row(&resolved, "workers.count").1, "forebay.toml:4");
    assert_eq!(row(&resolved, "limits.ready_wait_timeout"), ("50s".into(), "default of azure".into()));
    assert_eq!(row(&resolved, "app.env").1, "default");
}

#[test]
fn the_debugger_is_open_by_default_on_loopback_only() {
    let enabled = |attributes: &str, listen: &str| {
        let place = with(attributes);
        let flags = vec![("--listen", vec![listen.to_owned()])];
        row(&resolve(&Sources { flags, ..place.sources() }).unwrap(), "debugger.enabled").0
    };
    assert_eq!(enabled("", "127.0.0.1:80"), "true");
    assert_eq!(enabled("", "[::1]:80"), "true");
    assert_eq!(enabled("", "0.0.0.0:80"), "false");
    assert_eq!(enabled("debuggingEnabled=\"true\"", "0.0.0.0:80"), "true");
    assert_eq!(enabled("debuggingEnabled=\"false\"", "127.0.0.1:80"), "false");
}

#[test]
fn x_forwarded_for_is_for_those_who_ask() {
    let resolved = with("").resolved();
    assert_eq!(row(&resolved, "forwarding.x_forwarded").0, "false");
    // Also then what a proxy in front says is passed on.
    assert!(row(&resolved, "forwarding.trusted").0.starts_with("127.0.0.0/8, "));
    assert_eq!(row(&with("enableXFF=\"1\"").resolved(), "forwarding.x_forwarded").0, "true");
}

#[test]
fn what_a_number_cannot_be_here_is_moved_with_a_remark() {
    let attributes = "maxNamedPipeConnectionPoolSize=\"70000\" gracefulShutdownTimeout=\"4294967295\" \
        maxRequestBufferSize=\"0\" maxNamedPipePooledConnectionAge=\"0\" maxConcurrentRequestsPerProcess=\"0\"";
    let place = with(attributes);
    let resolved = place.resolved();
    let of = |key| row(&resolved, key).0;
    assert_eq!((of("limits.upstream_idle_max"), of("workers.drain_timeout")), ("0".into(), "1d".into()));
    assert_eq!((of("limits.in_flight_max"), of("limits.queue_max")), ("0".into(), "0".into()));
    assert_eq!(of("limits.head_bytes_max"), "1KiB");
    insta::assert_snapshot!(place.remarks());
}

#[test]
fn the_handler_limits_what_is_gathered() {
    let config = web_config("<iisnode flushResponse=\"false\" />").replace("verb=", "responseBufferLimit=\"0\" verb=");
    let resolved = place().with("web.config", config).resolved();
    assert_eq!(row(&resolved, "response.gather_bytes_max").0, "0");
}

#[test]
fn iis_bounds_bodies_by_their_announced_length() {
    let limits =
        "<security><requestFiltering><requestLimits maxAllowedContentLength=\"1000\" /></requestFiltering></security>";
    let resolved = place().with("web.config", web_config(limits)).resolved();
    assert_eq!(row(&resolved, "limits.body_bytes_max"), ("1kB".into(), "web.config:6".into()));
    assert_eq!(resolved.config.limits.chunked_body_bytes_max, 0);
    // Natively both are one.
    let native = place().with("forebay.toml", "[limits]\nbody_bytes_max = 7\n").resolved();
    assert_eq!(native.config.limits.chunked_body_bytes_max, 7);
}

#[test]
fn yml_says_what_it_does_not_do() {
    let yml = "\u{feff}nodeProcessCountPerApplication: 2\n\tmaxConcurrentRequestsPerProcess: Infinite\n\
        debugPortRange: 6000-6001\nloggingEnabld: false\nlogFileFlushInterval: 5000\nmaxLogFiles: 7\nmaxLogFiles: 9\n\
        logDirectory: \"logs\"\nhttp://example.com/ explains it\nconfigOverrides: x.yml\nmaxLogFileSizeInKB: 12abc\n\
        iisnode:\n";
    let place = place().with("iisnode.yml", yml);
    let resolved = place.resolved();
    assert_eq!(row(&resolved, "workers.count"), ("2".into(), "iisnode.yml:1".into()));
    assert_eq!(row(&resolved, "debugger.ports"), ("6000-6001".into(), "iisnode.yml:3".into()));
    assert_eq!(row(&resolved, "app_log.files_max"), ("9".into(), "iisnode.yml:7".into()));
    insta::assert_snapshot!(place.remarks());
}

#[test]
fn everything_wrong_is_told_in_one_go() {
    let config = web_config(
        "<iisnode idontexist=\"12\" nodeProcessCountPerApplication=\"two\"\n  watchedFile=\"x\" loggingenabled=\"true\"\n  \
         devErrorsEnabled=\"yes\" debuggerPortRange=\"80\" appendToExistingLog=\"true\" nodeProcessCommandLine=\"\" />\n\
         <security><requestFiltering><requestLimits maxAllowedContentLength=\"30MB\" /></requestFiltering></security>",
    );
    let yml = "nodeProcessCountPerApplication: 2000\nfoo bar: 1\n: x\n---\nmaxLogFiles: \"4\"\nmaxLogFiles: -1\n";
    fn env(name: &str) -> Option<OsString> {
        if name == "IISNODE_maxLogFiles" { Some("many".into()) } else { path_only(name) }
    }
    let place = place().with("web.config", config).with("iisnode.yml", yml);
    let errors = resolve(&Sources { env, ..place.sources() }).unwrap_err();
    insta::assert_snapshot!(errors.to_string());
}

#[test]
fn files_that_are_none() {
    let mut told = Vec::new();
    for text in [
        "<configuration>\n<system.webServer>\n<iisnode a=\"1\" a=\"2\" />",
        "<iisnode />",
        "<configuration><system.webServer><handlers>\n<add modules=\"iisnode\" path=\"missing.js\" /></handlers>\
         </system.webServer></configuration>",
        "<configuration><system.webServer><handlers>\n<add modules=\"IISNODE\" /></handlers></system.webServer>\
         </configuration>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><configuration>iisnode</configuration>",
    ] {
        told.push(place().with("web.config", text).errors());
    }
    told.push(place().with("web.config", b"<iisnode \xff />").errors());
    told.push(
        place()
            .with(
                "web.config",
                "<configuration>\n<appSettings file=\"a.config\" /><!-- iisnode -->\n\
        </configuration>",
            )
            .with("a.config", "<x />")
            .errors(),
    );
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn what_is_read_and_what_wins() {
    let files = |place: &Place, app: Option<&str>| {
        let sources = Sources { app: app.map(Into::into), ..place.sources() };
        let resolved = resolve(&sources).unwrap_or_else(|errors| panic!("{errors}"));
        let files: Vec<_> = resolved.files.iter().map(|file| place.clean(&file.display().to_string())).collect();
        files.join(" ")
    };
    // A web.config that is not about iisnode is not for us, unless it is named.
    let other = place().with("web.config", "<configuration />");
    assert_eq!((files(&other, None), files(&other, Some("web.config"))), (String::new(), "web.config".into()));
    let both = with("").with("iisnode.yml", "");
    assert_eq!(files(&both, None), "web.config iisnode.yml");
    assert_eq!(files(&both, Some(".")), "./web.config ./iisnode.yml");
    assert_eq!(files(&both, Some("iisnode.yml")), "web.config iisnode.yml");
    assert_eq!(files(&both, Some("server.js")), "");
    let toml = both.with("forebay.toml", "");
    assert_eq!(files(&toml, None), "forebay.toml");
    assert!(toml.remarks().contains("web.config is not read, since forebay.toml is there"), "{}", toml.remarks());
}

#[test]
fn what_would_count_if_it_were_there_is_watched() {
    let place = with("configOverrides=\"o.yml\"");
    let watched = place.resolved().config.sources;
    let names: Vec<_> = watched.iter().map(|path| place.clean(&path.display().to_string())).collect();
    assert_eq!(names, ["DIR/web.config", "DIR/o.yml"]);
}

#[test]
fn the_report_has_rows_and_remarks() {
    let place = with("asyncCompletionThreadCount=\"2\" nodeProcessCommandLine=\"idontexist.exe\"");
    let report = place.clean(&check_report(&place.resolved()));
    assert!(report.starts_with("configuration file: web.config\n"), "{report}");
    let remarks = report.split_once("\nremarks\n").unwrap().1.split("\n\n").next().unwrap();
    insta::assert_snapshot!(remarks);
    assert!(report.contains("idontexist.exe (not there)"), "{report}");
}
