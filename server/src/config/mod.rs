//! The resolved configuration: valid by construction, made before the first socket opens.
//!
//! [`resolve`](resolve()) puts it together: a flag wins over the environment, that over the file, that over the default.
//! The file is a forebay.toml, or what IIS and iisnode read ([`iisnode`]).
//! Every setting is described once, in one table; reading, messages, `forebay check` and the README's reference
//! come from that table. What is wrong is collected, not thrown: the operator sees all of it in one go.

mod draft;
mod error;
mod file;
mod front;
mod iisnode;
mod import;
mod layers;
mod meant;
mod reference;
mod resolve;
mod settings;
mod units;
mod value;

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::limits::Limits;

use crate::site::Rules;

pub use draft::AppSettings;
pub use error::{ConfigErrors, Origin, Problem, Remark};
pub(crate) use file::plain;
pub use front::{FrontConfig, FrontSources, PIPE_FILE, Route, resolve_front};
pub use iisnode::{Profile, iisnode_markdown, iisnode_tests};
pub use import::{Import, import};
pub use reference::{check_report, reference_markdown};
pub use resolve::{Resolved, Row, Sources, resolve, resolve_to_run};

/// Everything `forebay run` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Client addresses to listen on; at least one. Default `127.0.0.1:8080`.
    pub listen: Vec<SocketAddr>,
    /// The back end of the data plane.
    pub engine: EngineChoice,
    /// How workers are fed.
    pub transport: TransportChoice,
    /// Which requests stick to one worker.
    pub affinity: Affinity,
    /// What a worker process runs.
    pub launch: Launch,
    /// The worker processes.
    pub workers: WorkersConfig,
    /// The data plane's threads.
    pub shards: ShardsConfig,
    /// Bounds of the data plane.
    pub limits: Limits,
    /// Headers that tell the application about its client.
    pub forwarding: ForwardingConfig,
    /// Where Prometheus metrics are served; a loopback address, or none.
    pub metrics: Option<SocketAddr>,
    /// The access log, if any.
    pub access_log: Option<AccessLogConfig>,
    /// Files with what workers write, if any.
    pub app_log: Option<AppLogConfig>,
    /// What Forebay says about itself.
    pub log: LogConfig,
    /// How responses travel.
    pub response: ResponseConfig,
    /// What clients see when Forebay answers itself.
    pub errors: ErrorsConfig,
    /// Files whose change recycles the application.
    pub watch: WatchConfig,
    /// What is answered without the application.
    pub site: SiteConfig,
    /// The inspector at the application's own address, if it is open.
    pub debugger: Option<DebuggerConfig>,
    /// The files that all this came from, and those that would count if they were there: a change of one asks for a
    /// reload. Absolute.
    pub sources: Vec<PathBuf>,
    /// What is wrong with iisnode's files, where requests are to be answered with that: then the rest is what could be
    /// understood, and no worker is to be started with it.
    pub broken: Option<String>,
}

impl Config {
    /// How workers may be fed, in words. Which of it a worker is fed by shows when it is ready.
    #[must_use]
    pub fn feeding(&self) -> &'static str {
        match (self.transport, self.workers.preload) {
            (TransportChoice::Pipe, true) => "frames",
            (TransportChoice::Auto, true) => "frames or http",
            (TransportChoice::Http, _) | (_, false) => "http",
        }
    }
}

/// A back end of the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// io_uring, or epoll where that is refused. Linux; the default there.
    Monoio,
    /// io_uring on Linux, IOCP on Windows; the default there.
    Compio,
}

/// How workers are fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportChoice {
    /// The fastest that the application is eligible for.
    Auto,
    /// HTTP/1.1 on the worker's endpoint.
    Http,
    /// Frames of the pipe protocol, and nothing else.
    Pipe,
}

/// Which requests always go to the same worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Those of engine.io, the transport of socket.io: a session's long polling has to meet the process that knows it.
    Auto,
    /// All, by client address.
    Address,
    /// All, by a cookie that names the worker.
    Cookie,
    /// None.
    Off,
}

/// Which worker gets a request that does not stick to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// The one beside the shard that read it; others when that one lags.
    #[default]
    Local,
    /// Each in turn, over all shards.
    RoundRobin,
}

/// What a failure of the application is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statuses {
    /// 502, 503, 504.
    #[default]
    Gateway,
    /// 500 and 503, with iisnode's sub-statuses.
    Iisnode,
}

/// The command that a worker process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program: usually node, or a shell for a `scripts.start` that is not a plain node command.
    pub program: PathBuf,
    /// Its arguments, the script among them.
    pub args: Vec<OsString>,
    /// The working directory: the application's folder.
    pub cwd: PathBuf,
    /// Variables added to the environment of the worker, after those of Forebay's own environment.
    pub env: Vec<(OsString, OsString)>,
    /// Whether node is not `program` itself but some descendant of it, so that it must inherit the preload.
    pub indirect: bool,
    /// The application in a few words, for the banner: `server.js`, `npm start (next start)`, `built-in demo`.
    pub title: String,
}

/// The worker processes.
#[derive(Clone, Debug)]
pub struct WorkersConfig {
    /// How many; default one per vCPU that this process may use.
    pub count: usize,
    /// Whether worker i is pinned to the i-th usable vCPU. Default true.
    pub pin: bool,
    /// Whether workers run under `SCHED_BATCH`. Default true.
    pub batch: bool,
    /// Whether the preload is loaded, which moves a hard-coded `listen(3000)` to the worker's endpoint. Default true.
    pub preload: bool,
    /// Folder for the workers' endpoints; made with mode 0700. Default: `forebay-PID` in `$XDG_RUNTIME_DIR` or the
    /// temporary folder.
    pub runtime_dir: PathBuf,
    /// Time from start to listening. Beyond: the worker is killed and counts as failed. 60 s.
    pub start_timeout: Duration,
    /// Time that requests in flight get when a worker, or Forebay itself, stops. 30 s.
    pub drain_timeout: Duration,
    /// Time that upgraded connections get when their worker is replaced. 300 s.
    pub tunnel_drain_timeout: Duration,
    /// Time from SIGTERM to SIGKILL. 10 s.
    pub stop_timeout: Duration,
    /// Time an event loop may stand still before its worker is killed; none for ever. 30 s.
    pub stuck_after: Option<Duration>,
    /// Which worker gets a request. Default local.
    pub dispatch: Dispatch,
    /// Whether workers get a pipe through which they can ask for a recycle. Default false.
    pub control_pipe: bool,
    /// Time without a request after which workers' memory is paged out; none for never. Default none.
    pub page_out_after: Option<Duration>,
    /// First delay before a worker that failed is started again; doubles with each failure in a row. 100 ms.
    pub backoff_min: Duration,
    /// Longest delay. 30 s.
    pub backoff_max: Duration,
}

/// The data plane's threads.
#[derive(Clone, Debug)]
pub struct ShardsConfig {
    /// How many; default one per vCPU that this process may use.
    pub count: usize,
    /// Whether shard i is pinned to the i-th usable vCPU. Default true.
    pub pin: bool,
    /// Whether shards run under `SCHED_BATCH`. Default true.
    pub batch: bool,
}

/// Headers that tell the application about its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardingConfig {
    /// Add `X-Forwarded-For`, `-Proto` and `-Host`. Default true.
    pub x_forwarded: bool,
    /// Add `Forwarded` (RFC 7239). Default true.
    pub forwarded: bool,
    /// Add `X-Request-Id`. Default true.
    pub request_id: bool,
    /// Peers whose own forwarding headers are believed. Default none.
    pub trusted: Vec<Network>,
    /// IIS server variables sent as `X-iisnode-NAME`. Default none.
    pub server_variables: Vec<String>,
}

/// An address block, as in `10.0.0.0/8`; a single address is a block of full length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    pub address: IpAddr,
    /// Leading bits that count, 0 to 32 or 128.
    pub prefix: u8,
}

impl Network {
    /// Whether `address` is in the block. An IPv4 address in IPv6 form counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                (net.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                (net.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogConfig {
    /// The form of a line.
    pub format: AccessLogFormat,
    /// The file to append to; none is standard output.
    pub path: Option<PathBuf>,
}

/// The form of an access log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// Apache's combined form, then request id, worker and duration.
    Text,
    /// One JSON object a line.
    Json,
}

/// Files with what workers write to stdout and stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppLogConfig {
    /// The folder; made if it is not there.
    pub dir: PathBuf,
    /// Bytes of a file beyond which the next one is begun. 128 KiB.
    pub file_bytes_max: u64,
    /// Bytes of all files together. 1 MiB.
    pub total_bytes_max: u64,
    /// Number of files. 20.
    pub files_max: u32,
    /// How lines end there. Default as they were written.
    pub line_ends: LineEnds,
}

/// How lines end in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnds {
    /// As they were written.
    #[default]
    Lf,
    /// CR LF, whatever was written: what iisnode's files have.
    Crlf,
}

/// How responses travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseConfig {
    /// Bytes that are gathered before the first of a response is sent. Default 0: every fragment at once.
    pub gather_bytes_max: u64,
    /// Whether `iisnode-debug` is added. Default false.
    pub debug_header: bool,
}

/// What clients see when Forebay answers itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorsConfig {
    /// What a failure of the application is called. Default gateway.
    pub statuses: Statuses,
    /// Whether failures are answered with 200 and a page that explains them. Default false.
    pub dev_pages: bool,
}

impl ErrorsConfig {
    /// Whether a request fails as soon as no start has succeeded, rather than wait for one that might: so it is with
    /// iisnode, whose users look at what went wrong.
    #[must_use]
    pub fn fails_fast(&self) -> bool {
        self.dev_pages || self.statuses == Statuses::Iisnode
    }
}

/// Files whose change recycles the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchConfig {
    /// Patterns, relative to the application's folder. Default none.
    pub files: Vec<String>,
    /// How often files are looked at where the file system does not tell of changes. 5 s.
    pub poll_interval: Duration,
}

/// What is answered without the application.
#[derive(Clone, Debug)]
pub struct SiteConfig {
    /// Which requests that are; none if all are the application's.
    pub rules: Option<Arc<Rules>>,
    /// The name of the page that takes the application offline while it is in its folder. `app_offline.htm`.
    pub offline_page: String,
}

/// The inspector at the application's own address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebuggerConfig {
    /// The last segment of the address. `debug`.
    pub path_segment: String,
    /// First and last loopback port for inspectors. 5058 to 6058.
    pub ports: (u16, u16),
}

/// What Forebay says about itself on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or levels by target: `info,forebay::shard=debug`. Default `info`.
    pub levels: String,
    /// The form of a line. Default text.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Short lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_they_should() {
        let net = |a: &str, prefix| Network { address: a.parse().unwrap(), prefix };
        let has = |n: Network, a: &str| n.contains(a.parse().unwrap());
        assert!(has(net("10.0.0.0", 8), "10.255.0.1") && !has(net("10.0.0.0", 8), "11.0.0.1"));
        assert!(has(net("0.0.0.0", 0), "1.2.3.4") && has(net("1.2.3.4", 32), "1.2.3.4"));
        assert!(has(net("127.0.0.1", 32), "::ffff:127.0.0.1") && !has(net("::", 0), "127.0.0.1"));
        assert!(has(net("fd00::", 8), "fd12::1") && !has(net("fd00::", 8), "fe80::1"));
    }
}
