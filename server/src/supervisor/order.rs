//! What a worker process is started with: the command, its environment, its place.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Stdio;

use forebay_core::id::Generation;
use forebay_core::worker::SpawnFault;
use forebay_transports::Endpoint;

use crate::config::Launch;
use crate::spawn::{self, Place, Process};

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
pub fn start(order: &Order<'_>) -> Result<Process, SpawnFault> {
    let mut command = spawn::command(&order.launch.program, &order.launch.args);
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    command
        .current_dir(&order.launch.cwd)
        .envs(environment(order, |name| std::env::var_os(name)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let place = Place { cpu: order.cpu, batch: order.batch, preloaded: order.preload.is_some() };
    Process::start(&mut command, &place).map_err(|error| spawn::fault(&error, &order.launch.cwd))
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
    for (name, value) in spawn::ENVIRONMENT {
        if lookup(name).is_none() {
            set(name, (*value).into());
        }
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
    let bytes = path.as_encoded_bytes();
    if !bytes.iter().any(|b| matches!(b, b' ' | b'"')) {
        return path.to_os_string();
    }
    let mut quoted = vec![b'"'];
    for &b in bytes {
        if matches!(b, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(b);
    }
    quoted.push(b'"');
    // SAFETY: the bytes are an `OsStr`'s, with ASCII before ASCII and at both ends.
    unsafe { OsString::from_encoded_bytes_unchecked(quoted) }
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
        let systems = spawn::ENVIRONMENT.iter().map(|(name, value)| format!("{name}={value}"));
        let expected: Vec<String> = expected.map(str::to_owned).into_iter().chain(systems).collect();
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
}
