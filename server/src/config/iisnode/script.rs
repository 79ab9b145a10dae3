//! Which script the handlers of a web.config make the application.

use std::path::{Path, PathBuf};

use super::super::error::{Origin, Problem};
use super::Remark;
use super::web_config::Handler;
use crate::app;

/// The script that was chosen, and the handler that names it.
#[derive(Debug)]
pub(super) struct Choice {
    /// Absolute, if the folder is.
    pub(super) script: PathBuf,
    pub(super) origin: Origin,
    pub(super) buffer_limit: Option<u64>,
}

/// The application of `folder`: the first handler that names a script; else, of those a pattern matches, the one that
/// has an application's usual name, or the only one. None without handlers.
///
/// # Errors
/// Patterns, but no script that they could mean.
pub(super) fn choose(
    folder: &Path,
    handlers: &[Handler],
    remarks: &mut Vec<Remark>,
) -> Result<Option<Choice>, Problem> {
    let chosen = |handler: &Handler, script: PathBuf| Choice {
        script,
        origin: handler.origin.clone(),
        buffer_limit: handler.buffer_limit,
    };
    let named = handlers.iter().filter(|handler| !is_pattern(&handler.path));
    let found = named.clone().map(|handler| (handler, folder.join(&handler.path))).find(|(_, script)| script.is_file());
    if let Some((handler, script)) = found {
        for other in handlers.iter().filter(|other| other.path != handler.path && !is_pattern(&other.path)) {
            let text = format!("handlers: {} is not run, since {} is; a server runs one", other.path, handler.path);
            remarks.push(Remark::new(other.origin.clone(), text));
        }
        return Ok(Some(chosen(handler, script)));
    }
    if let Some(handler) = named.clone().next() {
        // Upstream, too, serves on, and answers with 404.
        let hint = match app::usual_script(folder) {
            Some(near) => format!("there is {}: name that one", file_name(&near)),
            None => "was it built? a path is relative to web.config".to_owned(),
        };
        let text = format!("handlers: no such script ({}), requests get 404 until it is there; {hint}", handler.path);
        remarks.push(Remark::new(handler.origin.clone(), text));
        return Ok(Some(chosen(handler, folder.join(&handler.path))));
    }
    let Some(handler) = handlers.first() else { return Ok(None) };
    let (place, pattern) = handler.path.rsplit_once('/').unwrap_or(("", &handler.path));
    let place = folder.join(place);
    let matching = matching(&place, pattern);
    let usual = app::usual_script(&place).filter(|usual| matching.contains(usual));
    match (usual, matching.as_slice()) {
        (Some(script), _) => {
            let text =
                format!("handlers: {} stands for {}; a server runs one script", handler.path, file_name(&script));
            remarks.push(Remark::new(handler.origin.clone(), text));
            Ok(Some(chosen(handler, script)))
        }
        (None, [only]) => Ok(Some(chosen(handler, only.clone()))),
        (None, several) => {
            let what = match several {
                [] => format!("no script ({}), allowed: one that exists", handler.path),
                _ => format!("{} scripts ({}), allowed: one", several.len(), handler.path),
            };
            Err(Problem::new(handler.origin.clone(), "handlers", what)
                .hint("name the script, as in path=\"server.js\""))
        }
    }
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?'])
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The scripts in a folder that a pattern matches, in the order of their names.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries
        .filter(|path| {
            path.is_file() && app::is_script(path) && matches(pattern.as_bytes(), file_name(path).as_bytes())
        })
        .collect();
    found.sort();
    found
}

/// Whether `*` and `?` of a pattern can stand for what is there; upper and lower case are the same, as in IIS.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, name) || name.split_first().is_some_and(|(_, name)| matches(pattern, name))
        }
        (Some((p, pattern)), Some((n, name))) => (*p == b'?' || p.eq_ignore_ascii_case(n)) && matches(pattern, name),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(files: &[&str], handlers: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let handler = |(line, path): (usize, &&str)| Handler {
            path: (*path).to_owned(),
            origin: Origin::File { path: "web.config".into(), line },
            buffer_limit: None,
        };
        let handlers: Vec<_> = (1..).zip(handlers).map(handler).collect();
        let mut remarks = Vec::new();
        let choice = choose(folder.path(), &handlers, &mut remarks);
        let told = match choice {
            Ok(None) => "none".to_owned(),
            Ok(Some(choice)) => choice.script.strip_prefix(folder.path()).unwrap().display().to_string(),
            Err(problem) => problem.what,
        };
        format!("{told}, {} remarks", remarks.len())
    }

    #[test]
    fn the_first_script_that_is_named_and_there_is_run() {
        assert_eq!(chosen(&["hello.js"], &["hello.js"]), "hello.js, 0 remarks");
        assert_eq!(chosen(&["bin/www", "x.js"], &["bin/www", "x.js"]), "bin/www, 1 remarks");
        assert_eq!(chosen(&["b.js"], &["a.js", "b.js"]), "b.js, 1 remarks");
        assert_eq!(chosen(&["server.js"], &["a.js"]), "a.js, 1 remarks", "it is not there yet");
        assert_eq!(chosen(&["server.js"], &[]), "none, 0 remarks");
    }

    #[test]
    fn a_pattern_stands_for_the_usual_name_or_the_only_one() {
        assert_eq!(chosen(&["a.js", "app.js"], &["*.js"]), "app.js, 1 remarks");
        assert_eq!(chosen(&["a.js", "a.txt"], &["*"]), "a.js, 0 remarks");
        assert_eq!(chosen(&["a.js", "b.js"], &["*.js"]), "2 scripts (*.js), allowed: one, 0 remarks");
        assert_eq!(chosen(&["a.txt"], &["*.js"]), "no script (*.js), allowed: one that exists, 0 remarks");
        assert_eq!(chosen(&["web/A.JS"], &["web/?.js"]), "no script (web/?.js), allowed: one that exists, 0 remarks");
        let found = chosen(&["web/index.js"], &["web/in*.js"]);
        assert_eq!(found.replace('\\', "/"), "web/index.js, 1 remarks");
    }
}
