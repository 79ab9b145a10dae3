//! Who answers what, by example.

use std::path::Path;
use std::time::Duration;

use forebay_core::http1::Field;

use super::*;

fn index(files: &[&str]) -> Arc<Index> {
    let mut index = Index::default();
    for file in files {
        for (at, _) in file.match_indices('/') {
            index.add(&file[..at], Kind::Folder);
        }
        index.add(file, Kind::File);
    }
    Arc::new(index)
}

/// A site with these files and the inside of this `<system.webServer>`.
fn iis(inside: &str, files: &[&str]) -> Site {
    let (rules, notes) = told(inside);
    assert_eq!(notes, "", "{inside}");
    Site { rules: Arc::new(rules), index: index(files) }
}

/// The rules, and what was said about them.
fn told(inside: &str) -> (Rules, String) {
    let text = format!("<system.webServer>\n{inside}\n</system.webServer>");
    let document = roxmltree::Document::parse(&text).unwrap();
    let (rules, notes) = read(&[document.root_element()], "/app".into(), Path::new("web.config"));
    let rules = rules.unwrap_or_else(|| Rules::native("/app".into(), Vec::new(), None));
    let problems = notes.problems.iter().map(ToString::to_string);
    let remarks = notes.remarks.iter().map(ToString::to_string);
    (rules, problems.chain(remarks).collect::<Vec<_>>().join("\n"))
}

fn asked(site: &Site, method: &str, target: &str, fields: &[Field<'_>]) -> String {
    let request = Request { method, target, https: false, fields };
    match site.decide(&request, &mut Rewriting::default()) {
        Decision::Application => "app".into(),
        Decision::Abort => "abort".into(),
        Decision::Origin(Instruction::File(path)) => format!("file {path}"),
        Decision::Origin(Instruction::Answer(status, reason, text)) => format!("{status} {reason}{text}").trim().into(),
        Decision::Origin(Instruction::Redirect(status, target)) => format!("{status} to {target}"),
        Decision::Origin(other) => format!("{other:?}"),
    }
}

fn table(site: &Site, rows: &[(&str, &str)]) {
    for (target, expected) in rows {
        assert_eq!(asked(site, "GET", target, &[]), *expected, "{target}");
    }
}

const HANDLER: &str = r#"<handlers><add name="iisnode" path="server.js" verb="*" modules="iisnode"/></handlers>"#;

#[test]
fn files_before_the_application() {
    let rules = Rules::native("/app/public".into(), vec!["index.html".into()], Some(Duration::from_secs(60)));
    let files = ["a.css", "sub/index.html", "empty/x", "index.html", ".env", "sub/.git/config", "a b.txt", "100%.txt"];
    let site = Site { rules: Arc::new(rules), index: index(&files) };
    table(
        &site,
        &[
            ("/a.css", "file a.css"),
            ("/a.css?v=1", "file a.css"),
            ("/%61.css", "file a.css"),
            ("//a.css", "file a.css"),
            ("/sub/../a.css", "file a.css"),
            ("/a%20b.txt", "file a b.txt"),
            ("/100%25.txt", "file 100%.txt"),
            ("/", "file index.html"),
            ("/sub/", "file sub/index.html"),
            ("/sub", "301 to /sub/"),
            ("/empty/", "app"),
            ("/a.css/", "app"),
            ("/A.css", if forebay_transports::files::CASE_MATTERS { "app" } else { "file A.css" }),
            ("/.env", "app"),
            ("/%2eenv", "app"),
            ("/sub/.git/config", "app"),
            ("/../a.css", "app"),
            ("/%2e%2e/a.css", "app"),
            ("/a.css%00", "app"),
            ("/a.css.", "app"),
            ("/a.css::$DATA", "app"),
            ("/missing", "app"),
            ("*", "app"),
        ],
    );
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(asked(&site, method, "/a.css", &[]), "app");
    }
    assert_eq!(asked(&site, "HEAD", "/a.css", &[]), "file a.css");
}

#[test]
fn the_script_alone() {
    let site = iis(HANDLER, &["server.js", "helloClient.js", "readme.htm", "bin/www", "iisnode/log.txt"]);
    table(
        &site,
        &[
            ("/server.js", "app"),
            ("/server.js?a", "app"),
            ("/server.js/debug", "app"),
            ("/Server.js", "app"),
            ("/helloClient.js", "file helloClient.js"),
            ("/readme.htm", "file readme.htm"),
            ("/server.js.logs/0.txt", "404"),
            ("/", "app"),
            ("/missing", "404"),
            ("/bin/www", "404"),
            ("/..%2fserver.js", "400"),
            ("/a%00", "400"),
            ("/../server.js", "400"),
        ],
    );
    assert_eq!(asked(&site, "POST", "/server.js", &[]), "app");
    assert_eq!(asked(&site, "POST", "/readme.htm", &[]), "file readme.htm");
}

#[test]
fn what_is_never_served() {
    let files = [
        "web.config",
        "Web.Config",
        "app.exe.config",
        "iisnode.yml",
        "forebay.toml",
        "package.json",
        "package-lock.json",
        ".env",
        "node_modules/x/index.js",
        "App_Data/db.txt",
        "bin/www",
        "logs/0.txt",
        "a/.htaccess",
        "app_offline.htm",
    ];
    let (rules, _) = told(HANDLER);
    let site = Site { rules: Arc::new(rules.hiding(Path::new("/app/logs"))), index: index(&files) };
    for file in files {
        assert_eq!(asked(&site, "GET", &format!("/{file}"), &[]), "404", "{file}");
    }
}

#[test]
fn a_default_document_that_is_the_script() {
    let inside = r#"
        <handlers><add name="iisnode" path="index.js" verb="*" modules="iisnode" /></handlers>
        <defaultDocument enabled="true"><files><add value="index.js" /></files></defaultDocument>"#;
    let site = iis(inside, &["index.js", "sub/index.htm"]);
    table(&site, &[("/", "app"), ("/?a=b", "app"), ("/sub/", "file sub/index.htm"), ("/sub", "301 to /sub/")]);
    let off = iis(&inside.replace("true", "false"), &["index.js", "sub/index.htm"]);
    table(&off, &[("/", "404"), ("/sub/", "404"), ("/index.js", "app")]);
}

#[test]
fn what_deployment_tools_write() {
    let inside = r#"
        <webSocket enabled="false" />
        <handlers><add name="iisnode" path="server.js" verb="*" modules="iisnode"/></handlers>
        <rewrite>
          <rules>
            <rule name="NodeInspector" patternSyntax="ECMAScript" stopProcessing="true">
              <match url="^server.js\/debug[\/]?" />
            </rule>
            <rule name="StaticContent"><action type="Rewrite" url="public{REQUEST_URI}"/></rule>
            <rule name="DynamicContent">
              <conditions>
                <add input="{REQUEST_FILENAME}" matchType="IsFile" negate="True"/>
              </conditions>
              <action type="Rewrite" url="server.js"/>
            </rule>
          </rules>
        </rewrite>
        <security><requestFiltering><hiddenSegments><remove segment="bin"/></hiddenSegments></requestFiltering></security>
        <httpErrors existingResponse="PassThrough" />
        <iisnode watchedFiles="web.config;*.js"/>"#;
    let site = iis(inside, &["server.js", "secret.js", "public/a.css", "public/sub/b.js", "public/.env"]);
    table(
        &site,
        &[
            ("/", "app"),
            ("/api/x?y=1", "app"),
            ("/a.css", "file public/a.css"),
            ("/a.css?v=1", "file public/a.css"),
            ("/sub/b.js", "file public/sub/b.js"),
            ("/sub/", "app"),
            ("/secret.js", "app"),
            ("/server.js/debug", "app"),
            ("/server.js/debug/", "app"),
            ("/public/a.css", "app"),
            ("/.env", "404"),
            ("/..%2fsecret.js", "400"),
            ("/../secret.js", "400"),
            ("/web.config", "app"),
        ],
    );
}

#[test]
fn a_blocked_segment_reaches_nobody() {
    let inside = format!(
        r#"{HANDLER}<security><requestFiltering><hiddenSegments><add segment="private"/></hiddenSegments>
        </requestFiltering></security>"#
    );
    let site = iis(&inside, &["server.js", "private/a.txt", "a.txt"]);
    table(&site, &[("/private/a.txt", "404"), ("/server.js/Private/x", "404"), ("/a.txt", "file a.txt")]);
}

#[test]
fn types_and_caching() {
    let (rules, said) = told(
        r#"<handlers><add modules="iisnode" path="a.js"/></handlers><staticContent>
             <remove fileExtension=".svg"/>
             <mimeMap fileExtension=".SVG" mimeType="image/svg+xml"/>
             <mimeMap fileExtension=".woff2" mimeType="font/woff2"/>
             <clientCache cacheControlMode="UseMaxAge" cacheControlMaxAge="7.01:00:30"/>
           </staticContent>"#,
    );
    assert_eq!(said, "");
    assert_eq!(
        (rules.mime("a/b.svg"), rules.mime("x.woff2"), rules.mime("svg")),
        (Some("image/svg+xml"), Some("font/woff2"), None)
    );
    assert_eq!(rules.caching, Caching::For(Duration::from_secs(7 * 86_400 + 3630)));
    let (rules, _) = told(
        r#"<handlers><add modules="iisnode" path="a.js"/></handlers><staticContent><clientCache cacheControlMode="DisableCache"/></staticContent>"#,
    );
    assert_eq!(rules.caching, Caching::Never);
}

#[test]
fn what_is_wrong_has_a_line() {
    let (_, said) = told(
        r#"<staticContent>
<mimeMap fileExtension="svg" mimeType="image/svg+xml"/>
<clientCache cacheControlMode="UseMaxAge" cacheControlMaxAge="a week"/>
</staticContent>
<defaultDocument enabled="perhaps"/>
<handlers><add name="x" path="*.php" modules="FastCgiModule"/></handlers>"#,
    );
    let expected =
        "error: web.config:3: mimeMap: not understood, allowed: fileExtension=\".ext\" and mimeType=\"type/subtype\"
error: web.config:4: clientCache: cacheControlMaxAge: not understood (\"a week\"), allowed: \"DAYS.HH:MM:SS\"
error: web.config:6: defaultDocument: enabled: not understood (\"perhaps\"), allowed: \"true\" or \"false\"
web.config:7: add: has no effect here: only the module iisnode is known";
    assert_eq!(said, expected);
}
