//! The settings that shards work by and that a reload changes while they run.
//!
//! The supervisor makes a new set and lays it out in the bulletin, one for each shard; a shard looks for it in its tick
//! and works by it from the next request on. A request goes on by the set with which it began.

use std::net::IpAddr;

use forebay_core::http1::Variable;
use forebay_core::limits::Limits;
use forebay_transports::machine;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::{Affinity, Config, Dispatch, ErrorsConfig, ForwardingConfig, FrontConfig, ResponseConfig};

/// One set of settings.
#[derive(Clone, Debug)]
pub struct Live {
    /// The bounds to work within.
    pub limits: Limits,
    /// Headers to add to requests; none passes heads on as they are.
    pub forwarding: Option<ForwardingConfig>,
    /// The server variables among them.
    pub variables: Vec<Variable>,
    /// Which requests stick to one worker.
    pub affinity: Affinity,
    /// Which worker gets one that does not.
    pub dispatch: Dispatch,
    /// How responses travel.
    pub response: ResponseConfig,
    /// What clients see when the front answers itself.
    pub errors: ErrorsConfig,
    /// What the debug header begins with.
    pub about: String,
    /// How many workers there are to be.
    pub workers: usize,
}

impl Live {
    /// Of an application's configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            limits: config.limits.clone(),
            forwarding: Some(config.forwarding.clone()),
            variables: variables(&config.forwarding),
            affinity: config.affinity,
            dispatch: config.workers.dispatch,
            response: config.response,
            errors: config.errors,
            about: about(&config.launch.program.to_string_lossy()),
            workers: config.workers.count,
        }
    }

    /// Of the front alone, which has one worker for each port.
    #[must_use]
    pub fn of_front(config: &FrontConfig) -> Self {
        Self {
            limits: config.limits.clone(),
            forwarding: config.forwarding.clone(),
            variables: config.forwarding.as_ref().map(variables).unwrap_or_default(),
            affinity: Affinity::Off,
            dispatch: Dispatch::Local,
            response: config.response,
            errors: config.errors,
            about: about(""),
            workers: 1,
        }
    }

    /// Whether what this peer says about its client is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.forwarding.as_ref().is_some_and(|config| config.trusted.iter().any(|net| net.contains(peer)))
    }

    /// Plain dispatch by these bounds, without anything that is to be switched on.
    #[must_use]
    pub fn plain(limits: Limits, forwarding: Option<ForwardingConfig>) -> Self {
        Self {
            limits,
            variables: Vec::new(),
            forwarding,
            affinity: Affinity::Off,
            dispatch: Dispatch::Local,
            response: ResponseConfig::default(),
            errors: ErrorsConfig::default(),
            about: String::new(),
            workers: 0,
        }
    }
}

/// The variables that are asked for. Names were checked when they were read.
fn variables(config: &ForwardingConfig) -> Vec<Variable> {
    config.server_variables.iter().filter_map(|name| Variable::of(name.trim())).collect()
}

/// What is left as it is in the debug header (RFC 3986 section 2.3).
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Bytes of a path that the debug header tells. 512: the head of a response is no place for more.
const PATH_BYTES_MAX: usize = 512;

/// The part of iisnode's debug header that is the same in every response: the address of the page that draws it, version,
/// program, machine, and our own process.
fn about(program: &str) -> String {
    let program: String = program.chars().take(PATH_BYTES_MAX).collect();
    let (program, host) = (utf8_percent_encode(&program, &UNRESERVED), machine::host_name());
    format!(
        "http://bit.ly/NsU2nd#iisnode_ver={}&node={program}&dns={}&worker_pid={}",
        env!("CARGO_PKG_VERSION"),
        utf8_percent_encode(&host, &UNRESERVED),
        std::process::id(),
    )
}
