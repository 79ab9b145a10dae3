//! What `watch.files` says: `*.js`, `node_modules\*.js`, `../shared/**/*.json`.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::plain;

/// Folders that `**` does not go into.
const LEFT_OUT: [&str; 2] = ["node_modules", ".git"];

/// One pattern: a folder, and what is looked for in it.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The last folder before anything that stands for several.
    pub(super) folder: PathBuf,
    /// Whether folders in it are looked into.
    pub(super) is_deep: bool,
    /// Whether those that nobody means are, too.
    is_thorough: bool,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A file of this name.
    File(PathBuf),
    /// What matches, relative to the folder.
    Glob(Box<GlobMatcher>),
}

impl Pattern {
    /// The pattern that a text means in a folder. Separators are `/` and `\`; `*` and `?` stand for part of a name, `**`
    /// for any number of folders, and everything else for itself.
    pub(super) fn new(folder: &Path, text: &str) -> Self {
        let text = text.replace('\\', "/");
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let is_wild = |part: &&str| part.contains(['*', '?']);
        let Some(first) = parts.iter().position(is_wild) else {
            return Self::file(&plain(&folder.join(text)));
        };
        let root = if text.starts_with('/') { "/" } else { "" };
        let base = plain(&folder.join(format!("{root}{}", parts[..first].join("/"))));
        let rest = &parts[first..];
        let glob = rest.iter().map(|part| literal(part)).collect::<Vec<_>>().join("/");
        // All that could be wrong with it was made literal.
        let glob = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(false).build();
        match glob {
            Ok(glob) => Self {
                folder: base,
                is_deep: rest.len() > 1 || rest == ["**"],
                is_thorough: rest.iter().any(|part| LEFT_OUT.contains(part)),
                what: What::Glob(Box::new(glob.compile_matcher())),
            },
            Err(_) => Self::file(&plain(&folder.join(text))),
        }
    }

    /// A single file, absolute.
    pub(super) fn file(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(path).to_path_buf();
        Self { folder, is_deep: false, is_thorough: false, what: What::File(path.to_path_buf()) }
    }

    /// The one file that is meant, if it is one.
    pub(super) fn only(&self) -> Option<&Path> {
        match &self.what {
            What::File(path) => Some(path),
            What::Glob(_) => None,
        }
    }

    /// Whether an absolute path is meant.
    pub(super) fn matches(&self, path: &Path) -> bool {
        match &self.what {
            What::File(file) => file == path,
            What::Glob(glob) => path.strip_prefix(&self.folder).is_ok_and(|rest| glob.is_match(rest)),
        }
    }

    /// Whether a folder in its folder is looked into.
    pub(super) fn goes_into(&self, name: &str) -> bool {
        self.is_deep && (self.is_thorough || !LEFT_OUT.contains(&name))
    }
}

/// Takes their meaning from characters that would have one for a glob: Next.js has files called `[id].js`.
fn literal(part: &str) -> String {
    part.chars().fold(String::new(), |mut out, c| {
        if matches!(c, '[' | ']' | '{' | '}') {
            out.extend(['[', c, ']']);
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        let table: &[(&str, &str, &[&str], &[&str])] = &[
            ("*.js", "/srv/app", &["/srv/app/a.js"], &["/srv/app/lib/a.js", "/srv/app/a.json", "/srv/a.js"]),
            (r"node_modules\*.js", "/srv/app/node_modules", &["/srv/app/node_modules/part.js"], &["/srv/app/part.js"]),
            ("idontexist/*", "/srv/app/idontexist", &["/srv/app/idontexist/x"], &["/srv/app/x"]),
            ("../shared/?.json", "/srv/shared", &["/srv/shared/a.json"], &["/srv/shared/ab.json"]),
            ("./iisnode.yml", "/srv/app", &["/srv/app/iisnode.yml"], &["/srv/app/iisnode_yml"]),
            ("/etc/app/*.yml", "/etc/app", &["/etc/app/x.yml"], &["/srv/app/x.yml"]),
            ("**/*.ts", "/srv/app", &["/srv/app/a.ts", "/srv/app/b/c/a.ts"], &["/srv/app/a.tsx"]),
            ("lib/**", "/srv/app/lib", &["/srv/app/lib/a", "/srv/app/lib/b/c"], &["/srv/app/a"]),
            ("pages/*[id].{js}", "/srv/app/pages", &["/srv/app/pages/x[id].{js}"], &["/srv/app/pages/xi.js"]),
        ];
        for (text, folder, yes, no) in table {
            let pattern = Pattern::new(Path::new("/srv/app"), text);
            assert_eq!(pattern.folder, Path::new(folder), "{text}");
            assert!(yes.iter().all(|path| pattern.matches(Path::new(path))), "{text} means {yes:?}");
            assert!(!no.iter().any(|path| pattern.matches(Path::new(path))), "{text} does not mean {no:?}");
        }
    }

    #[test]
    fn only_deep_patterns_go_into_folders_and_not_into_all() {
        let goes = |text: &str, name: &str| Pattern::new(Path::new("/srv/app"), text).goes_into(name);
        assert!(!goes("*.js", "lib") && !goes("node_modules/*.js", "part"));
        assert!(goes("**/*.js", "lib") && !goes("**/*.js", "node_modules") && !goes("**", ".git"));
        assert!(goes("**/node_modules/*.js", "node_modules") && goes("node_modules/**", "part"));
        assert!(goes("*/x.js", "lib"));
    }
}
