//! What back ends share on Unix: binding, dialling, and the system calls that are made directly because they cannot
//! block. And what else of the crate is of this system.

mod bind;
mod dial;
mod entrance;
pub(crate) mod listener;
mod local;
mod machine;
mod socket;
mod thread;

pub use bind::Bound;
pub(crate) use bind::bind;
pub(crate) use dial::dial;
pub(crate) use entrance::{SocketFile, open};
pub(crate) use local::*;
pub(crate) use machine::*;
pub(crate) use socket::{abort, accept, accept_worker, enlarge, finish, is_quiet, reset, send};
pub(crate) use thread::prepare;
