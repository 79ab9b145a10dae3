//! A simulated world for tests: seeded, single-threaded, with a virtual clock and faults.
//!
//! [`World::run`] enters a world on the calling thread and runs a program in it to its end. Inside, the engine [`Sim`]
//! keeps the same contract as the real back ends; [`connect`] plays a client and [`Worker`] plays a worker's end, whoever dials. The
//! seed decides everything that is left open: which runnable task goes next, how bytes are split, how long they
//! travel, and which faults of the [`Config`] strike when. The same seed gives the same history, and
//! [`Outcome::history`] is a hash to check that by. [`heal`] ends all faults, for tests of recovery.
//!
//! Time stands still while a task runs and jumps to the next timer when none can. Where there is no timer either, the
//! world is deadlocked, and `run` panics with the seed.
//!
//! What it deliberately does not do: model TCP (no handshake, no congestion, one reliable ordered pipe a direction
//! with a bounded buffer), or run several threads: shards of a simulation are tasks of one world.

mod config;
mod door;
mod endpoint;
mod engine;
mod executor;
mod link;
mod listener;
mod random;
mod stream;
mod timers;
mod world;

pub use config::{Config, Faults};
pub use endpoint::{Entrance, Worker};
pub use engine::Sim;
pub use listener::{Bound, TcpListener, connect};
pub use random::Random;
pub use stream::Stream;
pub use world::{Outcome, World, heal, random};
