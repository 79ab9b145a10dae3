//! An application that runs: by node alone, or through Forebay.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use forebay::signals;
use forebay::signals::Order;

use crate::Mode;
use crate::catalogue::App;

/// Nothing here takes longer on a machine that works at all, however busy it is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether this Forebay has a transport of that name.
pub(crate) fn has_transport(name: &str) -> bool {
    let check = ["check", "--transport", name];
    let status = forebay().args(check).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.unwrap().success()
}

fn forebay() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_forebay")))
}

/// Without what this process's environment says about ports, and about Forebay.
fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["PORT", "NODE_OPTIONS"].contains(&&*name) || name.starts_with("FOREBAY_") {
            command.env_remove(name);
        }
    }
    // Next.js listens on the address of that name; in a container it is the container's.
    command.env("NODE_ENV", "production").env("HOSTNAME", "127.0.0.1");
    command
}

/// A server that answers, killed with the trial it runs for.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: tempfile::NamedTempFile,
    is_forebay: bool,
}

impl Server {
    /// Starts an application; returns once it accepts connections.
    pub(crate) fn start(folder: &Path, app: &App, mode: Mode) -> Result<Self, String> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let script = folder.join(app.script);
        let mut command = if mode == Mode::Node {
            let mut command = clean(Command::new("node"));
            command.arg(&script).env("PORT", address.port().to_string());
            command
        } else {
            let mut command = forebay();
            // One worker: what an application keeps in memory is there the next time.
            command.arg("run").arg(&script).args(["--workers", "1", "--transport", mode.name()]);
            command.args(["--listen", &address.to_string()]);
            command
        };
        let log = tempfile::NamedTempFile::new().unwrap();
        let out = File::options().append(true).open(log.path()).unwrap();
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        let child = command.spawn().map_err(|error| format!("cannot be started ({error})"))?;
        let mut server = Self { child, address, log, is_forebay: mode != Mode::Node };
        server.wait_for("it accepts connections", |_| TcpStream::connect(address).is_ok().then_some(()))?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and returns what it printed.
    pub(crate) fn stop(mut self) -> Result<String, String> {
        if self.is_forebay {
            let _gone = signals::tell(self.child.id(), Order::Stop);
            let deadline = Instant::now() + PATIENCE;
            while self.child.try_wait().unwrap().is_none() {
                if Instant::now() > deadline {
                    return Err(format!("Forebay does not stop:\n{}", self.log()));
                }
                std::thread::park_timeout(Duration::from_millis(5));
            }
            let status = self.child.wait().unwrap();
            if !status.success() {
                return Err(format!("Forebay stopped with {status}:\n{}", self.log()));
            }
        }
        Ok(self.log())
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log.path()).unwrap()).into_owned()
    }

    fn wait_for<T>(&mut self, what: &str, mut level: impl FnMut(&Self) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = level(self) {
                return Ok(value);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                return Err(format!("ended ({status}) before {what}:\n{}", self.log()));
            }
            if Instant::now() > deadline {
                return Err(format!("waited too long until {what}:\n{}", self.log()));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
