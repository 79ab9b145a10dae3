//! Which driver a thread runs on, and why not io_uring where it is refused.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::Once;

use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};

/// Submissions a ring holds before it must be entered. A turn of the loop rarely has more, and where it has, the
/// price is one more system call per 1024 operations.
const SUBMISSIONS: u32 = 1024;

/// Completions a ring holds: a burst on that many connections fits. More are kept by the kernel and come later
/// (`IORING_FEAT_NODROP`), so this bounds no number of connections. 16 bytes each.
const COMPLETIONS: u32 = 8192;

/// Set to `1` in the environment, epoll is used although io_uring would be there: for tests.
const FORCE_EPOLL: &str = "FOREBAY_FORCE_EPOLL";

thread_local! {
    static NAME: Cell<&'static str> = const { Cell::new("io_uring") };
    static EPOLL_FORCED: Cell<bool> = const { Cell::new(false) };
}

/// Makes engines run on epoll on this thread from now on, as where io_uring is refused. For tests.
pub fn force_epoll_on_this_thread() {
    EPOLL_FORCED.set(true);
}

/// What drives IO on this thread.
pub(super) fn name() -> &'static str {
    NAME.get()
}

/// Whether this thread's sockets have to be non-blocking.
pub(super) fn is_epoll() -> bool {
    NAME.get() == "epoll"
}

/// A runtime with a timer. Never dropped: see the module's rules.
pub(super) enum Driver {
    Ring(ManuallyDrop<Runtime<TimeDriver<IoUringDriver>>>),
    Epoll(ManuallyDrop<Runtime<TimeDriver<LegacyDriver>>>),
}

impl Driver {
    /// The best there is for this thread.
    ///
    /// # Errors
    /// When neither can be set up, as without free descriptors.
    pub(super) fn new() -> io::Result<Self> {
        if EPOLL_FORCED.get() || std::env::var_os(FORCE_EPOLL).is_some_and(|value| value == "1") {
            return Self::epoll();
        }
        let refused = match ring() {
            Ok(runtime) if monoio::utils::detect_uring() => {
                NAME.set("io_uring");
                return Ok(Self::Ring(ManuallyDrop::new(runtime)));
            }
            Ok(_) => "the kernel is too old: it lacks operations that are needed".to_owned(),
            Err(error) => why_refused(&error).ok_or(error)?,
        };
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tracing::warn!("io_uring is not available, epoll is used instead: {refused}"));
        Self::epoll()
    }

    fn epoll() -> io::Result<Self> {
        NAME.set("epoll");
        let runtime = RuntimeBuilder::<LegacyDriver>::new().enable_timer().build()?;
        Ok(Self::Epoll(ManuallyDrop::new(runtime)))
    }

    pub(super) fn block_on<F: Future>(&mut self, main: F) -> F::Output {
        match self {
            Self::Ring(runtime) => runtime.block_on(main),
            Self::Epoll(runtime) => runtime.block_on(main),
        }
    }
}

fn ring() -> io::Result<Runtime<TimeDriver<IoUringDriver>>> {
    let mut flags = io_uring::IoUring::builder();
    flags.setup_cqsize(COMPLETIONS);
    let plain = flags.clone();
    flags.setup_single_issuer().setup_coop_taskrun();
    let build = |flags| {
        RuntimeBuilder::<IoUringDriver>::new().with_entries(SUBMISSIONS).uring_builder(flags).enable_timer().build()
    };
    match build(flags) {
        // Before Linux 6.0 the kernel does not know the flags; they only save work.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => build(plain),
        other => other,
    }
}

/// The likely cause of a refusal that epoll helps against; none for other errors.
fn why_refused(error: &io::Error) -> Option<String> {
    let cause = match error.raw_os_error()? {
        libc::ENOSYS => "the kernel has no io_uring, or a container's seccomp profile hides it",
        libc::EINVAL => "the kernel is too old: it lacks a feature that is needed",
        libc::ENOMEM => "locked memory is limited (see `ulimit -l`, LimitMEMLOCK=)",
        libc::EPERM | libc::EACCES => match std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled") {
            Ok(value) if value.trim() != "0" => {
                return Some(format!("the sysctl kernel.io_uring_disabled is {}", value.trim()));
            }
            Ok(_) | Err(_) => "a container's seccomp profile or a security module refuses it",
        },
        _ => return None,
    };
    Some(format!("{cause} ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_a_likely_cause_and_other_errors_none() {
        for (errno, word) in [(libc::ENOSYS, "seccomp"), (libc::EACCES, "refuses"), (libc::ENOMEM, "ulimit")] {
            let why = why_refused(&io::Error::from_raw_os_error(errno)).unwrap();
            assert!(why.contains(word), "{why}");
        }
        assert_eq!(why_refused(&io::Error::from_raw_os_error(libc::EMFILE)), None);
    }
}

/// Writes in a turn from which handing them to the ring together beats making each at once. One at a time, each wakes
/// its reader, which on a shared vCPU runs at once and leaves the rest waiting; in one submission they go first. Few
/// are better made at once: the completion of a submitted one costs another turn.
const BURST_MIN: usize = 4;

thread_local! {
    /// Writes that are still to come of a burst.
    static BURST: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn expect_writes(count: usize) {
    BURST.set(if count >= BURST_MIN && !is_epoll() { count } else { 0 });
}

/// Whether the next write is one of a burst.
pub(super) fn takes_write() -> bool {
    let left = BURST.get();
    BURST.set(left.saturating_sub(1));
    left > 0
}
