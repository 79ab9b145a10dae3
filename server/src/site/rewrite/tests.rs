//! What rules do, by example.

use std::path::Path;

use forebay_core::http1::Field;

use super::*;
use crate::site::xml::{Notes, Reader};

fn said(notes: &Notes) -> Vec<String> {
    let problems = notes.problems.iter().map(ToString::to_string);
    problems.chain(notes.remarks.iter().map(ToString::to_string)).collect()
}

fn read_all(rules: &str) -> (Vec<Rule>, Vec<String>) {
    let text = format!("<rewrite>\n<rules>{rules}</rules></rewrite>");
    let document = roxmltree::Document::parse(&text).unwrap();
    let mut notes = Notes::default();
    let rules = read(document.root_element(), &mut Reader { file: Path::new("web.config"), notes: &mut notes });
    (rules, said(&notes))
}

/// What becomes of a target, sent by `fields`, where `a.css` and the folder `sub` are.
fn run(rules: &str, target: &str, fields: &[Field<'_>]) -> String {
    let (rules, said) = read_all(rules);
    assert!(said.is_empty(), "{said:?}");
    let mut index = Index::default();
    index.add("a.css", Kind::File);
    index.add("sub", Kind::Folder);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut work = Rewriting { query: query.into(), ..Rewriting::default() };
    work.is_folder = path::decode(path.as_bytes(), &mut work.path).unwrap();
    let request = Request { method: "GET", target, https: false, fields };
    match apply(&rules, &request, &index, &mut work) {
        Ended::Path if work.query.is_empty() => work.path,
        Ended::Path => format!("{}?{}", work.path, work.query),
        Ended::Redirect(status) => format!("{status} {}", work.target),
        Ended::Answer { status, reason, text } => format!("{status} {reason} {text}"),
        Ended::Abort => "abort".into(),
        Ended::Odd => "odd".into(),
    }
}

fn rule(url: &str, inside: &str) -> String {
    format!(r#"<rule name="r" stopProcessing="true"><match url="{url}"/>{inside}</rule>"#)
}

fn rewrites(url: &str, to: &str) -> String {
    rule(url, &format!(r#"<action type="Rewrite" url="{to}"/>"#))
}

#[test]
fn patterns_look_at_the_path_without_its_slash() {
    let table = [
        ("hello/*", "/hello", "app.js"),
        ("hello/*", "/hello.js", "app.js"),
        ("hello/*", "/hello/a/b?foo=bar", "app.js?foo=bar"),
        ("hello/*", "/jello", "jello"),
        ("^a$", "/A", "app.js"),
        ("^/a$", "/a", "a"),
        ("^$", "/", "app.js"),
        ("^a/$", "/a/", "app.js"),
        ("^a b$", "/a%20b", "app.js"),
        (r"^server.js\/debug[\/]?", "/server.js/debug", "app.js"),
        ("^(?!api/)", "/other", "app.js"),
        ("^(?!api/)", "/api/x", "api/x"),
        (".*", "/x", "app.js"),
        ("", "/x", "app.js"),
    ];
    for (url, target, expected) in table {
        assert_eq!(run(&rewrites(url, "app.js"), target, &[]), expected, "{url} {target}");
    }
}

#[test]
fn what_a_pattern_found_is_put_in() {
    assert_eq!(
        run(&rewrites("^item/([0-9]+)/(.*)$", "item.js?id={R:1}&amp;rest={R:2}&amp;all={R:0}"), "/item/7/x?q=1", &[]),
        "item.js?id=7&rest=x&all=item/7/x&q=1"
    );
    assert_eq!(run(&rewrites("^u/(.*)$", "{ToLower:{R:1}}/{UrlEncode:{R:1}}"), "/u/A B", &[]), "a b/A%20B");
    assert_eq!(run(&rewrites("^x$", "public{REQUEST_URI}"), "/x?y=1", &[]), "public/x?y=1");
    assert_eq!(run(&rewrites("^x$", "public{URL}"), "/x?y=1", &[]), "public/x?y=1");
    let discards =
        r#"<rule name="r"><match url=".*"/><action type="Rewrite" url="app.js" appendQueryString="false"/></rule>"#;
    assert_eq!(run(discards, "/x?y=1", &[]), "app.js");
}

#[test]
fn wildcards_and_exact_texts() {
    let with = |syntax: &str, url: &str, to: &str| {
        format!(
            r#"<rule name="r" patternSyntax="{syntax}"><match url="{url}"/><action type="Rewrite" url="{to}"/></rule>"#
        )
    };
    assert_eq!(run(&with("Wildcard", "a/*/c.*", "{R:1}-{R:2}"), "/a/b/c.d", &[]), "b-d");
    assert_eq!(run(&with("Wildcard", "a.c", "y"), "/abc", &[]), "abc");
    assert_eq!(run(&with("ExactMatch", "a.c", "y"), "/A.C", &[]), "y");
    assert_eq!(run(&with("ExactMatch", "a.c", "y"), "/a.cd", &[]), "a.cd");
}

#[test]
fn conditions() {
    let when = |conditions: &str| rule(".*", &format!(r#"{conditions}<action type="Rewrite" url="yes/{{C:1}}"/>"#));
    let host = |name: &'static str| [Field::new(b"Host", name.as_bytes())];
    let one = when(r#"<conditions><add input="{HTTP_HOST}" pattern="^(www)\.example\.com$"/></conditions>"#);
    assert_eq!(run(&one, "/x", &host("WWW.example.com")), "yes/WWW");
    assert_eq!(run(&one, "/x", &host("example.com")), "x");
    let file = when(r#"<conditions><add input="{REQUEST_FILENAME}" matchType="IsFile"/></conditions>"#);
    assert_eq!((run(&file, "/a.css", &[]), run(&file, "/sub", &[])), ("yes".into(), "sub".into()));
    let folder = when(
        r#"<conditions><add input="{APPL_PHYSICAL_PATH}{URL}" matchType="IsDirectory" negate="true"/></conditions>"#,
    );
    assert_eq!((run(&folder, "/a.css", &[]), run(&folder, "/sub", &[])), ("yes".into(), "sub".into()));
    let any = when(
        r#"<conditions logicalGrouping="MatchAny"><add input="{QUERY_STRING}" pattern="a=(1)"/>
           <add input="{HTTPS}" pattern="^on$"/></conditions>"#,
    );
    assert_eq!((run(&any, "/x?a=1", &[]), run(&any, "/x?a=2", &[])), ("yes/1?a=1".into(), "x?a=2".into()));
    let all = any.replace("MatchAny", "MatchAll");
    assert_eq!(run(&all, "/x?a=1", &[]), "x?a=1");
    let cased = when(r#"<conditions><add input="{REQUEST_METHOD}" pattern="get" ignoreCase="false"/></conditions>"#);
    assert_eq!(run(&cased, "/x", &[]), "x");
}

#[test]
fn rules_follow_one_another() {
    let first = r#"<rule name="1"><match url="^a$"/><action type="Rewrite" url="b"/></rule>"#;
    let second = r#"<rule name="2"><match url="^b$"/><action type="Rewrite" url="c"/></rule>"#;
    assert_eq!(run(&format!("{first}{second}"), "/a", &[]), "c");
    assert_eq!(run(&format!("{}{second}", first.replace("name=", "stopProcessing=\"true\" name=")), "/a", &[]), "b");
    assert_eq!(run(&format!("{}{second}", first.replace("name=", "enabled=\"false\" name=")), "/a", &[]), "a");
    let negated = r#"<rule name="n"><match url="^a$" negate="true"/><action type="Rewrite" url="x"/></rule>"#;
    assert_eq!((run(negated, "/a", &[]), run(negated, "/b", &[])), ("a".into(), "x".into()));
}

#[test]
fn other_endings() {
    let secure = rule(
        "(.*)",
        r#"<conditions><add input="{HTTPS}" pattern="^OFF$"/></conditions>
           <action type="Redirect" url="https://{HTTP_HOST}/{R:1}"/>"#,
    );
    let host = [Field::new(b"host", b"example.com")];
    assert_eq!(run(&secure, "/a/b?c=d", &host), "301 https://example.com/a/b?c=d");
    let found = rule("^old$", r#"<action type="Redirect" url="new" redirectType="Found" appendQueryString="false"/>"#);
    assert_eq!(run(&found, "/old?x", &[]), "302 /new");
    let custom = rule(
        "^no$",
        r#"<action type="CustomResponse" statusCode="403" statusReason="No" statusDescription="Not here"/>"#,
    );
    assert_eq!(run(&custom, "/no", &[]), "403 No Not here");
    assert_eq!(run(&rule("^cut$", r#"<action type="AbortRequest"/>"#), "/cut", &[]), "abort");
}

#[test]
fn no_rule_leads_out_of_the_root() {
    assert_eq!(run(&rewrites("^x/(.*)$", "public/{R:1}"), "/x/a", &[]), "public/a");
    assert_eq!(run(&rewrites("^x$", "../{R:0}"), "/x", &[]), "odd");
    let query = rule(
        ".*",
        r#"<conditions><add input="{QUERY_STRING}" pattern="f=(.*)"/></conditions><action type="Rewrite" url="public/{C:1}" appendQueryString="false"/>"#,
    );
    assert_eq!(run(&query, "/x?f=../../etc/passwd", &[]), "odd");
    // Decoded once, and that was before any rule: this is a name with a percent sign in it.
    assert_eq!(run(&query, "/x?f=..%2f..%2fetc", &[]), "public/..%2f..%2fetc");
    assert_eq!(run(&query, "/x?f=a\\b", &[]), "odd");
}

#[test]
fn an_expensive_pattern_does_not_match() {
    let target = format!("/{}", "a".repeat(4000));
    let long = run(&rewrites(r"^(?=(a+)+$)(a|a)*\1b", "app.js"), &target, &[]);
    assert_eq!(long.len(), 4000);
}

#[test]
fn what_cannot_be_is_said() {
    let said = |rules: &str| read_all(rules).1;
    let proxy = said(&rewrites("(.*)", "http://other:81/{R:1}"));
    assert!(proxy[0].starts_with("error: web.config:2: action: url: another server"), "{proxy:?}");
    assert!(said(&rewrites("(", "a"))[0].contains("match: url: not an expression (\"(\""));
    assert!(said(&rewrites("a", "{Map:{R:1}}"))[0].contains("url: not known ({Map:{R:1}}), allowed: {R:n}"));
    let more =
        said(r#"<rule name="x"><match url="a"/><serverVariables><set name="A" value="b"/></serverVariables></rule>"#);
    assert_eq!(more, ["web.config:2: serverVariables: has no effect here"]);
}
