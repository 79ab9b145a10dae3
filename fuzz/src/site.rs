//! Who answers a request: whatever the rules and the target, nothing hidden or outside of the root is served.

use std::path::Path;
use std::sync::Arc;

use forebay::site::{Decision, Index, Instruction, Kind, Request, Rewriting, Rules, Site, path, read};

/// Files that there are; the ones with `secret` in their name are never to be served.
const FILES: [&str; 9] = [
    "index.html",
    "a.css",
    "public/a.css",
    "public/index.html",
    "web.config",
    "public/.secret",
    "node_modules/secret.js",
    "package.json",
    "logs/secret.txt",
];

/// The first line is the inside of `<system.webServer>`, empty for a native site; each other line is a target.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (inside, targets) = text.split_once('\n').unwrap_or((text, "/"));
    let xml = format!("<system.webServer>{inside}</system.webServer>");
    let rules = match roxmltree::Document::parse(&xml) {
        Ok(document) if !inside.is_empty() => {
            read(&[document.root_element()], "/app".into(), Path::new("web.config")).0
        }
        Ok(_) | Err(_) => None,
    };
    let rules = rules.unwrap_or_else(|| Rules::native("/app".into(), vec!["index.html".into()], None));
    let mut index = Index::default();
    for file in FILES {
        for (at, _) in file.match_indices('/') {
            index.add(&file[..at], Kind::Folder);
        }
        index.add(file, Kind::File);
    }
    let site = Site { rules: Arc::new(rules.hiding(Path::new("/app/logs"))), index: Arc::new(index) };
    let mut work = Rewriting::default();
    for target in targets.lines().take(16) {
        for method in ["GET", "POST"] {
            let request = Request { method, target, https: false, fields: &[] };
            let decision = site.decide(&request, &mut work);
            if let Decision::Origin(instruction) = &decision {
                check(&site, instruction);
            }
            let first = format!("{decision:?}");
            assert_eq!(first, format!("{:?}", site.decide(&request, &mut Rewriting::default())), "{target}");
        }
    }
}

fn check(site: &Site, instruction: &Instruction<'_>) {
    let mut target = String::new();
    instruction.write(&mut target);
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target}");
    assert_eq!(Instruction::read(&target).as_ref(), Some(instruction));
    if let Instruction::File(file) = instruction {
        assert_eq!(site.index.kind(file), Some(Kind::File), "{file}");
        assert!(!site.rules.is_hidden(file) && !file.contains("secret"), "{file}");
        let mut clean = String::new();
        assert!(path::clean(file, &mut clean).is_ok() && clean == **file, "{file}");
    }
}
