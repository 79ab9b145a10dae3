//! Puts the configuration together from its sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use forebay_transports::Endpoint;

use super::draft::{AppLog, Draft};
use super::error::{ConfigErrors, Origin, Problem};
use super::file::{self, Entry};
use super::settings::{Preset, SETTINGS, Setting};
use super::value::Raw;
use super::{AccessLogConfig, AppLogConfig, Config, EngineChoice, ShardsConfig, WorkersConfig};
use crate::app::node::Node;
use crate::app::{self, AppRequest};
use crate::cpus::vcpus;

/// The name a configuration file is looked for by.
const FILE_NAME: &str = "forebay.toml";

/// Room that an endpoint's name takes behind the runtime folder: `/w1023-4294967295.sock`.
const ENDPOINT_NAME_BYTES: usize = 24;

/// Where values come from besides the file. Keep it to resolve the same command line again.
#[derive(Clone, Debug)]
pub struct Sources {
    /// APP of the command line.
    pub app: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Other flags that were given, by name, each with all its values.
    pub flags: Vec<(&'static str, Vec<String>)>,
    /// The current folder. Absolute.
    pub cwd: PathBuf,
    /// Looks a variable up in the environment.
    pub env: fn(&str) -> Option<OsString>,
}

/// One setting as it came out.
#[derive(Clone, Debug)]
pub struct Row {
    /// Section and name of the setting.
    pub key: &'static str,
    /// Its value, as it would be written.
    pub value: String,
    /// Where that was written.
    pub origin: Origin,
}

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The configuration.
    pub config: Config,
    /// Every setting, in the order of the table.
    pub rows: Vec<Row>,
    /// The configuration file, as it was named or found.
    pub file: Option<PathBuf>,
    /// The node that workers run.
    pub node: Node,
}

/// The configuration that `sources` and their file give.
///
/// # Errors
/// Everything that is wrong with it.
pub fn resolve(sources: &Sources) -> Result<Resolved, ConfigErrors> {
    let mut layers = Layers::new();
    let (file, app) = configuration_file(sources)?;
    layers.file(sources, file.as_deref());
    layers.environment(sources);
    layers.flags(sources);
    app.into_iter().for_each(|app| layers.app(&sources.cwd.join(&app), app.display().to_string()));
    let Layers { draft, mut rows, mut problems } = layers;
    related(&draft, &rows, &mut problems);

    let runtime_dir = draft.runtime_dir.clone().unwrap_or_else(|| default_runtime_dir(sources.env));
    long_path(&runtime_dir, &rows, &mut problems);
    // Without a readable file nobody knows which application was meant.
    ConfigErrors::check(std::mem::take(&mut problems))?;

    let path = (sources.env)("PATH");
    let node = Node::find(draft.app.node.as_deref(), &origin(&rows, "app.node"), path.as_deref())?;
    let launch = app::resolve(&AppRequest {
        settings: &draft.app,
        origin: &origin(&rows, "app.script"),
        folder: &base(&sources.cwd, file.as_deref()),
        demo_allowed: file.is_none(),
        runtime_dir: &runtime_dir,
        node: &node,
        path: path.as_deref(),
    })
    .map_err(|problem| match problem.origin {
        Origin::Default => Problem { origin: origin(&rows, &problem.key), ..problem },
        Origin::File { .. } | Origin::Environment(_) | Origin::Flag(_) => problem,
    })?;
    let cpus = vcpus();
    show_effective(&mut rows, cpus, &runtime_dir);
    let config = Config {
        listen: draft.listen,
        engine: draft.engine.unwrap_or(DEFAULT_ENGINE),
        transport: draft.transport,
        affinity: draft.affinity,
        launch,
        workers: WorkersConfig {
            count: count(draft.workers.count, cpus),
            pin: draft.workers.pin,
            batch: draft.workers.batch,
            preload: draft.workers.preload,
            runtime_dir,
            start_timeout: draft.workers.start_timeout,
            drain_timeout: draft.workers.drain_timeout,
            tunnel_drain_timeout: draft.workers.tunnel_drain_timeout,
            stop_timeout: draft.workers.stop_timeout,
            stuck_after: draft.workers.stuck_after,
            dispatch: draft.workers.dispatch,
            control_pipe: draft.workers.control_pipe,
            page_out_after: draft.workers.page_out_after,
            backoff_min: draft.workers.backoff_min,
            backoff_max: draft.workers.backoff_max,
        },
        shards: ShardsConfig {
            count: count(draft.shards.count, cpus),
            pin: draft.shards.pin,
            batch: draft.shards.batch,
        },
        limits: draft.limits,
        forwarding: draft.forwarding,
        metrics: draft.metrics,
        access_log: access_log(draft.access_log_path, draft.access_log_format),
        app_log: app_log(draft.app_log),
        log: draft.log,
        response: draft.response,
        errors: draft.errors,
        watch: draft.watch,
        debugger: draft.debugger.resolve(),
        sources: file.iter().map(|file| sources.cwd.join(file)).collect(),
    };
    Ok(Resolved { config, rows, file, node })
}

/// The engine where nobody chose one.
pub(super) const DEFAULT_ENGINE: EngineChoice =
    if cfg!(target_os = "linux") { EngineChoice::Monoio } else { EngineChoice::Compio };

/// A count, or one per vCPU.
pub(super) fn count(value: Option<u64>, cpus: usize) -> usize {
    value.map_or(cpus, |value| usize::try_from(value).unwrap_or(cpus))
}

/// The access log that a path turns on; "-" is standard output.
pub(super) fn access_log(path: Option<PathBuf>, format: super::AccessLogFormat) -> Option<AccessLogConfig> {
    path.map(|path| AccessLogConfig { format, path: Some(path).filter(|path| path != Path::new("-")) })
}

/// The files that a folder turns on.
fn app_log(draft: AppLog) -> Option<AppLogConfig> {
    let AppLog { dir, file_bytes_max, total_bytes_max, files_max, line_ends } = draft;
    dir.map(|dir| AppLogConfig { dir, file_bytes_max, total_bytes_max, files_max, line_ends })
}

/// The file that the command line means, and what is left of APP.
fn configuration_file(sources: &Sources) -> Result<(Option<PathBuf>, Option<PathBuf>), Problem> {
    let is_file = |path: &Path| sources.cwd.join(path).is_file();
    let app = sources.app.clone();
    let names_file = app.as_ref().is_some_and(|app| app.extension().is_some_and(|extension| extension == "toml"));
    match (&sources.config, names_file) {
        (Some(_), true) => Err(Problem::new(Origin::Flag("APP"), "", "two configuration files (APP and --config)")
            .hint("leave one of them out")),
        (Some(config), false) => Ok((Some(config.clone()), app)),
        (None, true) => Ok((app, None)),
        (None, false) => {
            let near = app.as_deref().map_or_else(|| PathBuf::from(FILE_NAME), |app| app.join(FILE_NAME));
            Ok((Some(near).filter(|path| is_file(path)), app))
        }
    }
}

fn base(cwd: &Path, file: Option<&Path>) -> PathBuf {
    let file = file.map(|file| cwd.join(file));
    file.as_deref().and_then(Path::parent).unwrap_or(cwd).to_owned()
}

fn default_runtime_dir(env: fn(&str) -> Option<OsString>) -> PathBuf {
    let named = env("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute() && dir.is_dir());
    named.unwrap_or_else(std::env::temp_dir).join(format!("forebay-{}", std::process::id()))
}

/// The settings while sources are laid one over the other, the weakest first. Every value is checked, also one that
/// a stronger source covers.
pub(super) struct Layers {
    pub(super) draft: Draft,
    pub(super) rows: Vec<Row>,
    pub(super) problems: Vec<Problem>,
}

impl Layers {
    pub(super) fn new() -> Self {
        let mut layers =
            Self { draft: Draft::default(), rows: Vec::with_capacity(SETTINGS.len()), problems: Vec::new() };
        for setting in SETTINGS {
            let value = match setting.preset {
                Preset::Is(text) | Preset::Means(text) => text.to_owned(),
            };
            layers.rows.push(Row { key: setting.key, value, origin: Origin::Default });
            if let Preset::Is(text) = setting.preset {
                layers.put(setting, &Raw::Text(text.to_owned()), Path::new(""), &Origin::Default);
            }
        }
        layers
    }

    fn put(&mut self, setting: &'static Setting, raw: &Raw, base: &Path, origin: &Origin) {
        match setting.kind.read(raw, base, &mut self.draft) {
            Ok(value) => self.note(setting, value, origin),
            Err(faults) => self.problems.extend(faults.into_iter().map(|fault| {
                let origin = match (origin, fault.line) {
                    (Origin::File { path, .. }, Some(line)) => Origin::File { path: path.clone(), line },
                    (other, _) => other.clone(),
                };
                Problem { origin, key: setting.key.to_owned(), what: fault.what, hint: fault.hint }
            })),
        }
    }

    fn note(&mut self, setting: &'static Setting, value: String, origin: &Origin) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.key == setting.key) {
            row.value = value;
            row.origin = origin.clone();
        }
    }

    pub(super) fn file(&mut self, sources: &Sources, named: Option<&Path>) {
        let Some(named) = named else { return };
        let (entries, problems) = file::read(&sources.cwd.join(named), named);
        self.problems.extend(problems);
        let base = base(&sources.cwd, Some(named));
        for Entry { setting, raw, line } in entries {
            self.put(setting, &raw, &base, &Origin::File { path: named.to_owned(), line });
        }
        // The form was checked before the values; people read from the top.
        self.problems.sort_by_key(|problem| match problem.origin {
            Origin::File { line, .. } => line,
            Origin::Default | Origin::Environment(_) | Origin::Flag(_) => 0,
        });
    }

    pub(super) fn environment(&mut self, sources: &Sources) {
        for setting in SETTINGS {
            for &name in setting.env {
                let Some(text) = (sources.env)(name).filter(|text| !text.is_empty()) else { continue };
                let raw = Raw::Text(text.to_string_lossy().into_owned());
                self.put(setting, &raw, &sources.cwd, &Origin::Environment(name));
            }
        }
    }

    pub(super) fn flags(&mut self, sources: &Sources) {
        for (flag, values) in &sources.flags {
            let Some(setting) = SETTINGS.iter().find(|setting| setting.flag == Some(*flag)) else { continue };
            let raw = match values.as_slice() {
                [] => continue,
                [one] => Raw::Text(one.clone()),
                several => Raw::List(several.iter().map(|value| (Raw::Text(value.clone()), 0)).collect()),
            };
            self.put(setting, &raw, &sources.cwd, &Origin::Flag(flag));
        }
    }

    fn app(&mut self, path: &Path, shown: String) {
        self.draft.app.script = Some(path.to_owned());
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == "app.script") {
            self.note(setting, shown, &Origin::Flag("APP"));
        }
    }
}

fn origin(rows: &[Row], key: &str) -> Origin {
    rows.iter().find(|row| row.key == key).map_or(Origin::Default, |row| row.origin.clone())
}

/// Puts places in the order in which they are read; in a file, from the top.
const fn rank(origin: &Origin) -> (u8, usize) {
    match origin {
        Origin::Default => (0, 0),
        Origin::File { line, .. } => (1, *line),
        Origin::Environment(_) => (2, 0),
        Origin::Flag(_) => (3, 0),
    }
}

/// What is wrong with values together that are right alone.
pub(super) fn related(draft: &Draft, rows: &[Row], problems: &mut Vec<Problem>) {
    let mut wrong = |key: &str, what: String, hint: &str| {
        problems.push(Problem::new(origin(rows, key), key, what).hint(hint));
    };
    let value = |key: &str| rows.iter().find(|row| row.key == key).map_or("", |row| row.value.as_str());
    if draft.workers.backoff_min > draft.workers.backoff_max {
        let (min, max) = (value("workers.backoff_min"), value("workers.backoff_max"));
        // Whichever was written, or written last, is the one to look at.
        if rank(&origin(rows, "workers.backoff_max")) > rank(&origin(rows, "workers.backoff_min")) {
            let what = format!("shorter than workers.backoff_min ({max}), allowed: {min} or more");
            wrong("workers.backoff_max", what, "lower workers.backoff_min too");
        } else {
            let what = format!("longer than workers.backoff_max ({min}), allowed: up to {max}");
            wrong("workers.backoff_min", what, "raise workers.backoff_max too");
        }
    }
    if origin(rows, "access_log.format") != Origin::Default && draft.access_log_path.is_none() {
        let what = "no access log to format (access_log.path is off)".to_owned();
        wrong("access_log.format", what, "set access_log.path to a file, or to \"-\" for standard output");
    }
    if draft.engine == Some(EngineChoice::Monoio) && !cfg!(target_os = "linux") {
        wrong("server.engine", "not on this system (\"monoio\"), allowed: \"compio\"".to_owned(), "leave it out");
    }
    if let Some(metrics) = draft.metrics
        && draft.listen.iter().any(|listen| {
            metrics.port() != 0
                && listen.port() == metrics.port()
                && (listen.ip() == metrics.ip() || listen.ip().is_unspecified())
        })
    {
        let what = format!("taken by server.listen ({metrics}), allowed: another port");
        wrong("server.metrics", what, "9464 is what many scrapers expect");
    }
}

fn long_path(runtime_dir: &Path, rows: &[Row], problems: &mut Vec<Problem>) {
    let most = Endpoint::PATH_BYTES_MAX - ENDPOINT_NAME_BYTES;
    let length = runtime_dir.as_os_str().len();
    if length > most && !cfg!(windows) {
        let what = format!("too long ({length} bytes), allowed: up to {most} bytes");
        problems.push(
            Problem::new(origin(rows, "server.runtime_dir"), "server.runtime_dir", what)
                .hint("the path of a Unix socket holds 107 bytes: choose a folder nearer to the root"),
        );
    }
}

/// Shows what was found out beside what was written.
fn show_effective(rows: &mut [Row], cpus: usize, runtime_dir: &Path) {
    for row in rows {
        if row.value == "auto" && row.key.ends_with(".count") {
            row.value = format!("auto ({cpus})");
        } else if row.key == "server.runtime_dir" {
            row.value = runtime_dir.display().to_string();
        }
    }
}
