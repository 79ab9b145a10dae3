//! Endpoints, files and folders: named pipes, and access lists.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_SEM_TIMEOUT, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Security::Authorization::{SE_KERNEL_OBJECT, SetSecurityInfo};
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateDirectoryW, CreateFileW, FILE_FLAG_BACKUP_SEMANTICS, FILE_STANDARD_INFO,
    FileStandardInfo, GetFileInformationByHandle, GetFileInformationByHandleEx, OPEN_EXISTING, READ_CONTROL,
    SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT, WRITE_DAC,
};
use windows_sys::Win32::System::Pipes::{NMPWAIT_NOWAIT, WaitNamedPipeW};

use super::security::{admitted, user_name, user_sid};
use super::{Access, check};
use crate::Endpoint;
use crate::files::{Exposed, made};

/// What a pipe's whole name may have (`CreateNamedPipeW`).
pub(crate) const ENDPOINT_BYTES_MAX: usize = 256;

pub(crate) const CASE_MATTERS: bool = false;

pub(crate) const HAS_DEVICE_NAMES: bool = true;

pub(crate) const ENDPOINT_IS_FILE: bool = false;

/// 128 bits that nobody guesses: the system's randomness, through the keys of the standard library's hashes.
fn secret() -> &'static str {
    static SECRET: OnceLock<String> = OnceLock::new();
    SECRET.get_or_init(|| format!("{:016x}{:016x}", RandomState::new().hash_one(1), RandomState::new().hash_one(2)))
}

pub(crate) const ENDPOINT_FORM: &str = r"a pipe, \\.\pipe\NAME";

pub(crate) fn is_endpoint(path: &Path) -> bool {
    path.to_string_lossy().to_ascii_lowercase().starts_with(r"\\.\pipe\")
}

pub(crate) fn endpoint_within(_folder: &Path, name: &str) -> PathBuf {
    format!(r"\\.\pipe\forebay-{}-{name}", secret()).into()
}

pub(super) fn wide(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().chain([0]).collect()
}

pub(crate) fn listens(endpoint: &Endpoint) -> bool {
    let path = wide(endpoint.path());
    // SAFETY: the path ends with a NUL.
    let is_free = unsafe { WaitNamedPipeW(path.as_ptr(), NMPWAIT_NOWAIT) } != 0;
    is_free || io::Error::last_os_error().raw_os_error() == Some(ERROR_SEM_TIMEOUT as i32)
}

/// The access list of a pipe belongs to all its instances. node lets everybody read what it makes; whom we admit can
/// make further instances, so the worker itself goes on.
pub(crate) fn seal(endpoint: &Endpoint) {
    let path = wide(endpoint.path());
    let flags = SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    let access = READ_CONTROL | WRITE_DAC;
    // SAFETY: the path ends with a NUL; no attributes and no template are given.
    let handle = unsafe { CreateFileW(path.as_ptr(), access, 0, null(), OPEN_EXISTING, flags, null_mut()) };
    if handle == INVALID_HANDLE_VALUE {
        return;
    }
    // SAFETY: the call has succeeded, and nobody else owns what it opened.
    let pipe = unsafe { OwnedHandle::from_raw_handle(handle) };
    let Ok(ours) = Access::user() else { return };
    let Ok(list) = ours.list() else { return };
    let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the handle is open with the right to do this, the list is part of a descriptor that is alive.
    unsafe { SetSecurityInfo(pipe.as_raw_handle(), SE_KERNEL_OBJECT, what, null_mut(), null_mut(), list, null()) };
}

/// A pipe goes with the last handle to it.
pub(crate) fn remove_endpoint(_endpoint: &Endpoint) {}

pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let (path, access) = (wide(path), Access::folder()?);
    // SAFETY: the path ends with a NUL, the attributes are alive.
    check(unsafe { CreateDirectoryW(path.as_ptr(), access.as_ptr()) })
}

pub(crate) fn make_folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// Whoever may do anything on this machine may use the folder, too: keeping them out would be a gesture.
pub(crate) fn check_folder(path: &Path, _meta: &Metadata) -> Result<(), Exposed> {
    // The creator's name stands for whoever makes something in the folder, who is admitted under another name.
    const HARMLESS: [&str; 4] = ["BA", "SY", "CO", "OW"];
    let told = admitted(path).and_then(|names| Ok((names, user_name()?)));
    let (names, user) = told.map_err(|error| {
        Exposed::new(path, &format!("does not say who may use it ({error})"), "name another folder")
    })?;
    match names.iter().find(|name| **name != user && !HARMLESS.contains(&name.as_str())) {
        None => Ok(()),
        Some(other) => {
            let why = format!("is open to other users ({other}), only {user} and administrators are allowed");
            Err(Exposed::new(path, &why, "remove it, or name another folder"))
        }
    }
}

pub(crate) fn make_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}

pub(crate) fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

pub(crate) fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    // No access is asked for but to look.
    let named = OpenOptions::new().access_mode(0).open(path)?;
    Ok(number(file)? == number(&named)?)
}

pub(crate) fn is_there(file: &File) -> bool {
    let mut about = MaybeUninit::<FILE_STANDARD_INFO>::zeroed();
    let (at, room) = (about.as_mut_ptr().cast(), size_of_val(&about) as u32);
    // SAFETY: the handle is open, the structure is valid for writing as many bytes as are told.
    let known = unsafe { GetFileInformationByHandleEx(file.as_raw_handle(), FileStandardInfo, at, room) } != 0;
    // SAFETY: it is integers: zeroes are valid, and so is what the call wrote.
    let about = unsafe { about.assume_init() };
    known && about.NumberOfLinks > 0 && !about.DeletePending
}

/// Times alone would not do: who gets the name of one deleted within the last seconds gets its time, too.
pub(crate) fn identity(path: &Path, meta: &Metadata) -> u64 {
    let open = OpenOptions::new().access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path);
    let number = open.and_then(|file| number(&file)).map_or(0, |(_, high, low)| u64::from(high) << 32 | u64::from(low));
    number.rotate_left(32) ^ made(meta)
}

pub(crate) fn is_remote(path: &Path) -> bool {
    let path = path.to_string_lossy();
    path.starts_with(r"\\") && !path.starts_with(r"\\?\") || path.starts_with(r"\\?\UNC\")
}

/// Volume and number of an open file.
fn number(file: &File) -> io::Result<(u32, u32, u32)> {
    let mut about = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::zeroed();
    // SAFETY: the handle is open, the structure is valid for writing.
    check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), about.as_mut_ptr()) })?;
    // SAFETY: it is integers: zeroes are valid, and so is what the call wrote.
    let about = unsafe { about.assume_init() };
    Ok((about.dwVolumeSerialNumber, about.nFileIndexHigh, about.nFileIndexLow))
}

pub(crate) fn user() -> String {
    user_sid().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;

    #[test]
    fn a_new_folder_is_ours_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run");
        assert_eq!(files::private_folder(&path), Ok(true));
        assert_eq!(files::private_folder(&path), Ok(false));
        assert!(files::private_folder(&temp.path().join("no/such")).unwrap_err().what.starts_with("cannot make"));
        std::fs::write(path.join("file"), "").unwrap();
        assert!(files::private_folder(&path.join("file")).unwrap_err().what.ends_with("is not a folder"));
    }

    #[test]
    fn a_file_that_was_moved_has_lost_its_name() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("log");
        let file = files::log_file(&path).unwrap();
        assert!(files::is_named(&file, &path));
        std::fs::rename(&path, temp.path().join("log.1")).unwrap();
        assert!(!files::is_named(&file, &path));
        let _other = files::log_file(&path).unwrap();
        assert!(!files::is_named(&file, &path));
    }

    #[test]
    fn names_of_pipes_are_secret_and_lead_nowhere() {
        let endpoint = Endpoint::within(Path::new("C:\\x"), "w0.1.sock");
        assert!(endpoint.to_string().starts_with(r"\\.\pipe\forebay-"));
        assert!(!endpoint.listens());
        endpoint.seal();
        endpoint.remove();
    }
}
