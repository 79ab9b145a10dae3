//! Which configuration the command line means: a forebay.toml, the files of iisnode, or none.

use std::path::{Path, PathBuf};

use super::error::{Origin, Problem, Remark};
use super::iisnode::{self, Place, Profile};
use super::resolve::Sources;

/// The name a configuration file is looked for by.
const FILE_NAME: &str = "forebay.toml";

/// What the command line means.
#[derive(Debug, Default)]
pub(super) struct Meant {
    /// A forebay.toml, as it was named or found.
    pub(super) toml: Option<PathBuf>,
    /// Or a folder of iisnode's.
    pub(super) iisnode: Option<Place>,
    /// What is left of APP.
    pub(super) app: Option<PathBuf>,
    /// What is worth knowing about the choice.
    pub(super) remark: Option<Remark>,
}

/// The files that the command line means. A forebay.toml wins over a web.config beside it.
pub(super) fn configuration_file(sources: &Sources) -> Result<Meant, Problem> {
    let app = sources.app.clone();
    let is_config = |path: &PathBuf| {
        path.extension().is_some_and(|extension| ["toml", "config", "yml"].iter().any(|it| extension == *it))
    };
    let named = match (&sources.config, app.as_ref().filter(|app| is_config(app))) {
        (Some(_), Some(_)) => {
            return Err(Problem::new(Origin::Flag("APP"), "", "two configuration files (APP and --config)")
                .hint("leave one of them out"));
        }
        (Some(config), None) => Some((config.clone(), app.clone())),
        (None, Some(file)) => Some((file.clone(), None)),
        (None, None) => None,
    };
    if let Some((file, app)) = named {
        let is_iisnodes = file.extension().is_some_and(|extension| extension != "toml") && is_config(&file);
        let place = is_iisnodes.then(|| Place::named(&sources.cwd.join(&file), &file));
        return Ok(match place {
            Some(place) => Meant { iisnode: Some(place), app, ..Meant::default() },
            None => Meant { toml: Some(file), app, ..Meant::default() },
        });
    }
    let folder = app.clone().unwrap_or_default();
    let near = folder.join(FILE_NAME);
    // Joined with nothing, a path would end in a separator.
    let absolute = if folder.as_os_str().is_empty() { sources.cwd.clone() } else { sources.cwd.join(&folder) };
    let place = Place::find(&absolute, &folder).filter(|_| iisnode::asked(sources) != Some(Profile::Native));
    Ok(match (sources.cwd.join(&near).is_file(), place) {
        (true, place) => {
            let remark = place.map(|place| Remark::new(Origin::Default, place.passed_over(&near)));
            Meant { toml: Some(near), app, remark, ..Meant::default() }
        }
        // The folder is where the handler's script is looked for.
        (false, Some(place)) => Meant { iisnode: Some(place), ..Meant::default() },
        (false, None) => Meant { app, ..Meant::default() },
    })
}

/// The folder that relative paths of `file` start from.
pub(super) fn base(cwd: &Path, file: Option<&Path>) -> PathBuf {
    let file = file.map(|file| cwd.join(file));
    file.as_deref().and_then(Path::parent).unwrap_or(cwd).to_owned()
}
