//! The settings that shards work by and that a reload changes while they run.
//!
//! The supervisor makes a new set and lays it out in the bulletin, one for each shard; a shard looks for it in its tick
//! and works by it from the next request on. A request goes on by the set with which it began.

use std::net::IpAddr;

use forebay_core::http1::Variable;
use forebay_core::limits::Limits;

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
        }
    }
}

/// The variables that are asked for. Names were checked when they were read.
fn variables(config: &ForwardingConfig) -> Vec<Variable> {
    config.server_variables.iter().filter_map(|name| Variable::of(name.trim())).collect()
}
