//! Which paths are the application's script: `<handlers>` of a web.config.

use roxmltree::Node;

use super::xml::{Reader, attribute, elements};

/// A path, with wildcards, that the application answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Folders and a file's name; in lower case.
    path: String,
    /// Methods; none is all.
    verbs: Vec<String>,
}

impl Handler {
    /// A handler for all methods.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self { path: path.trim_start_matches('/').to_lowercase(), verbs: Vec::new() }
    }

    /// Whether a request is for it. What follows the script in a path is the script's own business, as in
    /// `server.js/debug`.
    #[must_use]
    pub fn matches(&self, method: &str, path: &str) -> bool {
        if !self.verbs.is_empty() && !self.verbs.iter().any(|verb| verb == method) {
            return false;
        }
        if self.path == "*" {
            return true;
        }
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.into_iter().any(|end| is_like(self.path.as_bytes(), &path.as_bytes()[..end]))
    }

    /// The bytes of `path` that are the script: up to where what follows it begins.
    #[must_use]
    pub fn script<'p>(&self, path: &'p str) -> Option<&'p str> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.into_iter().map(|end| &path[..end]).find(|script| is_like(self.path.as_bytes(), script.as_bytes()))
    }
}

/// Whether `text` is like a pattern in which `*` is any text and `?` any one byte; letters count as the same in either
/// case. A star does not take part of a path's folders: in IIS too it is about names.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
                continue;
            }
            Some(&byte) if byte == b'?' || byte == text[t].to_ascii_lowercase() => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            Some(_) | None => {}
        }
        match retry {
            Some((star, from)) if text[from] != b'/' => {
                retry = Some((star, from + 1));
                (p, t) = (star + 1, from + 1);
            }
            Some(_) | None => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Reads `<handlers>`: those of iisnode.
pub(super) fn read(node: Node<'_, '_>, reader: &mut Reader<'_>) -> Vec<Handler> {
    let mut handlers = Vec::new();
    for child in elements(node) {
        let name = child.tag_name().name();
        if name.eq_ignore_ascii_case("clear") {
            handlers.clear();
        } else if name.eq_ignore_ascii_case("add") {
            let modules = attribute(child, "modules").unwrap_or_default();
            if modules.split(',').any(|module| module.trim().eq_ignore_ascii_case("iisnode")) {
                handlers.extend(handler(child));
            } else {
                reader.remark(child, "has no effect here: only the module iisnode is known");
            }
        } else if !name.eq_ignore_ascii_case("remove") {
            reader.remark(child, "has no effect here");
        }
    }
    handlers
}

fn handler(node: Node<'_, '_>) -> Option<Handler> {
    // Whoever looks for the script says that there is none.
    let path = attribute(node, "path").map(str::trim).filter(|path| !path.is_empty())?;
    // The backslash is what Markdown made of the star in many a copied example.
    let verbs = attribute(node, "verb").unwrap_or("*").trim_start_matches('\\');
    let verbs: Vec<String> = verbs.split(',').map(|verb| verb.trim().to_uppercase()).collect();
    let all = verbs.iter().any(|verb| verb == "*" || verb.is_empty());
    Some(Handler { verbs: if all { Vec::new() } else { verbs }, ..Handler::new(&path.replace('\\', "/")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_what_follows_them() {
        let table = [
            ("server.js", "server.js", true),
            ("server.js", "Server.JS", true),
            ("server.js", "server.js/debug", true),
            ("server.js", "server.js.logs/0.txt", false),
            ("server.js", "a/server.js", false),
            ("server.js", "", false),
            ("bin/www", "bin/www", true),
            ("bin/www", "bin/www/x/y", true),
            ("bin/www", "bin", false),
            ("/bin/www", "bin/www", true),
            ("*.js", "a.js", true),
            ("*.js", "a/b.js", false),
            ("dist/*.js", "dist/main.js/x", true),
            ("api*", "api", true),
            ("api*", "apiary/x", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "any/thing", true),
            ("*", "", true),
        ];
        for (handler, path, expected) in table {
            assert_eq!(Handler::new(handler).matches("GET", path), expected, "{handler} {path}");
        }
        assert_eq!(Handler::new("server.js").script("server.js/debug/x"), Some("server.js"));
    }

    #[test]
    fn methods() {
        let handler = Handler { verbs: vec!["GET".into()], ..Handler::new("a.js") };
        assert!(handler.matches("GET", "a.js") && !handler.matches("POST", "a.js"));
    }
}
