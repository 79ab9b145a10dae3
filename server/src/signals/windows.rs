//! The console's events, and two named events for other processes.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use crossbeam::channel::Sender;
use forebay_transports::windows::Access;
use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_LOGOFF_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows_sys::Win32::System::Threading::{
    CreateEventW, EVENT_MODIFY_STATE, INFINITE, OpenEventW, SYNCHRONIZATION_SYNCHRONIZE, SetEvent,
    WaitForMultipleObjects,
};

use super::Order;
use crate::supervisor::Command;

/// Told by the console, on a thread of the system's.
static TOLD: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

pub(super) fn install(commands: Sender<Command>) -> io::Result<()> {
    let pid = std::process::id();
    let orders = [Order::Stop, Order::Reload];
    let events = [create(pid, orders[0])?, create(pid, orders[1])?];
    let to = commands.clone();
    let receive = move || {
        let handles = [events[0].as_raw_handle(), events[1].as_raw_handle()];
        loop {
            // SAFETY: both handles are open, and as many are told.
            let which = unsafe { WaitForMultipleObjects(2, handles.as_ptr(), 0, INFINITE) }.wrapping_sub(WAIT_OBJECT_0);
            let Some(&order) = orders.get(which as usize) else { return };
            if to.send(order.into()).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).stack_size(64 * 1024).spawn(receive)?;
    listen(Box::new(move || {
        let _ended = commands.send(Command::Stop);
    }))
}

pub(super) fn set(flag: &Arc<AtomicBool>) -> io::Result<()> {
    let flag = Arc::clone(flag);
    listen(Box::new(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(1);
        }
    }))
}

fn listen(told: Box<dyn Fn() + Send + Sync>) -> io::Result<()> {
    if TOLD.set(told).is_err() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // SAFETY: the handler is a function that lives as long as the process.
    check(unsafe { SetConsoleCtrlHandler(Some(on_event), 1) })
}

/// When the window closes, the user logs off or the machine shuts down, the system ends us as soon as this returns, and
/// after some seconds anyway: it waits for the end here.
unsafe extern "system" fn on_event(event: u32) -> i32 {
    // Somebody else's logging off is no business of a service's.
    if event == CTRL_LOGOFF_EVENT && is_service() {
        return 1;
    }
    if let Some(told) = TOLD.get() {
        told();
    }
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        loop {
            thread::park();
        }
    }
    1
}

/// Session 0 is the services'.
fn is_service() -> bool {
    let mut session = u32::MAX;
    // SAFETY: the number is valid for writing.
    let known = unsafe { ProcessIdToSessionId(std::process::id(), &raw mut session) };
    known != 0 && session == 0
}

pub(super) fn tell(pid: u32, order: Order) -> io::Result<()> {
    let event = open(pid, order, EVENT_MODIFY_STATE)?;
    // SAFETY: the handle is open, with the right to do this.
    check(unsafe { SetEvent(event.as_raw_handle()) })
}

/// Whether a process of ours can be told.
pub(super) fn hears(pid: u32) -> bool {
    open(pid, Order::Stop, SYNCHRONIZATION_SYNCHRONIZE).is_ok()
}

/// In the namespace of all sessions, so that a service can be told.
fn name(pid: u32, order: Order) -> Vec<u16> {
    let what = match order {
        Order::Stop => "stop",
        Order::Reload => "reload",
    };
    format!("Global\\forebay-{pid}-{what}\0").encode_utf16().collect()
}

/// Of which every set wakes one wait.
fn create(pid: u32, order: Order) -> io::Result<OwnedHandle> {
    let (name, access) = (name(pid, order), Access::operators()?);
    // SAFETY: the name ends with a NUL, the attributes are alive.
    own(unsafe { CreateEventW(access.as_ptr(), 0, 0, name.as_ptr()) })
}

fn open(pid: u32, order: Order, rights: u32) -> io::Result<OwnedHandle> {
    let name = name(pid, order);
    // SAFETY: the name ends with a NUL.
    own(unsafe { OpenEventW(rights, 0, name.as_ptr()) })
}

fn own(handle: *mut std::ffi::c_void) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and nobody else owns what it made or opened.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
