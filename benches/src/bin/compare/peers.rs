//! The contenders: how each is found, configured and started with the same application.

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::process::{Tree, Usage, usage};

const APP: &str = include_str!("../../../peers/app.js");
const CLUSTER: &str = include_str!("../../../peers/cluster.js");
const NGINX: &str = include_str!("../../../peers/nginx.conf");
const HAPROXY: &str = include_str!("../../../peers/haproxy.cfg");

/// Directives that keep bodies in memory, where nginx's defaults go through small buffers and temporary files.
const NGINX_TUNING: &str = "client_body_buffer_size 1m; proxy_buffer_size 16k; proxy_buffers 40 32k; \
    proxy_busy_buffers_size 256k; proxy_max_temp_file_size 0;";

/// Time a contender may take until it answers. 30 s.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Who serves the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// Forebay, as `forebay APP`.
    Forebay,
    /// One node process, without anything in front.
    Bare,
    /// node's cluster module.
    Cluster,
    /// nginx in front of node processes, its buffering as it comes.
    Nginx,
    /// nginx with buffers that keep bodies in memory.
    NginxTuned,
    /// HAProxy in front of node processes.
    Haproxy,
}

impl Peer {
    /// All of them, in the order they are measured in.
    pub(crate) const ALL: [Self; 6] =
        [Self::Forebay, Self::Bare, Self::Cluster, Self::Nginx, Self::NginxTuned, Self::Haproxy];

    /// Its name in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Forebay => "forebay",
            Self::Bare => "bare",
            Self::Cluster => "cluster",
            Self::Nginx => "nginx",
            Self::NginxTuned => "nginx-tuned",
            Self::Haproxy => "haproxy",
        }
    }

    /// The program it needs beside node.
    const fn program(self) -> Option<&'static str> {
        match self {
            Self::Nginx | Self::NginxTuned => Some("nginx"),
            Self::Haproxy => Some("haproxy"),
            Self::Forebay | Self::Bare | Self::Cluster => None,
        }
    }
}

/// What all contenders have in common.
pub(crate) struct Common {
    /// A folder for scripts, sockets and logs.
    pub(crate) folder: PathBuf,
    /// The binary under test.
    pub(crate) forebay: PathBuf,
    /// Arguments for it beside the application, the address and the number of workers.
    pub(crate) forebay_args: Vec<String>,
    /// node processes, and threads or processes of what is in front of them.
    pub(crate) workers: usize,
}

impl Common {
    /// Writes the scripts.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn write_scripts(&self) -> io::Result<()> {
        fs::write(self.path("app.js"), APP)?;
        fs::write(self.path("cluster.js"), CLUSTER)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A program on the search path, or where packages put daemons.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A contender that serves.
pub(crate) struct Contender {
    /// Which.
    pub(crate) peer: Peer,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    trees: Vec<Tree>,
}

impl Contender {
    /// Starts `peer` and waits until it answers. `Err` with `NotFound` if something it needs is not installed.
    ///
    /// # Errors
    /// As said, or it did not start: the message holds the end of its log.
    pub(crate) fn start(peer: Peer, common: &Common) -> io::Result<Self> {
        let program = peer.program().map_or(Ok(common.forebay.clone()), |name| {
            find_program(name).ok_or_else(|| io::Error::new(ErrorKind::NotFound, format!("{name} is not installed")))
        })?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut contender = Self { peer, address: (Ipv4Addr::LOCALHOST, port).into(), trees: Vec::new() };
        let log = common.path(&format!("{}.log", peer.name()));
        contender.start_trees(&program, port, common, &log)?;
        let address = contender.address;
        contender.wait_for(&log, || answers(address).unwrap_or(false))?;
        Ok(contender)
    }

    fn start_trees(&mut self, program: &Path, port: u16, common: &Common, log: &Path) -> io::Result<()> {
        let node = |script: &str| {
            let mut command = Command::new("node");
            command.arg(common.path(script)).env("PORT", port.to_string());
            command.env("APP", common.path("app.js")).env("WORKERS", common.workers.to_string());
            command
        };
        let mut front = match self.peer {
            Peer::Bare => node("app.js"),
            Peer::Cluster => node("cluster.js"),
            Peer::Forebay => {
                let mut command = Command::new(program);
                command.args(&common.forebay_args).arg("--listen").arg(self.address.to_string());
                command.arg("--workers").arg(common.workers.to_string()).arg(common.path("app.js"));
                command
            }
            Peer::Nginx | Peer::NginxTuned | Peer::Haproxy => {
                let sockets: Vec<PathBuf> =
                    (0..common.workers).map(|i| common.path(&format!("{}-{i}.sock", self.peer.name()))).collect();
                for socket in &sockets {
                    self.trees.push(Tree::start(node("app.js").env("PORT", socket), log)?);
                }
                // A front that finds nobody there leaves a worker out for a while, and that would be measured.
                for socket in &sockets {
                    self.wait_for(log, || UnixStream::connect(socket).is_ok())?;
                }
                let config = common.path(&format!("{}.conf", self.peer.name()));
                fs::write(&config, self.config(port, &sockets, common))?;
                let mut command = Command::new(program);
                command.arg(if self.peer == Peer::Haproxy { "-f" } else { "-c" }).arg(config);
                command
            }
        };
        self.trees.push(Tree::start(front.current_dir(&common.folder), log)?);
        Ok(())
    }

    fn config(&self, port: u16, sockets: &[PathBuf], common: &Common) -> String {
        let lines = |line: &dyn Fn(usize, &str) -> String| {
            let lines: Vec<String> = sockets.iter().zip(0..).map(|(s, i)| line(i, &s.to_string_lossy())).collect();
            lines.join("\n    ")
        };
        let root = rustix::process::geteuid().is_root();
        let template = if self.peer == Peer::Haproxy { HAPROXY } else { NGINX };
        template
            .replace("{port}", &port.to_string())
            .replace("{workers}", &common.workers.to_string())
            .replace("{work}", &common.folder.to_string_lossy())
            // As another user its workers could not open the folder.
            .replace("{user}", if root { "user root;" } else { "" })
            .replace("{tuning}", if self.peer == Peer::NginxTuned { NGINX_TUNING } else { "" })
            .replace("{upstreams}", &lines(&|_, socket| format!("server unix:{socket};")))
            .replace("{servers}", &lines(&|i, socket| format!("server s{i} unix@{socket}")))
    }

    fn wait_for(&mut self, log: &Path, is_there: impl Fn() -> bool) -> io::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while self.trees.iter_mut().all(Tree::is_running) && Instant::now() < deadline {
            if is_there() {
                return Ok(());
            }
            sleep(Duration::from_millis(50));
        }
        let said = fs::read_to_string(log).unwrap_or_default();
        let tail: Vec<&str> = said.lines().rev().take(10).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        Err(io::Error::other(format!("{} did not start; it said:\n{}", self.peer.name(), tail.join("\n"))))
    }

    /// Whether all of its processes run still.
    pub(crate) fn is_running(&mut self) -> bool {
        self.trees.iter_mut().all(Tree::is_running)
    }

    /// What it has used up to now.
    pub(crate) fn usage(&self) -> Usage {
        let roots: Vec<u32> = self.trees.iter().map(Tree::root).collect();
        usage(&roots)
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // The front first, so that it does not complain of missing workers.
        while let Some(tree) = self.trees.pop() {
            drop(tree);
        }
    }
}

fn answers(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(reply.starts_with(b"HTTP/1.1 200 "))
}
