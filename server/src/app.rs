//! From what the operator named to the command that a worker runs.
//!
//! A script runs as it is. In a folder, the first of these decides: `scripts.start` of package.json, because
//! `npm start` is what people deploy; its `main`; then server, app or index with the extension of a script. A start
//! script of the plain form `node [flags] file` runs without a shell in between, so that the worker is node itself:
//! it gets the signals, and its exit status is the worker's. Anything else runs through a shell.
//!
//! Nothing here starts the application or writes a file; [`assets`] does, once the server starts.

pub mod assets;
pub mod attach;
pub mod node;
mod package;
mod start_script;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{AppSettings, Launch, Origin, Problem, plain};
use crate::spawn;
use node::Node;
use package::Package;
use start_script::StartScript;

/// The extensions of scripts that node runs.
const EXTENSIONS: [&str; 6] = ["js", "cjs", "mjs", "ts", "mts", "cts"];

/// The names an application's script has in a folder that does not say.
const USUAL_NAMES: [&str; 3] = ["server", "app", "index"];

/// What is known when an application is looked for.
#[derive(Debug)]
pub struct AppRequest<'a> {
    /// What `[app]` and the command line say.
    pub settings: &'a AppSettings,
    /// Where `app.script` was named.
    pub origin: &'a Origin,
    /// Where to look if it was not: the configuration file's folder, or the current one. Absolute.
    pub folder: &'a Path,
    /// Whether a script that was named may be missing: its workers will say so, and clients get what that is called.
    pub may_be_missing: bool,
    /// Whether the built-in demo stands in for an application that was not named and is not there.
    pub demo_allowed: bool,
    /// Where the demo will be written.
    pub runtime_dir: &'a Path,
    /// The node that runs it.
    pub node: &'a Node,
    /// `PATH` of this process.
    pub path: Option<&'a OsStr>,
}

/// Finds the command.
///
/// # Errors
/// What is missing or malformed, with a hint. All of it is for the operator to put right.
pub fn resolve(request: &AppRequest<'_>) -> Result<Launch, Problem> {
    let named = request.settings.script.as_deref();
    let target = named.unwrap_or(request.folder);
    let is_folder = match std::fs::metadata(target) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_some() && request.may_be_missing => false,
        Err(error) => return Err(request.unreadable(target, &error)),
    };
    let mut launch = if !is_folder {
        request.script(target)?
    } else if let Some(launch) = request.application_in(target)? {
        launch
    } else if named.is_none() && request.demo_allowed {
        request.demo()
    } else {
        return Err(request
            .wrong(format!("no application found ({})", target.display()))
            .hint("name a script, or give its package.json a \"main\" or a \"start\" script"));
    };
    if let Some(cwd) = &request.settings.cwd {
        if !cwd.is_dir() {
            return Err(Problem::new(Origin::Default, "app.cwd", format!("no folder ({})", cwd.display())));
        }
        launch.cwd.clone_from(cwd);
    }
    let env = request.settings.env.iter().map(|(name, value)| (name.into(), value.into()));
    launch.env.splice(0..0, env);
    Ok(launch)
}

impl Launch {
    /// Of a server that runs no application, since it does not know which.
    pub(crate) fn nothing(folder: &Path, node: &Node) -> Self {
        Self {
            program: node.path.clone(),
            args: Vec::new(),
            cwd: folder.to_owned(),
            env: Vec::new(),
            indirect: false,
            title: "no application".to_owned(),
        }
    }
}

impl AppRequest<'_> {
    fn wrong(&self, what: String) -> Problem {
        Problem::new(self.origin.clone(), "app.script", what)
    }

    fn unreadable(&self, path: &Path, error: &io::Error) -> Problem {
        if error.kind() != io::ErrorKind::NotFound {
            return self.wrong(format!("cannot be read ({}: {})", path.display(), plain(error)));
        }
        let problem = self.wrong(format!("does not exist ({})", path.display()));
        match existing_script(path) {
            Some(near) => problem.hint(format!("did you mean {}?", near.display())),
            None => problem.hint("name a script, a folder with an application, or a forebay.toml"),
        }
    }

    fn application_in(&self, folder: &Path) -> Result<Option<Launch>, Problem> {
        // Says what is wrong with a folder that may be entered but not read.
        std::fs::read_dir(folder).map_err(|error| self.unreadable(folder, &error))?;
        if let Some(package) = Package::read(folder)? {
            if let Some(line) = &package.start {
                return self.start_script(folder, &package, line).map(Some);
            }
            if let Some(main) = &package.main {
                return self.main(folder, &package, main).map(Some);
            }
            if usual_script(folder).is_none() {
                let what = "neither scripts.start nor main, and no server.js, app.js or index.js beside it";
                let origin = Origin::File { path: package.path.clone(), line: 1 };
                return Err(Problem::new(origin, "", what).hint("add \"main\": \"your-script.js\", or name the script"));
            }
        }
        usual_script(folder).map(|script| self.script(&script)).transpose()
    }

    fn main(&self, folder: &Path, package: &Package, main: &str) -> Result<Launch, Problem> {
        let path = folder.join(main);
        if let Some(script) = existing_script(&path) {
            return self.node_script(&[], &script, &[], folder, None);
        }
        let origin = Origin::File { path: package.path.clone(), line: package.line_of("main") };
        let problem = Problem::new(origin, "main", format!("does not exist ({main})"));
        Err(match usual_script(folder) {
            Some(near) => problem.hint(format!("there is {}: name that one", shown(&near, folder))),
            None => problem.hint("was it built? a path is relative to package.json"),
        })
    }

    fn script(&self, script: &Path) -> Result<Launch, Problem> {
        let folder = script.parent().unwrap_or(Path::new("/"));
        let home = folder.ancestors().find(|folder| folder.join("package.json").is_file()).unwrap_or(folder);
        self.node_script(&[], script, &[], home, None)
    }

    fn node_script(
        &self,
        flags: &[String],
        script: &Path,
        args: &[String],
        cwd: &Path,
        title: Option<String>,
    ) -> Result<Launch, Problem> {
        // A file without an extension is fine: bin/www of many an Express application.
        let extension = script.extension().and_then(OsStr::to_str).unwrap_or("js");
        if !EXTENSIONS.contains(&extension) {
            let what = format!("not a script ({}), allowed: .{}", script.display(), EXTENSIONS.join(", ."));
            return Err(self.wrong(what));
        }
        let own = &self.settings.node_args;
        let mut all: Vec<OsString> = own.iter().chain(flags).map(OsString::from).collect();
        if extension.ends_with("ts") && !loads_something(&all) {
            all.extend(self.node.type_stripping().map_err(|what| {
                self.wrong(format!("{what} ({})", script.display()))
                    .hint("use node 22.18 or newer, build to JavaScript, or load a compiler with app.node_args")
            })?);
        }
        // Without the "." of "./server.js": it is shown, and compared by those who look at argv.
        let script: PathBuf = script.components().collect();
        all.push(script.as_os_str().to_owned());
        all.extend(args.iter().chain(&self.settings.args).map(OsString::from));
        Ok(Launch {
            program: self.node.path.clone(),
            args: all,
            cwd: cwd.to_owned(),
            env: Vec::new(),
            indirect: false,
            title: title.unwrap_or_else(|| shown(&script, cwd)),
        })
    }

    fn start_script(&self, folder: &Path, package: &Package, line: &str) -> Result<Launch, Problem> {
        let title = format!("npm start ({line})");
        let parsed = StartScript::parse(line, |file| node_target(&folder.join(file)).is_some());
        let (mut launch, assignments) = match parsed {
            StartScript::Node { env, flags, file, args } => {
                let Some(script) = node_target(&folder.join(&file)) else {
                    let origin = Origin::File { path: package.path.clone(), line: package.line_of("start") };
                    return Err(Problem::new(origin, "scripts.start", format!("runs what does not exist ({file})"))
                        .hint("was it built? `npm run build` first, or name the script"));
                };
                (self.node_script(&flags, &script, &args, folder, Some(title))?, env)
            }
            StartScript::Shell { env, line } => (self.shell(folder, &line, title)?, env),
        };
        launch.env.extend(package.npm_env());
        launch.env.extend(bin_path(folder, self.path));
        // As in a shell, an assignment of the script wins over the environment, [app.env] included.
        launch.env.extend(assignments.into_iter().map(|(name, value)| (name.into(), value.into())));
        Ok(launch)
    }

    fn shell(&self, folder: &Path, line: &str, title: String) -> Result<Launch, Problem> {
        if !self.settings.node_args.is_empty() {
            let what = "no node to give them to: scripts.start is run by a shell".to_owned();
            return Err(Problem::new(Origin::Default, "app.node_args", what)
                .hint("set NODE_OPTIONS in [app.env], or name the script"));
        }
        let mut line = line.to_owned();
        for arg in &self.settings.args {
            line.push(' ');
            line.push_str(&start_script::quoted(arg));
        }
        let (program, args) = spawn::shell(&line);
        Ok(Launch { program, args, cwd: folder.to_owned(), env: Vec::new(), indirect: true, title })
    }

    fn demo(&self) -> Launch {
        let mut args: Vec<OsString> = self.settings.node_args.iter().map(OsString::from).collect();
        args.push(self.runtime_dir.join(assets::DEMO_FILE).into());
        Launch {
            program: self.node.path.clone(),
            args,
            cwd: self.runtime_dir.to_owned(),
            env: Vec::new(),
            indirect: false,
            title: "built-in demo".to_owned(),
        }
    }
}

/// Whether node's own arguments bring a loader, which may compile TypeScript.
fn loads_something(args: &[OsString]) -> bool {
    let loads = ["--import", "--loader", "--experimental-loader", "--require", "-r", "--experimental-strip-types"];
    args.iter().filter_map(|arg| arg.to_str()).any(|arg| loads.contains(&arg.split('=').next().unwrap_or(arg)))
}

/// The file that node would run for `path`: itself, with an extension, or the index of a folder.
fn existing_script(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    let with = |path: &Path, extension: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(extension);
        Some(PathBuf::from(name)).filter(|file| file.is_file())
    };
    // "dist/" and "." name a folder; with an extension behind they would name a hidden file.
    let names_file = path.file_name().is_some() && !path.to_string_lossy().ends_with(std::path::is_separator);
    let beside = names_file.then(|| EXTENSIONS.iter().find_map(|extension| with(path, extension))).flatten();
    beside.or_else(|| EXTENSIONS.iter().find_map(|extension| with(&path.join("index"), extension)))
}

/// What node runs for `path` on its command line: like [`existing_script`], and the `main` of a folder.
fn node_target(path: &Path) -> Option<PathBuf> {
    let main = path.is_dir().then(|| Package::read(path).ok().flatten()?.main).flatten();
    main.and_then(|main| existing_script(&path.join(main))).or_else(|| existing_script(path))
}

/// Whether a file has the extension of a script that node runs.
pub(crate) fn is_script(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// The script with an application's usual name in a folder.
pub(crate) fn usual_script(folder: &Path) -> Option<PathBuf> {
    let names = USUAL_NAMES.iter().flat_map(|name| EXTENSIONS.iter().map(move |ext| format!("{name}.{ext}")));
    names.map(|name| folder.join(name)).find(|path| path.is_file())
}

/// `PATH` with the commands of the application's dependencies first, as npm has it.
fn bin_path(folder: &Path, path: Option<&OsStr>) -> Option<(OsString, OsString)> {
    let rest = path.map(|path| std::env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    let bins = folder.ancestors().map(|folder| folder.join("node_modules/.bin")).filter(|bin| bin.is_dir());
    let joined = std::env::join_paths(bins.chain(rest)).ok()?;
    Some(("PATH".into(), joined))
}

/// A path in a title: relative to the application's folder where it is inside.
fn shown(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}
