//! Who may use what we make, and who may use what is there: access lists.

use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;
use std::{fmt, io};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1, SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, GetTokenInformation, OWNER_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::check;

/// Bytes of what a token says of its user: the structure and the longest SID (68 bytes).
const USER_BYTES_MAX: usize = size_of::<TOKEN_USER>() + 68;

/// Security attributes for what we make: who may use it.
pub struct Access(SECURITY_ATTRIBUTES);

impl Access {
    /// The user of this process, and nobody else; protected from what is inherited.
    ///
    /// # Errors
    /// The system's.
    pub fn user() -> io::Result<Self> {
        Self::new(&format!("D:P(A;;GA;;;{})", user_sid()?))
    }

    /// As [`user`](Self::user), for a folder and all that will be in it.
    ///
    /// # Errors
    /// The system's.
    pub fn folder() -> io::Result<Self> {
        Self::new(&format!("D:P(A;OICI;FA;;;{})", user_sid()?))
    }

    /// The user of this process, and those who may do anything on this machine: its administrators and the system.
    ///
    /// # Errors
    /// The system's.
    pub fn operators() -> io::Result<Self> {
        Self::new(&format!("D:P(A;;GA;;;{})(A;;GA;;;BA)(A;;GA;;;SY)", user_sid()?))
    }

    /// What a descriptor in SDDL says.
    fn new(text: &str) -> io::Result<Self> {
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
        // SAFETY: the text ends with a NUL, the descriptor is valid for writing; no size is asked for.
        let made = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                null_mut(),
            )
        };
        check(made)?;
        Ok(Self(SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor,
            bInheritHandle: 0,
        }))
    }

    /// As the system's calls want it.
    #[must_use]
    pub const fn as_ptr(&self) -> *const SECURITY_ATTRIBUTES {
        &raw const self.0
    }

    /// The access list alone.
    pub(super) fn list(&self) -> io::Result<*const ACL> {
        let (mut is_there, mut list, mut is_default) = (0, null_mut(), 0);
        let descriptor = self.0.lpSecurityDescriptor;
        // SAFETY: the descriptor is ours and valid; all three are valid for writing.
        check(unsafe { GetSecurityDescriptorDacl(descriptor, &raw mut is_there, &raw mut list, &raw mut is_default) })?;
        Ok(list)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        // SAFETY: the system allocated the descriptor for us, and nobody has it any more.
        unsafe { LocalFree(self.0.lpSecurityDescriptor) };
    }
}

/// Who owns a file or folder, and whom its access list admits, as SDDL names them: `BA`, `S-1-5-21-…`.
pub(super) fn admitted(path: &Path) -> io::Result<Vec<String>> {
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    let what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    // SAFETY: the path ends with a NUL, the descriptor is valid for writing; no part of it is asked for.
    let error = unsafe {
        let (owner, group, list, audit) = (null_mut(), null_mut(), null_mut(), null_mut());
        GetNamedSecurityInfoW(path.as_ptr(), SE_FILE_OBJECT, what, owner, group, list, audit, &raw mut descriptor)
    };
    if error != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(error as i32));
    }
    let descriptor = Access(SECURITY_ATTRIBUTES { nLength: 0, lpSecurityDescriptor: descriptor, bInheritHandle: 0 });
    Ok(names(&descriptor.to_sddl(what)?))
}

/// How SDDL names the user of this process.
pub(super) fn user_name() -> io::Result<String> {
    let described = Access::new(&format!("O:{0}D:(A;;GA;;;{0})", user_sid()?))?;
    let names = names(&described.to_sddl(OWNER_SECURITY_INFORMATION)?);
    names.into_iter().next().ok_or(io::ErrorKind::InvalidData.into())
}

/// The owner, then all who are admitted, in `O:BAD:P(A;OICI;FA;;;SY)(A;;FR;;;S-1-1-0)`. Who is denied something is no
/// concern.
fn names(sddl: &str) -> Vec<String> {
    let (head, entries) = sddl.split_once("D:").unwrap_or((sddl, ""));
    let owner = head.strip_prefix("O:").unwrap_or_default();
    let owner = owner.split("G:").next().unwrap_or_default();
    let entries = entries.split("S:(").next().unwrap_or_default();
    let admitted = entries.split('(').skip(1).filter_map(|entry| {
        let mut fields = entry.split(')').next()?.split(';');
        let kind = fields.next()?;
        fields.nth(4).filter(|_| kind != "D" && kind != "OD")
    });
    // An access list that is not there admits everybody.
    let everybody = (!sddl.contains("D:") && !owner.is_empty()).then_some("WD");
    std::iter::once(owner).chain(admitted).chain(everybody).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl Access {
    fn to_sddl(&self, what: u32) -> io::Result<String> {
        let mut text: *mut u16 = null_mut();
        let descriptor = self.0.lpSecurityDescriptor;
        // SAFETY: the descriptor is valid, the pointer valid for writing; no length is asked for.
        let made = unsafe {
            ConvertSecurityDescriptorToStringSecurityDescriptorW(
                descriptor,
                SDDL_REVISION_1,
                what,
                &raw mut text,
                null_mut(),
            )
        };
        check(made)?;
        Ok(take(text))
    }
}

/// A text that the system has allocated for us.
fn take(text: *mut u16) -> String {
    // SAFETY: the text ends with a NUL, so each unit up to it can be read.
    let units = (0..).map(|at| unsafe { *text.wrapping_add(at) }).take_while(|unit| *unit != 0);
    let copy = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    // SAFETY: the system allocated the text for us, and it was copied.
    unsafe { LocalFree(text.cast()) };
    copy
}

/// The SID of this process's user as text, such as `S-1-5-21-…`.
pub(super) fn user_sid() -> io::Result<String> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the pseudo handle of this process is always valid.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the handle is valid for writing.
    check(unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: the call has succeeded, and nobody else owns what it opened.
    let _token = unsafe { OwnedHandle::from_raw_handle(token) };

    // Of 64-bit integers, for the structure's alignment.
    let mut user = [0_u64; USER_BYTES_MAX.div_ceil(8)];
    let (room, mut used) = (size_of_val(&user) as u32, 0);
    // SAFETY: the buffer is valid for as many bytes as are told, and the count for writing.
    check(unsafe { GetTokenInformation(token, TokenUser, user.as_mut_ptr().cast(), room, &raw mut used) })?;
    // SAFETY: the call has put the structure at the buffer's start, which is aligned for it.
    let sid = unsafe { (*user.as_ptr().cast::<TOKEN_USER>()).User.Sid };

    let mut text: *mut u16 = null_mut();
    // SAFETY: the SID points into the buffer, which is alive; the pointer is valid for writing.
    check(unsafe { ConvertSidToStringSidW(sid, &raw mut text) })?;
    Ok(take(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_admitted() {
        let told = names("O:BAG:BAD:P(A;OICI;FA;;;SY)(D;;FA;;;AN)(A;;FR;;;S-1-1-0)S:(AU;SA;FA;;;WD)");
        assert_eq!(told[0], "BA");
        assert_eq!(told[1..], ["SY", "S-1-1-0"], "{told:?}");
        assert_eq!(names("O:LA"), ["LA", "WD"], "without a list everybody is");
        assert_eq!(names("O:LAD:"), ["LA"], "of an empty list nobody is");
    }

    #[test]
    fn the_user_has_a_name() {
        assert!(user_sid().unwrap().starts_with("S-1-"));
        assert!(!user_name().unwrap().is_empty());
    }
}
