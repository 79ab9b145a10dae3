//! The configuration of the front alone: ports that lead to sockets somebody else listens on.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use forebay_core::limits::Limits;
use forebay_transports::Endpoint;

use super::error::{ConfigErrors, Origin, Problem};
use super::layers::Layers;
use super::resolve::{self, DEFAULT_ENGINE, Sources};
use super::units::{parse_address, parse_port};
use super::{
    AccessLogConfig, EngineChoice, ErrorsConfig, ForwardingConfig, LogConfig, ResponseConfig, ShardsConfig,
    TransportChoice,
};
use crate::cpus::vcpus;

/// What the socket is called that workers dial, beside their own.
pub const PIPE_FILE: &str = "forebay.pipe";

/// What stands for the port in `--to`.
const PORT_MARK: &str = "{port}";

/// Ports that one front serves at most; each takes a listening socket per shard.
const ROUTES_MAX: usize = 4096;

/// Everything `forebay front` needs to know.
#[derive(Clone, Debug)]
pub struct FrontConfig {
    /// Where requests come from and go to; at least one.
    pub routes: Vec<Route>,
    /// The back end of the data plane.
    pub engine: EngineChoice,
    /// How workers are fed.
    pub transport: TransportChoice,
    /// Where workers that speak frames dial in; none where they cannot.
    pub pipe: Option<PathBuf>,
    /// The data plane's threads.
    pub shards: ShardsConfig,
    /// Bounds of the data plane.
    pub limits: Limits,
    /// Headers that tell the application about its client; none passes heads on as they are (`--no-forwarded`).
    pub forwarding: Option<ForwardingConfig>,
    /// How responses travel.
    pub response: ResponseConfig,
    /// What clients see when Forebay answers itself.
    pub errors: ErrorsConfig,
    /// Where Prometheus metrics are served; a loopback address, or none.
    pub metrics: Option<SocketAddr>,
    /// The access log, if any.
    pub access_log: Option<AccessLogConfig>,
    /// What Forebay says about itself.
    pub log: LogConfig,
}

/// One port and its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Client addresses, all with the same port; at least one.
    pub listen: Vec<SocketAddr>,
    /// The socket that requests go to.
    pub endpoint: PathBuf,
}

/// The command line of `forebay front`.
#[derive(Clone, Debug)]
pub struct FrontSources {
    /// `--listen`: `ADDR:PORT` or `ADDR:FROM-TO`.
    pub listen: Vec<String>,
    /// `--to`: a path in which `{port}` stands for the port.
    pub to: String,
    /// `--pipe`: where workers that speak frames dial in.
    pub pipe: Option<PathBuf>,
    /// `--no-forwarded`: adds no header at all.
    pub no_forwarded: bool,
    /// The rest; `app` is not used.
    pub common: Sources,
}

/// The configuration that `sources` and their file give. Of the file, `[server] listen`, `[app]` and
/// `[workers]` are checked and not used.
///
/// # Errors
/// Everything that is wrong with it.
pub fn resolve_front(sources: &FrontSources) -> Result<FrontConfig, ConfigErrors> {
    let mut layers = Layers::new();
    layers.file(&sources.common, sources.common.config.as_deref());
    layers.environment(&sources.common);
    layers.flags(&sources.common);
    let Layers { mut draft, rows, mut problems, remarks: _ } = layers;
    // PORT and FOREBAY_LISTEN are for `run`.
    problems.retain(|problem| !(problem.key == "server.listen" && matches!(problem.origin, Origin::Environment(_))));
    draft.listen = Vec::new();
    resolve::related(&draft, &rows, &mut problems);
    let routes = routes(sources, &mut problems);
    ConfigErrors::check(problems)?;
    let forwarding = (!sources.no_forwarded).then_some(draft.forwarding);
    let cpus = vcpus();
    Ok(FrontConfig {
        routes,
        engine: draft.engine.unwrap_or(DEFAULT_ENGINE),
        transport: draft.transport,
        pipe: if draft.transport == TransportChoice::Http { None } else { pipe(sources) },
        shards: ShardsConfig {
            count: resolve::count(draft.shards.count, cpus),
            pin: draft.shards.pin,
            batch: draft.shards.batch,
        },
        limits: resolve::limits(draft.limits, draft.chunked_body_bytes_max),
        forwarding,
        response: draft.response,
        errors: draft.errors,
        metrics: draft.metrics,
        access_log: resolve::access_log(draft.access_log_path, draft.access_log_format),
        log: draft.log,
    })
}

/// Where workers dial in: as told, or `forebay.pipe` in the folder of their sockets.
fn pipe(sources: &FrontSources) -> Option<PathBuf> {
    let cwd = &sources.common.cwd;
    if let Some(path) = &sources.pipe {
        return Some(cwd.join(path));
    }
    let folder = cwd.join(&sources.to).parent()?.to_path_buf();
    (!folder.to_string_lossy().contains(PORT_MARK)).then(|| folder.join(PIPE_FILE))
}

fn routes(sources: &FrontSources, problems: &mut Vec<Problem>) -> Vec<Route> {
    let mut wrong = |flag: &'static str, what: String, hint: &str| {
        problems.push(Problem::new(Origin::Flag(flag), "", what).hint(hint));
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for text in sources.listen.iter().flat_map(|text| text.split(',')) {
        let Some((first, ports)) = parse_range(text) else {
            let what = format!("no address ({text:?}), allowed: ADDR:PORT or ADDR:FROM-TO");
            wrong("--listen", what, "for instance 127.0.0.1:3000-3003");
            continue;
        };
        for address in ports.map(|port| SocketAddr::new(first.ip(), port)) {
            if addresses.contains(&address) {
                wrong("--listen", format!("named twice ({address}), allowed: each address once"), "leave one out");
            } else if addresses.len() == ROUTES_MAX {
                wrong("--listen", format!("too many ports ({text:?}), allowed: {ROUTES_MAX} in all"), "run two fronts");
                return Vec::new();
            } else {
                addresses.push(address);
            }
        }
    }
    let several = addresses.iter().any(|address| Some(address.port()) != addresses.first().map(SocketAddr::port));
    if several && !sources.to.contains(PORT_MARK) {
        let what = format!("one socket for several ports ({:?}), allowed: a path with {PORT_MARK}", sources.to);
        wrong("--to", what, "for instance --to '/run/app/{port}.sock'");
    }
    if !Endpoint::is_possible(&sources.common.cwd.join(&sources.to)) {
        let what = format!("no endpoint ({}), allowed here: {}", sources.to, Endpoint::FORM);
        wrong("--to", what, "workers listen there, and are told so by whoever starts them");
    }
    let longest = sources.common.cwd.join(sources.to.replace(PORT_MARK, "65535"));
    if longest.as_os_str().len() > Endpoint::PATH_BYTES_MAX {
        let what = format!("too long ({}), allowed: up to {} bytes", longest.display(), Endpoint::PATH_BYTES_MAX);
        wrong("--to", what, "that is what the path of a Unix socket holds");
    }
    let mut routes: Vec<Route> = Vec::new();
    for address in addresses {
        let endpoint = sources.common.cwd.join(sources.to.replace(PORT_MARK, &address.port().to_string()));
        match routes.iter_mut().find(|route| route.endpoint == endpoint) {
            Some(route) => route.listen.push(address),
            None => routes.push(Route { listen: vec![address], endpoint }),
        }
    }
    routes
}

/// An address with its first port, and all its ports.
fn parse_range(text: &str) -> Option<(SocketAddr, RangeInclusive<u16>)> {
    let (start, last) = match text.rsplit_once('-') {
        Some((start, last)) => (start, Some(parse_port(last.trim())?)),
        None => (text, None),
    };
    let first = parse_address(start)?;
    let last = last.unwrap_or(first.port());
    // Port 0 is any free port, which no socket is named after.
    (first.port() > 0 && first.port() <= last).then_some((first, first.port()..=last))
}
