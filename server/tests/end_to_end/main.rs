//! The binary with real node and real sockets: what a client sees, and what an operator does.
//!
//! `FOREBAY_TEST_ENGINE` (monoio, epoll, compio) says what drives the sockets, `FOREBAY_TEST_TRANSPORT` (auto, http) how
//! workers are fed; `engines` and `transports` run a part of the suite in every way whatever they say. Every wait has a deadline, and nothing but the limits under test depends on time.
#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod aborts;
mod app_logs;
mod applications;
mod causes;
mod changes;
mod client;
mod connections;
mod crashes;
mod debug_header;
mod dispatching;
mod engines;
mod forwarding;
mod limits;
mod load;
mod messages;
mod overload;
mod page_outs;
mod recycles;
mod reloads;
mod replacements;
mod response;
mod server;
mod setup;
mod site;
mod slow_peers;
mod starts;
mod stops;
mod streaming;
mod system;
mod transports;
mod trouble;
mod upgrades;
mod wait;
