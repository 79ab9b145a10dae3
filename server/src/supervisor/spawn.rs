//! Makes a worker process: its environment, its place in the system, and that it dies with us.
//!
//! The only file of the supervisor with Unix in it besides `reap`, `watch`, `signals` and `runtime_dir`.
//!
//! The kernel kills a worker when the *thread* that made it ends (`PR_SET_PDEATHSIG`), so workers are made on the
//! supervisor's own thread only, which lives as long as the process.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use forebay_core::id::Generation;
use forebay_core::worker::SpawnFault;
use forebay_transports::Endpoint;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::config::Launch;

/// What to start, and where.
#[derive(Debug)]
pub struct Order<'a> {
    /// The command.
    pub launch: &'a Launch,
    /// The worker's number as the application sees it, from 0; the same before and after a reload.
    pub index: u16,
    /// Which of the slot's processes.
    pub generation: Generation,
    /// Where it is to listen.
    pub endpoint: &'a Endpoint,
    /// Where it is to dial in if it can take frames.
    pub pipe: Option<&'a Path>,
    /// A script that node loads first.
    pub preload: Option<&'a Path>,
    /// The vCPU it is pinned to.
    pub cpu: Option<usize>,
    /// Whether it runs under `SCHED_BATCH`.
    pub batch: bool,
}

/// Variables that speak to us, not to workers: node takes the first three for an open channel to a parent that it does
/// not have, the others are between systemd and this process.
const NOT_INHERITED: [&str; 9] = [
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Makes the process, with pipes on its stdout and stderr and nothing on its stdin.
///
/// # Errors
///
/// Says whether program, folder or the system is at fault.
pub fn spawn(order: &Order<'_>) -> Result<Child, SpawnFault> {
    let mut command = Command::new(&order.launch.program);
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    command
        .args(&order.launch.args)
        .current_dir(&order.launch.cwd)
        .envs(environment(order, |name| std::env::var_os(name)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let cpus = order.cpu.map(|cpu| {
        let mut set = CpuSet::new();
        set.set(cpu);
        set
    });
    let (parent, batch) = (getpid(), order.batch);
    let prepare = move || {
        reset_signals();
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Had we died before the line above, the kernel would not have noticed: then our parent is another by now.
        if getppid() != Some(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        // Where a worker runs is a matter of speed: a container that refuses this still gets its worker.
        if let Some(cpus) = &cpus {
            let _refused = sched_setaffinity(None, cpus);
        }
        if batch {
            batch_scheduling();
        }
        // Ours is off because we hold many small things; a worker's heap is another matter.
        #[cfg(target_os = "linux")]
        forebay_transports::allow_huge_pages(true);
        close_on_exec();
        Ok(())
    };
    // SAFETY: `prepare` makes system calls and nothing else: no allocation, no lock, no panic.
    unsafe { command.pre_exec(prepare) };
    command.spawn().map_err(|error| fault(&error, &order.launch.cwd))
}

fn fault(error: &io::Error, cwd: &Path) -> SpawnFault {
    let folder = || std::fs::metadata(cwd.join(".")).is_ok_and(|meta| meta.is_dir());
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EACCES | libc::ENOTDIR) if !folder() => SpawnFault::FolderMissing,
        Some(libc::ENOENT | libc::ENOTDIR) => SpawnFault::ProgramMissing,
        Some(libc::EACCES | libc::EPERM | libc::ENOEXEC) => SpawnFault::ProgramDenied,
        Some(_) | None => SpawnFault::Other(error.to_string()),
    }
}

/// What is added to our own environment. Later entries win; `ours` looks a variable up in our own.
pub fn environment(order: &Order<'_>, ours: impl Fn(&str) -> Option<OsString>) -> Vec<(OsString, OsString)> {
    let launch = order.launch;
    let lookup = |name: &str| {
        let theirs = launch.env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        theirs.or_else(|| ours(name))
    };
    let mut env = launch.env.clone();
    let mut set = |name: &str, value: OsString| env.push((name.into(), value));
    set("PORT", order.endpoint.path().into());
    set("FOREBAY_WORKER", order.index.to_string().into());
    set("FOREBAY_GENERATION", order.generation.0.to_string().into());
    if lookup("NODE_ENV").is_none() {
        set("NODE_ENV", "production".into());
    }
    if let Some(preload) = order.preload {
        set("FOREBAY_ENDPOINT", order.endpoint.path().into());
        if let Some(pipe) = order.pipe {
            set("FOREBAY_PIPE", pipe.into());
        }
        set("NODE_OPTIONS", node_options(lookup("NODE_OPTIONS"), preload));
    }
    if launch.indirect {
        set("FOREBAY_INHERIT", "1".into());
    }
    env
}

/// The user's options, then ours: the last `--require` runs last, after an APM that patches http first.
fn node_options(users: Option<OsString>, preload: &Path) -> OsString {
    let mut options = users.unwrap_or_default();
    if !options.is_empty() {
        options.push(" ");
    }
    options.push("--require ");
    options.push(quote(preload.as_os_str()));
    options
}

/// NODE_OPTIONS is split at spaces; double quotes hold an option together, and a backslash in them takes the next
/// character as it is.
fn quote(path: &OsStr) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let plain = |&b: &u8| !matches!(b, b' ' | b'"' | b'\\');
    if path.as_bytes().iter().all(plain) {
        return path.to_os_string();
    }
    let mut quoted = vec![b'"'];
    for &b in path.as_bytes() {
        if matches!(b, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(b);
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}

/// What we ignore or block (SIGPIPE; SIGHUP under nohup) is no business of the worker's.
fn reset_signals() {
    for signal in 1..32 {
        // SAFETY: the default disposition is valid for every signal; for SIGKILL and SIGSTOP the call just fails.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is to a signal set.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was initialised just now, and no old one is asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
}

fn batch_scheduling() {
    // SAFETY: a sched_param is plain integers; SCHED_BATCH wants priority 0.
    let param: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a sched_param, and 0 names the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const param) };
}

/// Everything we open is marked so already; a library that forgot must not leak a client's socket into a worker.
/// Kernels before 5.11 do not know the call, which is why marking is not left to it alone.
fn close_on_exec() {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: only sets a flag on descriptors, three and up.
    unsafe { libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(env: &[(&str, &str)], indirect: bool) -> Launch {
        Launch {
            program: "node".into(),
            args: vec!["server.js".into()],
            cwd: "/".into(),
            env: env.iter().map(|(k, v)| (k.into(), v.into())).collect(),
            indirect,
            title: "server.js".into(),
        }
    }

    fn env(launch: &Launch, preload: Option<&str>, ours: &[(&str, &str)]) -> Vec<String> {
        let endpoint = Endpoint::new("/run/w0.1.sock");
        let order = Order {
            launch,
            index: 0,
            generation: Generation(1),
            endpoint: &endpoint,
            pipe: None,
            preload: preload.map(Path::new),
            cpu: None,
            batch: false,
        };
        let lookup = |name: &str| ours.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        let text = |(k, v): (OsString, OsString)| format!("{}={}", k.to_string_lossy(), v.to_string_lossy());
        environment(&order, lookup).into_iter().map(text).collect()
    }

    #[test]
    fn a_plain_worker_gets_port_and_production() {
        let expected = ["PORT=/run/w0.1.sock", "FOREBAY_WORKER=0", "FOREBAY_GENERATION=1", "NODE_ENV=production"];
        assert_eq!(env(&launch(&[], false), None, &[]), expected);
    }

    #[test]
    fn the_users_settings_stay() {
        let launch =
            launch(&[("NODE_ENV", "test"), ("PORT", "3000"), ("NODE_OPTIONS", "--a"), ("NODE_OPTIONS", "--b")], true);
        let env = env(&launch, Some("/p/preload.cjs"), &[("NODE_OPTIONS", "--ours")]);
        let last = |name: &str| env.iter().rfind(|line| line.starts_with(name)).cloned().unwrap_or_default();
        assert_eq!(last("NODE_ENV="), "NODE_ENV=test");
        assert_eq!(last("PORT="), "PORT=/run/w0.1.sock");
        assert_eq!(last("NODE_OPTIONS="), "NODE_OPTIONS=--b --require /p/preload.cjs");
        assert_eq!(last("FOREBAY_INHERIT="), "FOREBAY_INHERIT=1");
    }

    #[test]
    fn our_own_environment_counts_as_the_users() {
        let env = env(&launch(&[], false), Some("/p"), &[("NODE_ENV", "staging"), ("NODE_OPTIONS", "--x")]);
        assert!(!env.iter().any(|line| line.starts_with("NODE_ENV=")));
        assert!(env.contains(&"NODE_OPTIONS=--x --require /p".to_string()));
    }

    #[test]
    fn paths_are_quoted_as_node_wants_it() {
        let table = [
            ("/a/b.cjs", "/a/b.cjs"),
            ("/a b/c.cjs", r#""/a b/c.cjs""#),
            (r#"/a"b\c"#, r#""/a\"b\\c""#),
            ("/ä b", "\"/ä b\""),
        ];
        for (path, quoted) in table {
            assert_eq!(quote(OsStr::new(path)), quoted, "{path}");
        }
    }

    #[test]
    fn whose_fault_it_is() {
        let missing = |program: &str, cwd: &str| {
            let mut launch = launch(&[], false);
            launch.program = program.into();
            launch.cwd = cwd.into();
            let endpoint = Endpoint::new("/x");
            let order = Order {
                launch: &launch,
                index: 0,
                generation: Generation(1),
                endpoint: &endpoint,
                pipe: None,
                preload: None,
                cpu: None,
                batch: false,
            };
            spawn(&order).err()
        };
        assert_eq!(missing("/no/such/program", "/"), Some(SpawnFault::ProgramMissing));
        assert_eq!(missing("/etc/passwd", "/"), Some(SpawnFault::ProgramDenied));
        assert_eq!(missing("true", "/no/such/folder"), Some(SpawnFault::FolderMissing));
    }
}
