//! Counts what one watched thread allocates and copies.
//!
//! Allocations pass the global allocator below. Copies of a length that is not known at compile time, and long ones,
//! are calls of `memcpy` or `memmove`: the linker leads them here (see build.rs), those of dependencies and of the
//! standard library included. What it cannot see are copies of a few bytes that the compiler made inline.

use std::alloc::{GlobalAlloc, Layout};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::ops::Sub;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use mimalloc::MiMalloc;

/// Bytes of one copy from which it counts as that of a body. 4 KiB.
pub(crate) const LARGE_COPY_BYTES: usize = 4096;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static ALLOCATED_BYTES: AtomicU64 = AtomicU64::new(0);
static COPIED_BYTES: AtomicU64 = AtomicU64::new(0);
static LARGE_COPIES: AtomicU64 = AtomicU64::new(0);
/// Allocations until the one whose backtrace is printed; 0 for none.
static TRACE_IN: AtomicU64 = AtomicU64::new(0);
/// Bytes of a copy from which its backtrace is printed, once a length.
static TRACE_COPIES_FROM: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Copies by length, while they are traced; the last element is for all longer ones.
static TRACED: [AtomicU64; LARGE_COPY_BYTES + 1] = [const { AtomicU64::new(0) }; LARGE_COPY_BYTES + 1];

/// What the watched thread has done up to a moment, or between two.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Calls of the allocator for memory.
    pub(crate) allocations: u64,
    /// Bytes asked for.
    pub(crate) allocated_bytes: u64,
    /// Bytes copied by `memcpy` and `memmove`.
    pub(crate) copied_bytes: u64,
    /// Copies of [`LARGE_COPY_BYTES`] or more.
    pub(crate) large_copies: u64,
}

impl Tally {
    /// Up to now.
    pub(crate) fn now() -> Self {
        Self {
            allocations: ALLOCATIONS.load(Relaxed),
            allocated_bytes: ALLOCATED_BYTES.load(Relaxed),
            copied_bytes: COPIED_BYTES.load(Relaxed),
            large_copies: LARGE_COPIES.load(Relaxed),
        }
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            allocations: self.allocations - earlier.allocations,
            allocated_bytes: self.allocated_bytes - earlier.allocated_bytes,
            copied_bytes: self.copied_bytes - earlier.copied_bytes,
            large_copies: self.large_copies - earlier.large_copies,
        }
    }
}

/// Counts the calling thread from now on. One thread at a time: it is the only writer of the counters.
pub(crate) fn watch_this_thread() {
    WATCHED.set(true);
}

/// Prints a backtrace at the watched thread's first copy of each length from `bytes` on; [`usize::MAX`] for none.
pub(crate) fn trace_copies(bytes: usize) {
    TRACE_COPIES_FROM.store(bytes, Relaxed);
}

/// Prints a backtrace at the watched thread's `nth` allocation from now; 0 for none.
pub(crate) fn trace_allocation(nth: u64) {
    TRACE_IN.store(nth, Relaxed);
}

fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed) + n, Relaxed);
}

fn is_watched() -> bool {
    // Gone already when a thread ends.
    WATCHED.try_with(Cell::get).unwrap_or(false)
}

fn on_allocation(bytes: usize) {
    if !is_watched() {
        return;
    }
    add(&ALLOCATIONS, 1);
    add(&ALLOCATED_BYTES, bytes as u64);
    match TRACE_IN.load(Relaxed) {
        0 => {}
        1 => {
            TRACE_IN.store(0, Relaxed);
            print_backtrace("allocation", bytes);
        }
        left => TRACE_IN.store(left - 1, Relaxed),
    }
}

fn on_copy(bytes: usize) {
    if !is_watched() {
        return;
    }
    add(&COPIED_BYTES, bytes as u64);
    add(&LARGE_COPIES, u64::from(bytes >= LARGE_COPY_BYTES));
    if bytes >= TRACE_COPIES_FROM.load(Relaxed) {
        let seen = &TRACED[bytes.min(LARGE_COPY_BYTES)];
        add(seen, 1);
        if seen.load(Relaxed) == 1 {
            print_backtrace("copy", bytes);
        }
    }
}

fn print_backtrace(what: &str, bytes: usize) {
    WATCHED.set(false);
    eprintln!("{what} of {bytes} bytes:\n{}", Backtrace::force_capture());
    WATCHED.set(true);
}

/// Prints how often each length was copied while copies were traced, the most bytes first.
pub(crate) fn print_traced_copies() {
    let mut lengths: Vec<(u64, usize)> =
        TRACED.iter().map(|n| n.swap(0, Relaxed)).zip(0..).filter(|l| l.0 > 0).collect();
    lengths.sort_by_key(|&(count, bytes)| std::cmp::Reverse(count * bytes as u64));
    for (count, bytes) in lengths {
        eprintln!("{count} copies of {bytes} bytes");
    }
}

/// The allocator of the server itself, counting.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        on_allocation(layout.size());
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        on_allocation(layout.size());
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        on_allocation(size);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.realloc(memory, layout, size) }
    }
}

/// Whether copies are counted in this build.
pub(crate) const COUNTS_COPIES: bool = cfg!(wrapped_copies);

#[cfg(wrapped_copies)]
mod wrapped {
    use std::ffi::c_void;

    unsafe extern "C" {
        fn __real_memcpy(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
        fn __real_memmove(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
    }

    // SAFETY: the linker's name for calls of `memcpy`; the meaning is the same.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __wrap_memcpy(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void {
        super::on_copy(bytes);
        // SAFETY: the caller's promise.
        unsafe { __real_memcpy(to, from, bytes) }
    }

    // SAFETY: the linker's name for calls of `memmove`; the meaning is the same.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __wrap_memmove(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void {
        super::on_copy(bytes);
        // SAFETY: the caller's promise.
        unsafe { __real_memmove(to, from, bytes) }
    }
}

#[cfg(not(wrapped_copies))]
const _: fn(usize) = on_copy;
