//! Forebay, the server: runs a Node.js application on every vCPU and owns its client connections.
//!
//! Two planes share nothing but the [`bulletin`]. The data plane ([`shard`]) is one pinned thread with one ring per
//! vCPU: it accepts, parses, dispatches and relays, and never spawns, locks or reads a file. The control plane
//! ([`supervisor`]) is one ordinary thread that starts, watches and replaces workers, and never touches a connection.

pub mod access_log;
pub mod app;
pub mod app_log;
pub mod bench;
pub mod bulletin;
pub mod changes;
pub mod cli;
pub mod config;
pub mod control_pipe;
pub mod cpus;
pub mod date;
pub mod live;
pub mod logging;
pub mod metrics;
pub mod origin;
pub mod page_out;
pub mod run;
pub mod service;
pub mod shard;
pub mod signals;
pub mod site;
pub mod spawn;
pub mod status;
pub mod supervisor;
