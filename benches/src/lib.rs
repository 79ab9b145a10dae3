//! What Forebay costs, measured three ways: criterion benchmarks of the core, counts per request, and a comparison
//! with its peers. README.md says how to run each.
//!
//! This library is what the programs share: a load generator for keep-alive connections that is cheap enough not to
//! be what is measured.

#[cfg(unix)]
pub mod load;
