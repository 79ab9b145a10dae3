//! What the back ends share on Unix: binding, dialling, and the system calls that are made directly because they
//! cannot block.

mod bind;
mod dial;
mod entrance;
#[cfg(target_os = "linux")]
mod memory;
mod socket;
mod thread;

pub use bind::Bound;
pub(crate) use bind::bind;
pub(crate) use dial::dial;
pub(crate) use entrance::{SocketFile, open};
#[cfg(target_os = "linux")]
pub use memory::allow_huge_pages;
pub(crate) use socket::{abort, accept, accept_worker, enlarge, finish, is_quiet, reset, send};
pub(crate) use thread::prepare;
