//! Who may use a pipe: the user of this process, and nobody else.

use std::io;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Bytes of what a token says of its user: the structure and the longest SID (68 bytes).
const USER_BYTES_MAX: usize = size_of::<TOKEN_USER>() + 68;

/// Security attributes that admit the user of this process only.
pub(super) struct OwnerOnly(SECURITY_ATTRIBUTES);

impl OwnerOnly {
    pub(super) fn new() -> io::Result<Self> {
        // Protected from what is inherited; all rights, for one user.
        let text: Vec<u16> = "D:P(A;;GA;;;".encode_utf16().chain(user_sid()?).chain(")\0".encode_utf16()).collect();
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

    pub(super) const fn as_ptr(&self) -> *const SECURITY_ATTRIBUTES {
        &raw const self.0
    }
}

impl Drop for OwnerOnly {
    fn drop(&mut self) {
        // SAFETY: the system allocated the descriptor for us, and nobody has it any more.
        unsafe { LocalFree(self.0.lpSecurityDescriptor) };
    }
}

/// The SID of this process's user as text, such as `S-1-5-21-…`.
fn user_sid() -> io::Result<Vec<u16>> {
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
    // SAFETY: the text ends with a NUL, so each unit up to it can be read.
    let units = (0..).map(|at| unsafe { *text.wrapping_add(at) }).take_while(|unit| *unit != 0).collect();
    // SAFETY: the system allocated the text for us, and it was copied.
    unsafe { LocalFree(text.cast()) };
    Ok(units)
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
