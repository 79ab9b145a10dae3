//! What of the crate is of Windows, whatever drives the waiting: names of pipes, access lists, processor groups.

pub(crate) mod listener;
mod local;
mod machine;
mod security;

pub(crate) use local::*;
pub use machine::place_of;
pub(crate) use machine::{
    PORT_DENIED, SHOW_ADDRESSES, allow_huge_pages, host_name, raise_descriptor_limit, usable_cpus, who_listens,
};
pub use security::Access;

use std::io;

/// What a call that returns zero for failure has returned.
pub(crate) fn check(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
