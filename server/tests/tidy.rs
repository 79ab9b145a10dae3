//! The habits of this workspace that neither the compiler nor clippy checks: layers, lengths, words, documents.
#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines beyond which a file wants to be two.
const FILE_LINES_MAX: usize = 500;

/// Longer files, with the reason.
const LONG_FILES: &[(&str, &str)] =
    &[("server/tests/supervisor.rs", "scenarios that share one harness and one node program")];

/// Folders that hold nothing of ours, or data.
const SKIPPED: &[&str] = &["target", "node_modules", "corpus", "artifacts", "coverage", "snapshots"];

/// Where the server may ask which system it runs on, with the reason. The data plane may not.
const PLATFORM: &[(&str, &str)] = &[
    ("server/src/run/mod.rs", "chooses the engine"),
    ("server/src/spawn/", "makes and ends processes"),
    ("server/src/signals/", "what the operator says"),
    ("server/src/service/", "the system's service manager"),
];

/// Settings that nothing reads yet, with the reason. Empty is the aim.
const UNREAD: &[(&str, &str)] = &[];

struct Source {
    /// From the root, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_test(&self) -> bool {
        ["/tests/", "/tests.rs", "/laws.rs", "/test/"].iter().any(|part| self.path.contains(part))
    }

    /// Lines with their numbers, without what follows `//` in them.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let strip = |line: &'_ str| line.find("//").map_or(line.len(), |at| at);
        (1..).zip(self.text.lines()).map(move |(number, line)| (number, &line[..strip(line)]))
    }

    /// Where the module of unit tests begins; one past the end without one.
    fn tests_from(&self) -> usize {
        if self.is_test() {
            return 1;
        }
        let begins = |(_, line): &(usize, &str)| line.starts_with("#[cfg(test)]");
        (1..).zip(self.text.lines()).find(begins).map_or(usize::MAX, |(number, _)| number)
    }

    /// The code that is not a test.
    fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.tests_from();
        self.code().take_while(move |(number, _)| *number < end)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn walk(folder: &Path, ends: &[&str], found: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&&*name) && (!name.starts_with('.') || name == ".ci") {
                walk(&path, ends, found);
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            let shown = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            found.push(Source { path: shown, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

fn files(ends: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), ends, &mut found);
    assert!(!found.is_empty());
    found
}

fn sources() -> Vec<Source> {
    files(&[".rs", ".js", ".cjs", ".mjs"])
}

fn below<'a>(sources: &'a [Source], folder: &'a str) -> impl Iterator<Item = &'a Source> {
    sources.iter().filter(move |source| source.path.starts_with(folder))
}

/// Fails with everything that was found, one line each.
fn verdict(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The names in the tables of a manifest whose heads `wanted` accepts.
fn dependencies(manifest: &str, wanted: fn(&str) -> bool) -> Vec<String> {
    let (mut names, mut inside) = (Vec::new(), false);
    for line in read(manifest).lines() {
        if let Some(head) = line.strip_prefix('[') {
            inside = wanted(head.trim_end_matches(']'));
        } else if inside && let Some((name, _)) = line.split_once(['=', '.']) {
            names.extend((!name.starts_with('#')).then(|| name.trim().to_owned()));
        }
    }
    names
}

fn of_product(table: &str) -> bool {
    table.ends_with("dependencies") && !table.ends_with("dev-dependencies")
}

#[test]
fn packages_depend_downwards() {
    let ours = |package: &str| -> Vec<String> {
        let manifest = format!("{package}/Cargo.toml");
        dependencies(&manifest, of_product).into_iter().filter(|name| name.starts_with("forebay")).collect()
    };
    assert_eq!(ours("core"), Vec::<String>::new());
    assert_eq!(ours("transports"), ["forebay-core"]);
    assert_eq!(ours("server"), ["forebay-core", "forebay-transports"]);
    for leaf in ["forebay-benches", "forebay-fuzz"] {
        for package in ["core", "transports", "server", "benches", "fuzz"] {
            let all = dependencies(&format!("{package}/Cargo.toml"), |table| table.ends_with("dependencies"));
            assert!(!all.iter().any(|name| name == leaf), "{package} depends on {leaf}, which is a leaf");
        }
    }
}

/// A build at the root unites the features that any package asks for: what is for tests alone would be in the server.
#[test]
fn what_ships_has_no_features_of_its_own() {
    for package in ["core", "transports", "server"] {
        let manifest = read(&format!("{package}/Cargo.toml"));
        assert!(!manifest.contains("[features]") && !manifest.contains("optional = true"), "{package}");
    }
}

#[test]
fn sources_name_only_what_is_below_them() {
    let sources = sources();
    let mut found = Vec::new();
    let mut refuse = |folder: &str, words: &[&str], except: &str| {
        for source in below(&sources, folder).filter(|source| source.is_rust() && source.path != except) {
            for (number, line) in source.product() {
                for word in words.iter().filter(|word| line.contains(**word)) {
                    found.push(format!("{}:{number}: `{word}` is not for {folder}", source.path));
                }
            }
        }
    };
    refuse("core/src/", &["forebay_transports", "forebay::", "monoio", "compio", "libc::", "rustix"], "");
    let world =
        ["std::io", "std::net", "std::fs", "std::thread", "std::time", "std::process", "std::env", "Instant::now"];
    refuse("core/src/", &world, "");
    refuse("transports/src/", &["forebay::"], "");
    refuse("server/src/", &["monoio::", "compio::", "io_uring::"], "server/src/run/mod.rs");
    verdict(&found);
    assert!(read("core/src/lib.rs").contains("no_std)]"), "being no_std is what proves that the core touches nothing");
}

#[test]
fn few_places_know_the_system() {
    let sources = sources();
    let mut found = Vec::new();
    let systems = ["unix", "windows", "target_os", "target_family"];
    for source in below(&sources, "server/src/").filter(|source| source.is_rust()) {
        if PLATFORM.iter().any(|(path, _)| source.path == *path || path.ends_with('/') && source.path.starts_with(path))
        {
            continue;
        }
        for (number, line) in source.code() {
            if line.contains("cfg(") && systems.iter().any(|system| line.contains(system)) {
                found.push(format!("{}:{number}: the seam, or a file of PLATFORM, is the place for this", source.path));
            }
        }
    }
    verdict(&found);
}

#[test]
fn files_are_short() {
    let mut lengths = BTreeMap::new();
    for source in sources() {
        lengths.insert(source.text.lines().count(), source.path);
    }
    let mut sorted: Vec<usize> = sources().iter().map(|source| source.text.lines().count()).collect();
    sorted.sort_unstable();
    println!("{} files, median {} lines, longest:", sorted.len(), sorted[sorted.len() / 2]);
    for (lines, path) in lengths.iter().rev().take(10) {
        println!("{lines:5} {path}");
    }
    let is_listed = |path: &str| LONG_FILES.iter().any(|(long, _)| *long == path);
    let mut found: Vec<String> = sources()
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, path)| *lines > FILE_LINES_MAX && !is_listed(path))
        .map(|(lines, path)| format!("{path}: {lines} lines; split it, or give LONG_FILES a reason"))
        .collect();
    for (path, _) in LONG_FILES {
        let lines = read(path).lines().count();
        if lines <= FILE_LINES_MAX {
            found.push(format!("{path}: {lines} lines; take it off LONG_FILES"));
        }
    }
    verdict(&found);
}

#[test]
fn files_say_what_they_are() {
    let mut found = Vec::new();
    for source in sources() {
        let mut lines = source.text.lines().skip_while(|line| line.starts_with("#!/"));
        let first = lines.next().unwrap_or_default();
        let opening = if source.is_rust() { &["//! "][..] } else { &["// ", "/** "] };
        let sentence = opening.iter().find_map(|mark| first.strip_prefix(mark));
        if sentence.is_none_or(|words| words.split(' ').count() < 2) {
            found.push(format!("{}:1: opens with {first:?}, not with a sentence about the file", source.path));
        }
    }
    verdict(&found);
}

#[test]
fn nothing_is_left_over() {
    // Put together here, so that this file does not find itself.
    let words = [["to", "do!("], ["unimple", "mented!("], ["d", "bg!("], ["#[al", "low("], ["#![al", "low("]]
        .map(|p| p.concat());
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_rust()) {
        for (number, line) in source.code() {
            for word in words.iter().filter(|word| line.contains(&***word)) {
                found.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    verdict(&found);
}

#[test]
fn tests_do_not_sleep() {
    let mut found = Vec::new();
    let nap = ["thread::sl", "eep("].concat();
    for source in sources().iter().filter(|source| source.is_rust()) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.code().filter(|(number, _)| *number >= source.tests_from()) {
            // A pause between two looks, of which the last one is bounded, is no sleep.
            let near = lines[number.saturating_sub(6)..(number + 4).min(lines.len())].concat().to_lowercase();
            if line.contains(&nap) && !near.contains("deadline") && !near.contains("patience") {
                found.push(format!("{}:{number}: wait for what you expect, with a deadline", source.path));
            }
        }
    }
    verdict(&found);
}

#[test]
fn nothing_depends_on_one_machine() {
    let folders =
        [["/wo", "rk/"], ["/ho", "me/"], ["/ro", "ot/"], ["/Use", "rs/"], ["C:\\\\Use", "rs"]].map(|p| p.concat());
    let mut found = Vec::new();
    let ends = [".rs", ".js", ".cjs", ".mjs", ".md", ".toml", ".json", ".yml", ".snap", "run"];
    for source in files(&ends).iter().filter(|source| !source.path.ends_with("package-lock.json")) {
        for (number, line) in (1..).zip(source.text.lines()) {
            for folder in folders.iter().filter(|folder| line.contains(&***folder)) {
                found.push(format!("{}:{number}: {folder} is a folder of one machine", source.path));
            }
        }
    }
    verdict(&found);
}

#[test]
fn every_limit_is_read() {
    let sources = sources();
    let readers: Vec<&Source> =
        below(&sources, "server/src/").filter(|s| s.path.contains("/shard/") || s.path.contains("/run/")).collect();
    let declared = read("core/src/limits.rs");
    let fields = fields(&declared, "Limits");
    assert!(fields.len() > 10, "the struct was not understood");
    let found: Vec<String> = fields
        .iter()
        .filter(|field| !reads(&readers, &format!("limits.{field}")))
        .map(|field| format!("core/src/limits.rs: no shard reads `{field}`"))
        .collect();
    verdict(&found);
}

#[test]
fn every_setting_is_read() {
    let sources = sources();
    // Neither the command line, where settings come from, nor the list of what a reload cannot change reads one.
    let is_reader = |s: &&Source| s.is_rust() && !s.path.contains("/config/") && !s.path.ends_with("/cli.rs");
    let uses = |s: &Source| s.text.split("fn needs_restart(").next().unwrap_or_default().to_owned();
    let readers: Vec<Source> = below(&sources, "server/src/")
        .filter(is_reader)
        .map(|source| Source { path: source.path.clone(), text: uses(source) })
        .collect();
    let readers: Vec<&Source> = readers.iter().collect();
    let declared = read("server/src/config/mod.rs");
    let structs = [
        "Config",
        "Launch",
        "WorkersConfig",
        "ShardsConfig",
        "ForwardingConfig",
        "AccessLogConfig",
        "LogConfig",
        "AppLogConfig",
        "ResponseConfig",
        "ErrorsConfig",
        "WatchConfig",
        "SiteConfig",
        "DebuggerConfig",
    ];
    let mut found = Vec::new();
    for name in structs {
        let fields = fields(&declared, name);
        assert!(!fields.is_empty(), "struct {name} was not found");
        for field in fields {
            let is_read = reads(&readers, &format!(".{field}"));
            let is_excused = UNREAD.iter().any(|(unread, _)| *unread == field);
            match (is_read, is_excused) {
                (false, false) => found.push(format!("server/src/config/mod.rs: nothing reads {name}.{field}")),
                (true, true) => found.push(format!("{name}.{field} is read: take it off UNREAD")),
                (true, false) | (false, true) => {}
            }
        }
    }
    verdict(&found);
}

/// The public fields of a struct, as rustfmt writes them.
fn fields<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let Some((_, body)) = text.split_once(&format!("pub struct {name} {{\n")) else { return Vec::new() };
    let body = body.split("\n}").next().unwrap_or_default();
    body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next()).collect()
}

/// Whether the product's code has `words`, not as the beginning of a longer name.
fn reads(readers: &[&Source], words: &str) -> bool {
    let continues = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '(');
    readers
        .iter()
        .flat_map(|source| source.product())
        .any(|(_, line)| line.match_indices(words).any(|(at, _)| !continues(&line[at + words.len()..])))
}

#[test]
fn every_dependency_has_its_reason() {
    let decisions = read("DECISIONS.md");
    let mut names = dependencies("Cargo.toml", |table| table == "workspace.dependencies");
    for package in ["core", "transports", "server", "benches", "fuzz"] {
        names.extend(dependencies(&format!("{package}/Cargo.toml"), |table| table.ends_with("dependencies")));
    }
    names.sort();
    names.dedup();
    let found: Vec<String> = names
        .iter()
        .filter(|name| !name.starts_with("forebay"))
        .filter(|name| !decisions.lines().any(|line| line.starts_with("- ") && line.contains(&format!("`{name}`"))))
        .map(|name| format!("DECISIONS.md: no line about `{name}`"))
        .collect();
    verdict(&found);
}

#[test]
fn links_lead_somewhere() {
    let mut found = Vec::new();
    for source in files(&[".md"]) {
        let folder = root().join(&source.path).parent().unwrap().to_owned();
        for (number, line) in (1..).zip(source.text.lines()) {
            let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
                let file = link.split('#').next().unwrap_or_default();
                if !folder.join(file).exists() {
                    found.push(format!("{}:{number}: {link} does not exist", source.path));
                }
            }
        }
    }
    verdict(&found);
}

#[test]
fn documents_name_files_that_exist() {
    let paths: Vec<String> = sources().into_iter().map(|source| format!("/{}", source.path)).collect();
    let mut found = Vec::new();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "DECISIONS.md", "README.md", "fuzz/README.md"] {
        for (number, line) in (1..).zip(read(document).lines()) {
            let words = line.split('`').skip(1).step_by(2);
            for name in words.filter(|word| word.ends_with(".rs") || word.ends_with(".cjs")) {
                if !paths.iter().any(|path| path.ends_with(&format!("/{name}"))) {
                    found.push(format!("{document}:{number}: there is no {name}"));
                }
            }
        }
    }
    verdict(&found);
}

#[test]
fn the_two_planes_know_each_other_by_the_bulletin_only() {
    let sources = sources();
    let mut found = Vec::new();
    for (plane, other) in [("server/src/shard", "supervisor"), ("server/src/supervisor", "shard")] {
        for source in below(&sources, plane) {
            for (number, line) in source.product().filter(|(_, line)| line.contains(&format!("crate::{other}"))) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    for source in below(&sources, "server/src/shard") {
        for (number, line) in source.product() {
            let blocking = ["std::fs", "std::process", "std::thread", "std::net::Tcp", "Mutex", "RwLock", "std::env"];
            for word in blocking.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{number}: `{word}` is not for the data plane", source.path));
            }
        }
    }
    verdict(&found);
}
