//! Files and folders that other users cannot reach, and what tells files apart.
//!
//! Who reaches them is on Unix a matter of modes. On Windows a folder has an access list of its own, which all that is made in it
//! inherits.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use crate::system;

/// Whether `A` and `a` are two names.
pub const CASE_MATTERS: bool = system::CASE_MATTERS;

/// Whether names such as `nul` and `com1` mean devices, in whatever folder.
pub const HAS_DEVICE_NAMES: bool = system::HAS_DEVICE_NAMES;

/// Why a folder will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// What is wrong, with the folder.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl Exposed {
    pub(crate) fn new(folder: &Path, why: &str, hint: &'static str) -> Self {
        Self { what: format!("{} {why}", folder.display()), hint }
    }
}

/// Makes a folder that only this user can reach, or takes one that is there, is ours and is closed to others; whether
/// it was made.
///
/// # Errors
/// When it cannot be made, is a link or no folder, belongs to somebody else, or is open to others: who can put something
/// there gets our clients' requests.
pub fn private_folder(path: &Path) -> Result<bool, Exposed> {
    let made = match system::make_folder(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => {
            let hint = "its parent must exist and be writable for this user";
            return Err(Exposed { what: format!("cannot make {} ({error})", path.display()), hint });
        }
    };
    match path.symlink_metadata() {
        Err(error) => Err(Exposed::new(path, &format!("cannot be looked at ({error})"), "name another folder")),
        Ok(meta) if !meta.is_dir() => Err(Exposed::new(path, "is not a folder", "name a folder, not a file or a link")),
        Ok(meta) => system::check_folder(path, &meta).map(|()| made),
    }
}

/// Makes a folder and those above it that are missing, for this user alone where nothing else is inherited. Again is
/// harmless.
///
/// # Errors
/// The system's.
pub fn private_folders(path: &Path) -> io::Result<()> {
    system::make_folders(path)
}

/// Opens a file to write it anew; if it was not there, it is this user's alone, or on Windows its folder's.
///
/// # Errors
/// The system's.
pub fn private_file(path: &Path) -> io::Result<File> {
    system::make_file(path)
}

/// Opens a file to append to it; one that was not there can be read by the user's group, too, or on Windows by whom its
/// folder says.
///
/// # Errors
/// The system's.
pub fn log_file(path: &Path) -> io::Result<File> {
    system::append_to(path)
}

/// Whether `path` is still the name of the open `file`, and not of another or none.
#[must_use]
pub fn is_named(file: &File, path: &Path) -> bool {
    match system::is_same(file, path) {
        Ok(same) => same,
        // Of one that cannot be looked at nothing is known.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// What tells this process's user from others, in letters, digits and dashes.
#[must_use]
pub fn user() -> String {
    system::user()
}

/// Whether an open file was not deleted by somebody, as people do with logs.
#[must_use]
pub fn is_there(file: &File) -> bool {
    system::is_there(file)
}

/// What tells the file or folder at `path`, of which this is known, from another one of the same name; links are followed.
#[must_use]
pub fn identity(path: &Path, meta: &Metadata) -> u64 {
    system::identity(path, meta)
}

/// When it was made, in nanoseconds, where the file system knows.
pub(crate) fn made(meta: &Metadata) -> u64 {
    let age = meta.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    age.map_or(0, |age| age.as_nanos() as u64)
}

/// Whether others can change what lies there without this system noticing: network file systems, and what hosts share
/// with their guests.
#[must_use]
pub fn is_remote(path: &Path) -> bool {
    system::is_remote(path)
}
