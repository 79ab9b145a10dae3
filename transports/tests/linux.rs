//! What the Linux back ends ask of the kernel beyond the contract: scheduling, a refused io_uring, a crowded ring.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as tests do")]

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use forebay_core::buf::{ChunkSize, Pool};
use forebay_transports::compio::Compio;
use forebay_transports::monoio::{Monoio, Stream};
use forebay_transports::{Conn, Endpoint, Engine, EngineOptions, Entrance};
use tracing::field::{Field, Visit};
use tracing::span;

fn on_a_thread<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(test).join().unwrap()
}

/// The vCPUs the calling thread may run on.
fn cpus() -> Vec<usize> {
    // SAFETY: a `cpu_set_t` is an array of integers.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid for writing its size.
    let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    assert_eq!(result, 0);
    // SAFETY: the bits are inside the set.
    (0..1024).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect()
}

fn options_are_applied<E: Engine>() {
    on_a_thread(|| {
        let cpu = *cpus().last().unwrap();
        let options = EngineOptions { cpu: Some(cpu), batch: true };
        E::run(&options, || async move {
            assert_eq!(cpus(), [cpu]);
            // SAFETY: no memory is involved; 0 is the calling thread.
            assert_eq!(unsafe { libc::sched_getscheduler(0) }, libc::SCHED_BATCH);
        })
        .unwrap();
    });
    on_a_thread(|| {
        // A vCPU that is not there is no reason not to serve.
        let options = EngineOptions { cpu: Some(100_000), batch: false };
        E::run(&options, || async {}).unwrap();
    });
}

#[test]
fn shards_are_pinned_and_scheduled_as_batches() {
    options_are_applied::<Monoio>();
    options_are_applied::<Compio>();
}

/// Keeps the warnings of one thread.
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, _field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{value:?}").unwrap();
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
    fn enter(&self, _span: &span::Id) {}
    fn exit(&self, _span: &span::Id) {}
}

/// Makes `io_uring_setup` fail with `EPERM` on this thread for good, as a container's seccomp profile does.
fn refuse_io_uring() {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).unwrap(), jt, jf, k };
    let setup = u32::try_from(libc::SYS_io_uring_setup).unwrap();
    let refusal = libc::SECCOMP_RET_ERRNO | u32::try_from(libc::EPERM).unwrap();
    let mut filter = [
        // The call's number is the first word of what is filtered.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, setup),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, refusal),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the program is valid while the call lasts, and is copied.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

#[test]
fn where_io_uring_is_refused_epoll_serves_and_one_warning_says_why() {
    let warnings = Arc::default();
    for _ in 0..2 {
        let kept = Warnings(Arc::clone(&warnings));
        on_a_thread(|| {
            refuse_io_uring();
            let run = || Monoio::run(&EngineOptions::default(), || async { Monoio::driver() });
            assert_eq!(tracing::subscriber::with_default(kept, run).unwrap(), "epoll");
        });
    }
    on_a_thread(|| {
        refuse_io_uring();
        let driver = Compio::run(&EngineOptions::default(), || async { Compio::driver() });
        assert_eq!(driver.unwrap(), "epoll");
    });
    let warnings = warnings.lock().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let expected = "io_uring is not available, epoll is used instead: ";
    assert!(warnings[0].starts_with(expected), "{warnings:?}");
    assert!(warnings[0].contains("seccomp") || warnings[0].contains("io_uring_disabled"), "{warnings:?}");
}

/// Run again by itself, in a process with the variable.
#[test]
fn the_environment_can_force_epoll() {
    const VARIABLE: &str = "FOREBAY_FORCE_EPOLL";
    if std::env::var_os(VARIABLE).is_none() {
        let test = std::env::current_exe().unwrap();
        let status = std::process::Command::new(test)
            .args(["--exact", "the_environment_can_force_epoll"])
            .env(VARIABLE, "1")
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let driver = on_a_thread(|| Monoio::run(&EngineOptions::default(), || async { Monoio::driver() }));
    assert_eq!(driver.unwrap(), "epoll");
}

#[test]
fn more_completions_than_the_ring_holds_are_not_lost() {
    const CONNECTIONS: usize = 9000;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is valid for writing.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the struct is valid for reading.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    if limit.rlim_cur < 2 * CONNECTIONS as u64 + 100 {
        return;
    }
    on_a_thread(|| {
        Monoio::run(&EngineOptions::default(), || async {
            let pool = Pool::new(0);
            let done = std::rc::Rc::new(std::cell::Cell::new(0));
            let mut peers = Vec::new();
            for _ in 0..CONNECTIONS {
                let (peer, ours) = UnixStream::pair().unwrap();
                peers.push(peer);
                let ours = Stream::adopt(ours).unwrap();
                let (pool, done) = (pool.clone(), std::rc::Rc::clone(&done));
                Monoio::spawn(async move {
                    let (result, _) = ours.read(pool.take(ChunkSize::Small)).await;
                    done.set(done.get() + result.unwrap());
                });
            }
            // All reads are in flight; now all complete before the ring is looked at.
            Monoio::sleep_until(Monoio::now() + std::time::Duration::from_millis(1)).await;
            for peer in &mut peers {
                peer.write_all(b"x").unwrap();
            }
            let deadline = Monoio::now() + std::time::Duration::from_secs(20);
            while done.get() < CONNECTIONS {
                assert!(Monoio::now() < deadline, "{} of {CONNECTIONS}", done.get());
                Monoio::sleep_until(Monoio::now() + std::time::Duration::from_millis(1)).await;
            }
        })
        .unwrap();
    });
}

fn entrances_are_files<E: Engine<Upstream: std::os::fd::AsFd>>() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::new(folder.path().join("entrance"));
    // What is no socket is somebody's: it is not replaced.
    std::fs::write(endpoint.path(), "a file").unwrap();
    on_a_thread(move || {
        E::run(&EngineOptions::default(), || async move {
            assert_eq!(E::open(&endpoint).err().unwrap().kind(), io::ErrorKind::AddrInUse);
            assert_eq!(std::fs::read(endpoint.path()).unwrap(), b"a file");
            std::fs::remove_file(endpoint.path()).unwrap();

            let entrance = E::open(&endpoint).unwrap();
            let plain = UnixStream::connect(endpoint.path()).unwrap();
            let ours = entrance.accept().await.unwrap();
            let buffer = |socket: socket2::SockRef<'_>| socket.send_buffer_size().unwrap();
            let (ours, plain) = (socket2::SockRef::from(&ours), socket2::SockRef::from(&plain));
            assert!(buffer(ours) > buffer(plain), "larger buffers were asked for");

            // What took the file's place is not removed with the entrance.
            std::fs::remove_file(endpoint.path()).unwrap();
            std::fs::write(endpoint.path(), "another").unwrap();
            drop(entrance);
            assert_eq!(std::fs::read(endpoint.path()).unwrap(), b"another");
        })
        .unwrap();
    });
}

#[test]
fn an_entrance_replaces_and_removes_only_what_is_its_own() {
    entrances_are_files::<Monoio>();
    entrances_are_files::<Compio>();
}
