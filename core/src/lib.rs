//! Forebay's pure core: everything that decides, nothing that touches the world.
//!
//! HTTP framing, dispatch, worker life cycle, drain and every bound live here as state machines and tables without
//! IO, clock, threads or randomness, so that they can be enumerated, fuzzed and simulated. Being `no_std` outside
//! tests proves it.
//!
//! What it deliberately does not do: open, read, write or time anything (that is `forebay-transports`), or know
//! about configuration files, processes and logs (that is the server).
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod buf;
pub mod dispatch;
pub mod drain;
pub mod http1;
pub mod id;
pub mod limits;
pub mod pipe;
pub mod quiet;
pub mod time;
pub mod worker;
