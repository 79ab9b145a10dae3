//! The configuration while it is being put together: every setting has its place, nothing is derived yet.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use forebay_core::limits::Limits;

use super::{
    AccessLogFormat, Affinity, DebuggerConfig, Dispatch, EngineChoice, ErrorsConfig, ForwardingConfig, LineEnds,
    LogConfig, LogFormat, Network, Profile, ResponseConfig, SiteConfig, TransportChoice, WatchConfig,
};
use crate::site::Rules;

/// What `[app]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppSettings {
    /// A script or a folder; none to look for one.
    pub script: Option<PathBuf>,
    /// The node to run: a path, or a bare name to look for on `PATH`. None is `node`.
    pub node: Option<PathBuf>,
    /// Arguments for node itself, before the script.
    pub node_args: Vec<String>,
    /// Arguments for the script.
    pub args: Vec<String>,
    /// The working directory; none is the application's folder.
    pub cwd: Option<PathBuf>,
    /// Variables for the workers.
    pub env: Vec<(String, String)>,
}

/// What `[workers]` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Workers {
    pub(super) count: Option<u64>,
    pub(super) pin: bool,
    pub(super) batch: bool,
    pub(super) preload: bool,
    pub(super) start_timeout: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) tunnel_drain_timeout: Duration,
    pub(super) stop_timeout: Duration,
    pub(super) stuck_after: Option<Duration>,
    pub(super) dispatch: Dispatch,
    pub(super) control_pipe: bool,
    pub(super) page_out_after: Option<Duration>,
    pub(super) backoff_min: Duration,
    pub(super) backoff_max: Duration,
}

/// What `[shards]` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Shards {
    pub(super) count: Option<u64>,
    pub(super) pin: bool,
    pub(super) batch: bool,
}

/// What `[app_log]` says.
#[derive(Clone, Debug, Default)]
pub(super) struct AppLog {
    pub(super) dir: Option<PathBuf>,
    pub(super) file_bytes_max: u64,
    pub(super) total_bytes_max: u64,
    pub(super) files_max: u32,
    pub(super) line_ends: LineEnds,
}

/// What `[site]` says.
#[derive(Clone, Debug, Default)]
pub(super) struct SiteSettings {
    pub(super) files: Option<PathBuf>,
    pub(super) index: String,
    pub(super) max_age: Option<Duration>,
    pub(super) offline_page: String,
    /// Rules of a web.config, which stand instead of the rest.
    pub(super) rules: Option<Arc<Rules>>,
}

impl SiteSettings {
    /// Who answers what. `logs` is a folder that is never served.
    pub(super) fn resolve(self, logs: Option<&Path>) -> SiteConfig {
        let Self { files, index, max_age, offline_page, rules } = self;
        let native = files.map(|folder| Rules::native(folder, vec![index], max_age));
        let native = native.map(|rules| logs.into_iter().fold(rules, Rules::hiding));
        SiteConfig { rules: rules.or(native.map(Arc::new)), offline_page }
    }
}

/// What `[debugger]` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Debugger {
    pub(super) enabled: bool,
    pub(super) path_segment: String,
    pub(super) ports: (u16, u16),
}

impl Debugger {
    /// The debugger, if it is on.
    pub(super) fn resolve(self) -> Option<DebuggerConfig> {
        let Self { enabled, path_segment, ports } = self;
        enabled.then_some(DebuggerConfig { path_segment, ports })
    }
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) listen: Vec<SocketAddr>,
    pub(super) engine: Option<EngineChoice>,
    pub(super) transport: TransportChoice,
    pub(super) affinity: Affinity,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) runtime_dir: Option<PathBuf>,
    pub(super) profile: Option<Profile>,
    pub(super) app: AppSettings,
    pub(super) workers: Workers,
    pub(super) shards: Shards,
    pub(super) limits: Limits,
    pub(super) chunked_body_bytes_max: Option<u64>,
    pub(super) forwarding: ForwardingConfig,
    pub(super) access_log_format: AccessLogFormat,
    pub(super) access_log_path: Option<PathBuf>,
    pub(super) app_log: AppLog,
    pub(super) log: LogConfig,
    pub(super) response: ResponseConfig,
    pub(super) errors: ErrorsConfig,
    pub(super) watch: WatchConfig,
    pub(super) site: SiteSettings,
    pub(super) debugger: Debugger,
}

impl Default for Draft {
    /// An empty one: the table's defaults are put in like any other value.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            engine: None,
            transport: TransportChoice::Auto,
            affinity: Affinity::Auto,
            metrics: None,
            runtime_dir: None,
            profile: None,
            app: AppSettings::default(),
            workers: Workers::default(),
            shards: Shards::default(),
            limits: Limits::default(),
            chunked_body_bytes_max: None,
            forwarding: ForwardingConfig {
                x_forwarded: true,
                forwarded: true,
                request_id: true,
                trusted: Vec::<Network>::new(),
                server_variables: Vec::new(),
            },
            access_log_format: AccessLogFormat::Text,
            access_log_path: None,
            app_log: AppLog::default(),
            log: LogConfig { levels: String::new(), format: LogFormat::Text },
            response: ResponseConfig::default(),
            errors: ErrorsConfig::default(),
            watch: WatchConfig { files: Vec::new(), poll_interval: Duration::ZERO },
            site: SiteSettings::default(),
            debugger: Debugger::default(),
        }
    }
}

impl Draft {
    pub(super) fn set_engine(&mut self, word: &str) {
        self.engine = match word {
            "monoio" => Some(EngineChoice::Monoio),
            "compio" => Some(EngineChoice::Compio),
            _ => None,
        };
    }

    pub(super) fn set_affinity(&mut self, word: &str) {
        self.affinity = match word {
            "address" => Affinity::Address,
            "cookie" => Affinity::Cookie,
            "off" => Affinity::Off,
            _ => Affinity::Auto,
        };
    }

    pub(super) fn set_transport(&mut self, word: &str) {
        self.transport = match word {
            "http" => TransportChoice::Http,
            "pipe" => TransportChoice::Pipe,
            _ => TransportChoice::Auto,
        };
    }
}
