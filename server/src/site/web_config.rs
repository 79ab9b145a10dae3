//! The part of a web.config that says who answers what: `<system.webServer>`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use roxmltree::Node;

use super::rewrite;
use super::xml::{Notes, Reader, attribute, elements, named};
use super::{Caching, Handler, Kinds, Rules, handlers, path};

/// What IIS takes for a folder's document where nothing else is configured, as far as a file can be served.
const DEFAULTS: [&str; 3] = ["default.htm", "index.htm", "index.html"];

/// What is known of `<system.webServer>`; for the rest there is a remark. WebSockets need no permission here.
const KNOWN: [&str; 7] =
    ["handlers", "rewrite", "staticContent", "defaultDocument", "security", "iisnode", "webSocket"];

/// Reads all `<system.webServer>` of a file that are about its folder; `root` is that folder, `file` the file's name in
/// messages. No rules where nothing is iisnode's to handle: then all requests are the application's.
#[must_use]
pub fn read(web_servers: &[Node<'_, '_>], root: PathBuf, file: &Path) -> (Option<Rules>, Notes) {
    let mut notes = Notes::default();
    let reader = &mut Reader { file, notes: &mut notes };
    let all = |name| web_servers.iter().flat_map(move |&node| named(node, name));
    let handlers: Vec<Handler> = all("handlers").flat_map(|node| handlers::read(node, reader)).collect();
    let rewrites = all("rewrite").flat_map(|node| rewrite::read(node, reader)).collect();
    let (types, caching) = all("staticContent").last().map_or_else(Default::default, |it| content(it, reader));
    let defaults = defaults(all("defaultDocument").last(), reader);
    let (blocked, bin) = segments(all("security"), reader);
    for node in web_servers {
        others(*node, reader);
    }
    let has_handler = !handlers.is_empty();
    let kinds = Kinds::Iis { rules: rewrites, handlers };
    let rules = Rules { root, kinds, defaults, blocked, hidden: Vec::new(), bin, types, caching };
    (has_handler.then_some(rules), notes)
}

/// Says what of a section is not done.
fn others(web_server: Node<'_, '_>, reader: &mut Reader<'_>) {
    for child in elements(web_server) {
        let name = child.tag_name().name();
        let is_known = KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name));
        // What an application answers passes as it is, always.
        let passes = name.eq_ignore_ascii_case("httpErrors")
            && attribute(child, "existingResponse").is_some_and(|it| it.eq_ignore_ascii_case("PassThrough"));
        if !is_known && !passes {
            reader.remark(child, "has no effect here");
        }
    }
}

/// `<defaultDocument>`
fn defaults(node: Option<Node<'_, '_>>, reader: &mut Reader<'_>) -> Vec<String> {
    let mut names: Vec<String> = DEFAULTS.iter().map(|&name| name.to_owned()).collect();
    let Some(node) = node else { return names };
    if !reader.switch(node, "enabled", true) {
        return Vec::new();
    }
    // Those of the file come before those of the server above it.
    let mut at = 0;
    for child in named(node, "files").flat_map(elements) {
        let value = attribute(child, "value").unwrap_or_default();
        let mut clean = String::new();
        match &*child.tag_name().name().to_ascii_lowercase() {
            "clear" => (names, at) = (Vec::new(), 0),
            "remove" => {
                let before = names.len();
                names.retain(|name| !name.eq_ignore_ascii_case(value));
                at -= (before - names.len()).min(at);
            }
            "add" if path::clean(value, &mut clean).is_ok() && !clean.is_empty() => {
                names.insert(at, clean);
                at += 1;
            }
            "add" => reader.problem(child, format!("value: no name of a file ({value:?})"), ""),
            _ => reader.remark(child, "has no effect here"),
        }
    }
    names
}

/// `<staticContent>`: types by extension, and how long clients may keep files.
fn content(node: Node<'_, '_>, reader: &mut Reader<'_>) -> (Vec<(String, String)>, Caching) {
    let (mut types, mut caching) = (Vec::new(), Caching::Unsaid);
    for child in elements(node) {
        match &*child.tag_name().name().to_ascii_lowercase() {
            "mimemap" => {
                let (extension, mime) = (attribute(child, "fileExtension"), attribute(child, "mimeType"));
                match (extension.filter(|it| it.starts_with('.')), mime.filter(|it| is_mime(it))) {
                    (Some(extension), Some(mime)) => types.push((extension.to_lowercase(), mime.to_owned())),
                    _ => reader.problem(
                        child,
                        "not understood, allowed: fileExtension=\".ext\" and mimeType=\"type/subtype\"",
                        "",
                    ),
                }
            }
            "clientcache" => caching = client_cache(child, reader),
            // There are no types above this file's to be removed: what is said of an extension here holds.
            "remove" | "clear" => {}
            _ => reader.remark(child, "has no effect here"),
        }
    }
    (types, caching)
}

fn is_mime(text: &str) -> bool {
    text.contains('/') && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn client_cache(node: Node<'_, '_>, reader: &mut Reader<'_>) -> Caching {
    match reader.word(node, "cacheControlMode", &["NoControl", "DisableCache", "UseMaxAge", "UseExpires"]) {
        1 => Caching::Never,
        2 => {
            let text = attribute(node, "cacheControlMaxAge").unwrap_or("1.00:00:00");
            time_span(text).map_or_else(
                || {
                    let what = format!("cacheControlMaxAge: not understood ({text:?}), allowed: \"DAYS.HH:MM:SS\"");
                    reader.problem(node, what, "");
                    Caching::Unsaid
                },
                Caching::For,
            )
        }
        3 => {
            reader.remark(node, "UseExpires has no effect here: use UseMaxAge, which clients prefer");
            Caching::Unsaid
        }
        _ => Caching::Unsaid,
    }
}

/// `[DAYS.]HH:MM[:SS]`
fn time_span(text: &str) -> Option<Duration> {
    let (days, time) = text.split_once('.').unwrap_or(("0", text));
    let numbers = time.split(':').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<_>>>()?;
    let (hours, minutes, seconds) = match numbers[..] {
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    let days: u64 = days.parse().ok().filter(|days| *days <= 100_000)?;
    (hours < 24 && minutes < 60 && seconds < 60)
        .then(|| Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
}

/// `<security><requestFiltering><hiddenSegments>`: names that are added, and whether `bin` may be served.
fn segments<'a, 'i: 'a>(
    securities: impl Iterator<Item = Node<'a, 'i>>,
    reader: &mut Reader<'_>,
) -> (Vec<String>, bool) {
    let (mut blocked, mut bin) = (Vec::new(), false);
    for security in securities {
        reader.unknown(security, &["requestFiltering"]);
        for filtering in named(security, "requestFiltering") {
            // The bound on bodies is read with the limits.
            reader.unknown(filtering, &["hiddenSegments", "requestLimits"]);
            for child in named(filtering, "hiddenSegments").flat_map(elements) {
                let segment = attribute(child, "segment").unwrap_or_default();
                match &*child.tag_name().name().to_ascii_lowercase() {
                    "add" if !segment.is_empty() => blocked.push(segment.to_owned()),
                    "remove" if segment.eq_ignore_ascii_case("bin") => bin = true,
                    "remove" if path::is_hidden(segment) => {
                        reader.remark(child, format!("has no effect here: {segment} is never served"));
                    }
                    "remove" => blocked.retain(|own| !own.eq_ignore_ascii_case(segment)),
                    "clear" => {
                        blocked.clear();
                        bin = true;
                    }
                    _ => reader.remark(child, "has no effect here"),
                }
            }
        }
    }
    (blocked, bin)
}
