//! A site as upstream's tests have them: a folder with a web.config, scripts and maybe an iisnode.yml, and a server
//! that was told nothing but the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use forebay::signals::Order;

use super::response::Response;
use super::server::Server;
use super::wait::until;

/// Says hello and counts its own requests, which tells workers apart.
pub(crate) const COUNTER: &str = "let n = 0;
require('http').createServer((req, res) => res.end(`Hello, world ${++n}`)).listen(process.env.PORT);";

/// A folder to be served.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
    args: Vec<&'static str>,
}

/// A web.config with the handler for `script`, `inside` in its `<system.webServer>`.
pub(crate) fn web_config(script: &str, inside: &str) -> String {
    format!(
        "<configuration>\n  <system.webServer>\n    <handlers>\n      \
         <add name=\"iisnode\" path=\"{script}\" verb=\"*\" modules=\"iisnode\" />\n    </handlers>\n    \
         {inside}\n  </system.webServer>\n</configuration>\n"
    )
}

impl Site {
    /// A folder with nothing in it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fbs").tempdir_in("/tmp").unwrap();
        Self { folder, env: Vec::new(), args: Vec::new() }
    }

    /// With `hello.js`, and a web.config that has it as its application and `inside` in `<system.webServer>`.
    pub(crate) fn hello(script: &str, inside: &str) -> Self {
        Self::new().file("hello.js", script).file("web.config", web_config("hello.js", inside))
    }

    /// The same with a file more.
    pub(crate) fn file(self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> Self {
        self.write(name, text);
        self
    }

    /// Writes a file, also while the site is served.
    pub(crate) fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Where a file is.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// With a variable in the server's environment.
    pub(crate) fn env(mut self, name: &'static str, value: impl ToString) -> Self {
        self.env.push((name, value.to_string()));
        self
    }

    /// With an argument more on the command line.
    pub(crate) fn arg(mut self, arg: &'static str) -> Self {
        self.args.push(arg);
        self
    }

    fn command(&self, runtime: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_ascii_uppercase();
            if ["PORT", "NODE_OPTIONS", "NODE_ENV"].contains(&&*text)
                || text.starts_with("FOREBAY_")
                || text.starts_with("IISNODE_")
            {
                command.env_remove(name);
            }
        }
        command.arg("run").arg(self.folder.path()).args(["--listen", "127.0.0.1:0"]).args(&self.args);
        command.env("TMPDIR", runtime).env_remove("XDG_RUNTIME_DIR");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn spawn(&self) -> Server {
        let runtime = tempfile::Builder::new().prefix("fb").tempdir_in("/tmp").unwrap();
        let child = self.command(runtime.path()).spawn().unwrap();
        Server::of(child, runtime)
    }

    /// Starts a server for it and expects that to end by itself.
    pub(crate) fn fail(&self) -> (ExitStatus, String) {
        let mut server = self.spawn();
        let status = server.wait();
        (status, server.whole_log())
    }

    /// Starts a server for it and waits until clients can connect; their requests wait for workers, as upstream's do.
    pub(crate) fn start(self) -> Served {
        let mut server = self.spawn();
        let banner = server.log_line(" worker(s) over ");
        let address = banner.split_once(" on http://").and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
        server.address = address.expect("the banner names the address");
        Served { server, site: self }
    }
}

/// A site with its server.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) site: Site,
}

impl Served {
    /// A GET on a connection of its own, as upstream's tests make them.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.server.connect().get(path)
    }

    /// The bodies of so many requests, one after another.
    pub(crate) fn bodies(&self, path: &str, count: usize) -> Vec<String> {
        (0..count).map(|_| self.get(path).text()).collect()
    }

    /// Has the configuration read again and waits until the log says this once more.
    pub(crate) fn reload(&self, until_logged: &str) {
        let before = self.server.log_count(until_logged);
        self.server.tell(Order::Reload);
        until("it was read again", || self.server.log_count(until_logged) > before);
    }

    /// Stops the server and expects that nothing is left behind.
    pub(crate) fn stop(self) {
        self.server.stop();
    }
}
