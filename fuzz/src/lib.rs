//! Fuzz targets as plain functions: `cargo test` replays the corpus through them on stable, `cargo fuzz` drives them.
//!
//! Each takes any bytes and panics where a law is broken. A finding becomes a file under `corpus/`, named after what
//! it showed. `cargo +nightly fuzz run http1_request --features libfuzzer` looks for more.

pub mod buffers;
pub mod config;
pub mod dispatch;
pub mod http1;
pub mod input;
pub mod lifecycle;
pub mod model;
pub mod pipe;
pub mod site;
pub mod strict;

/// A target: the name of its binary and of its folder under `corpus/`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. One that is not listed here is not replayed.
pub const TARGETS: &[Target] = &[
    ("http1_request", http1::request_head),
    ("http1_response", http1::response_head),
    ("http1_chunked", http1::chunked),
    ("http1_body", http1::body),
    ("http1_connection", http1::connection),
    ("buffers", buffers::run),
    ("dispatch", dispatch::run),
    ("lifecycle", lifecycle::run),
    ("config", config::run),
    ("site", site::run),
    ("pipe_decode", pipe::decode),
    ("pipe_state", pipe::state),
];
