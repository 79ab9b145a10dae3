//! Puts the configuration together from its sources.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use forebay_core::http1::Variable;
use forebay_core::limits::Limits;
use forebay_transports::{Endpoint, HAS_MONOIO};

use super::draft::{AppLog, Draft, Workers};
use super::error::{ConfigErrors, Origin, Problem, Remark};
use super::iisnode::{self, Profile};
use super::layers::Layers;
use super::meant::{Meant, base, configuration_file};
use super::value::Raw;
use super::{AccessLogConfig, AppLogConfig, Config, EngineChoice, Launch, ShardsConfig, WorkersConfig};
use crate::app::node::Node;
use crate::app::{self, AppRequest};
use crate::cpus::vcpus;

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
    /// The value before anybody read it, and what paths in it are relative to; none while nobody set it.
    pub(super) written: Option<(Raw, PathBuf)>,
}

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The configuration.
    pub config: Config,
    /// Every setting, in the order of the table.
    pub rows: Vec<Row>,
    /// The configuration files that were read, as they were named or found.
    pub files: Vec<PathBuf>,
    /// What is worth knowing about them.
    pub remarks: Vec<Remark>,
    /// The node that workers run.
    pub node: Node,
}

/// The configuration that `sources` and their file give.
///
/// # Errors
/// Everything that is wrong with it.
pub fn resolve(sources: &Sources) -> Result<Resolved, ConfigErrors> {
    resolve_as(sources, false)
}

/// The same for a server that is to run: where pages of errors are on, what is wrong with iisnode's files is told to
/// clients ([`Config::broken`]), as upstream does, and is no reason not to serve.
///
/// # Errors
/// Everything else that is wrong.
pub fn resolve_to_run(sources: &Sources) -> Result<Resolved, ConfigErrors> {
    resolve_as(sources, true)
}

fn resolve_as(sources: &Sources, tells_clients: bool) -> Result<Resolved, ConfigErrors> {
    let mut layers = Layers::new();
    let meant = configuration_file(sources)?;
    layers.file(sources, meant.toml.as_deref());
    layers.environment(sources);
    layers.flags(sources);
    if let Some(app) = &meant.app {
        layers.app(&sources.cwd.join(app), app.display().to_string());
    }
    let folder = match &meant.iisnode {
        Some(place) => place.folder.clone(),
        None => base(&sources.cwd, meant.toml.as_deref()),
    };
    let earlier = layers.problems.len();
    let (files, config_sources) = iisnode_layers(&meant, &folder, sources, &mut layers);
    let tells_clients = tells_clients && meant.iisnode.is_some() && layers.draft.errors.dev_pages;
    let told = if tells_clients { layers.problems.split_off(earlier) } else { Vec::new() };
    let broken = ConfigErrors::check(told).err().map(|errors| iisnode::unreadable(&errors));
    let Layers { draft, mut rows, mut problems, mut remarks } = layers;
    related(&draft, &rows, &mut problems);

    let runtime_dir = draft.runtime_dir.clone().unwrap_or_else(|| default_runtime_dir(sources.env));
    long_path(&runtime_dir, &rows, &mut problems);
    // Without a readable file nobody knows which application was meant.
    ConfigErrors::check(std::mem::take(&mut problems))?;

    let path = (sources.env)("PATH");
    let node = find_node(&draft, &rows, path.as_deref(), meant.iisnode.is_some(), &mut remarks)?;
    let found = app::resolve(&AppRequest {
        settings: &draft.app,
        origin: &origin(&rows, "app.script"),
        folder: &folder,
        may_be_missing: meant.iisnode.is_some(),
        demo_allowed: files.is_empty(),
        runtime_dir: &runtime_dir,
        node: &node,
        path: path.as_deref(),
    })
    .map_err(|problem| located(problem, &rows));
    let launch = match found {
        Err(_) if broken.is_some() => Launch::nothing(&folder, &node),
        found => found?,
    };
    let cpus = vcpus();
    let profile = draft.profile.unwrap_or(if meant.iisnode.is_some() { Profile::Iisnode } else { Profile::Native });
    show_effective(&mut rows, cpus, &runtime_dir, profile);
    let config = Config {
        listen: draft.listen,
        engine: draft.engine.unwrap_or(DEFAULT_ENGINE),
        transport: draft.transport,
        affinity: draft.affinity,
        launch,
        workers: workers(draft.workers, cpus, runtime_dir),
        shards: ShardsConfig {
            count: count(draft.shards.count, cpus),
            pin: draft.shards.pin,
            batch: draft.shards.batch,
        },
        limits: limits(draft.limits, draft.chunked_body_bytes_max),
        forwarding: draft.forwarding,
        metrics: draft.metrics,
        access_log: access_log(draft.access_log_path, draft.access_log_format),
        site: draft.site.resolve(draft.app_log.dir.as_deref()),
        app_log: app_log(draft.app_log),
        log: draft.log,
        response: draft.response,
        errors: draft.errors,
        watch: draft.watch,
        debugger: draft.debugger.resolve(),
        sources: config_sources,
        broken,
    };
    Ok(Resolved { config, rows, files, remarks, node })
}

/// A problem with the place of its setting, where it has none of its own.
fn located(problem: Problem, rows: &[Row]) -> Problem {
    match problem.origin {
        Origin::Default => Problem { origin: origin(rows, &problem.key), ..problem },
        Origin::File { .. } | Origin::Environment(_) | Origin::Flag(_) | Origin::Profile(_) => problem,
    }
}

/// Lays what iisnode's files say, or the defaults of the profile that was asked for, under everything else; the files
/// that were read, and those to be watched.
fn iisnode_layers(
    meant: &Meant,
    folder: &Path,
    sources: &Sources,
    layers: &mut Layers,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let asked = layers.draft.profile;
    if let Some(place) = &meant.iisnode {
        let loaded = iisnode::load(place, asked.unwrap_or(Profile::Iisnode), sources, layers);
        layers.remarks.extend(meant.remark.clone());
        return (loaded.files, loaded.sources);
    }
    if let Some(profile) = asked.filter(|profile| *profile != Profile::Native) {
        iisnode::defaults(profile, folder, sources, layers);
    }
    layers.remarks.extend(meant.remark.clone());
    let absolute = meant.toml.iter().map(|toml| sources.cwd.join(toml)).collect();
    (meant.toml.iter().cloned().collect(), absolute)
}

/// The node to run. One that web.config names and that is not there is no reason not to start: requests are answered
/// with what is wrong, as upstream.
fn find_node(
    draft: &Draft,
    rows: &[Row],
    path: Option<&OsStr>,
    is_iisnode: bool,
    remarks: &mut Vec<Remark>,
) -> Result<Node, Problem> {
    let (named, origin) = (draft.app.node.as_deref(), origin(rows, "app.node"));
    match named {
        Some(named) if is_iisnode && Node::locate(named, path).is_none() => {
            let text = format!("nodeProcessCommandLine: {} is not there: no worker will start", named.display());
            remarks.push(Remark::new(origin, text));
            Ok(Node::missing(named))
        }
        Some(_) | None => Node::find(named, &origin, path),
    }
}

/// Bounds; that of bodies in chunks is the one of bodies unless it has its own.
pub(super) fn limits(limits: Limits, chunked_body_bytes_max: Option<u64>) -> Limits {
    let chunked_body_bytes_max = chunked_body_bytes_max.unwrap_or(limits.body_bytes_max);
    Limits { chunked_body_bytes_max, ..limits }
}

fn workers(draft: Workers, cpus: usize, runtime_dir: PathBuf) -> WorkersConfig {
    WorkersConfig {
        count: count(draft.count, cpus),
        pin: draft.pin,
        batch: draft.batch,
        preload: draft.preload,
        runtime_dir,
        start_timeout: draft.start_timeout,
        drain_timeout: draft.drain_timeout,
        tunnel_drain_timeout: draft.tunnel_drain_timeout,
        stop_timeout: draft.stop_timeout,
        stuck_after: draft.stuck_after,
        dispatch: draft.dispatch,
        control_pipe: draft.control_pipe,
        page_out_after: draft.page_out_after,
        backoff_min: draft.backoff_min,
        backoff_max: draft.backoff_max,
    }
}

/// The engine where nobody chose one.
pub(super) const DEFAULT_ENGINE: EngineChoice = if HAS_MONOIO { EngineChoice::Monoio } else { EngineChoice::Compio };

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

fn default_runtime_dir(env: fn(&str) -> Option<OsString>) -> PathBuf {
    let named = env("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute() && dir.is_dir());
    named.unwrap_or_else(std::env::temp_dir).join(format!("forebay-{}", std::process::id()))
}

fn origin(rows: &[Row], key: &str) -> Origin {
    rows.iter().find(|row| row.key == key).map_or(Origin::Default, |row| row.origin.clone())
}

/// Puts places in the order in which they are read; in a file, from the top.
const fn rank(origin: &Origin) -> (u8, usize) {
    match origin {
        Origin::Default | Origin::Profile(_) => (0, 0),
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
    for name in &draft.forwarding.server_variables {
        if Variable::of(name.trim()).is_none() {
            let names: Vec<_> = Variable::names().collect();
            let what = format!(
                "unknown server variable ({name:?}), allowed: {}, CONTENT_LENGTH, CONTENT_TYPE, HTTP_NAME",
                names.join(", ")
            );
            wrong("forwarding.server_variables", what, "HTTP_NAME is the request's field NAME, with _ for -");
        }
    }
    if origin(rows, "access_log.format") != Origin::Default && draft.access_log_path.is_none() {
        let what = "no access log to format (access_log.path is off)".to_owned();
        wrong("access_log.format", what, "set access_log.path to a file, or to \"-\" for standard output");
    }
    if let Some(folder) = draft.site.files.as_ref().filter(|folder| !folder.is_dir()) {
        let what = format!("no such folder ({}), allowed: a folder that exists", folder.display());
        wrong("site.files", what, "make it, or leave the setting out");
    }
    if draft.engine == Some(EngineChoice::Monoio) && !HAS_MONOIO {
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
    if length > most && Endpoint::IS_FILE {
        let what = format!("too long ({length} bytes), allowed: up to {most} bytes");
        problems.push(
            Problem::new(origin(rows, "server.runtime_dir"), "server.runtime_dir", what)
                .hint("the path of a Unix socket holds 107 bytes: choose a folder nearer to the root"),
        );
    }
}

/// Shows what was found out beside what was written.
fn show_effective(rows: &mut [Row], cpus: usize, runtime_dir: &Path, profile: Profile) {
    for row in rows {
        if row.value == "auto" && row.key.ends_with(".count") {
            row.value = format!("auto ({cpus})");
        } else if row.key == "server.runtime_dir" {
            row.value = runtime_dir.display().to_string();
        } else if row.key == "app.profile" {
            row.value = profile.name().to_owned();
        }
    }
}
