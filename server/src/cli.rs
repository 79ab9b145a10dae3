//! The command line.
//!
//! Flags are texts here: the settings table reads them, so that a flag, a variable and a line of the file that are
//! wrong in the same way get the same message, and all of them in one go.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, value_parser};

use tracing::info;

use crate::app::attach;
use crate::config::{self, ConfigErrors, FrontSources, Origin, Problem, Sources};
use crate::signals::Order;
use crate::{bench, logging, run, service, signals, status};

/// Exit code for a command line or configuration that is wrong. 0 is stopped as asked, 1 a failure at run time.
pub const EXIT_USAGE: u8 = 2;

/// Runs a Node.js application, unmodified, on every vCPU behind a fast front.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Without a command: run. Every setting is in the README; `forebay check` shows their values.")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs an application on every vCPU.
    Run(RunArgs),
    /// Checks the configuration and shows it, with the origin of each value.
    Check(RunArgs),
    /// Runs the front alone: each port leads to the Unix socket of that name.
    Front(FrontArgs),
    /// Says what a status or a name in the access log means, and what to do about it.
    Explain(ExplainArgs),
    /// Measures an application under bare node, node's cluster and Forebay, side by side.
    Bench(BenchArgs),
    /// Tells a running server to replace its workers without losing a request.
    Reload(ServerArgs),
    /// Tells a running server to finish what is in flight, and to end.
    Stop(ServerArgs),
    /// Registers Forebay as a Windows service, and starts, stops and removes it.
    #[command(subcommand)]
    Service(service::Action),
    /// Writes a forebay.toml out of the configuration of iisnode, PM2 or NGINX Unit.
    Import(ImportArgs),
    /// Prints the path of the script that lets a node process of your own join a front:
    /// NODE_OPTIONS="--require $(forebay preload)".
    Preload,
}

#[derive(Args, Debug)]
struct RunArgs {
    /// A script, a folder with an application, a forebay.toml, or a web.config or iisnode.yml of iisnode. Default:
    /// ./forebay.toml, else ./web.config, else the application in the current folder, else a built-in demo.
    #[arg(value_name = "APP")]
    app: Option<PathBuf>,
    /// Listen for clients here, for instance 127.0.0.1:8080, [::]:8080 or 8080; may be repeated.
    #[arg(short, long, value_name = "ADDR:PORT")]
    listen: Vec<String>,
    /// How many node processes, or auto: one per usable vCPU.
    #[arg(short, long, value_name = "N")]
    workers: Option<String>,
    /// How workers are fed: auto or http.
    #[arg(long, value_name = "TRANSPORT")]
    transport: Option<String>,
    /// Whose defaults apply: native, iisnode or azure.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args, Debug)]
struct ExplainArgs {
    /// For instance 500.1002, 502, queue_full. Default: all, in one line each.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

#[derive(Args, Debug)]
struct FrontArgs {
    /// Listen for clients here; may be repeated.
    #[arg(short, long, value_name = "ADDR:FROM-TO", required = true)]
    listen: Vec<String>,
    /// The socket of a port: {port} stands for its number.
    #[arg(long, value_name = "DIR/{port}.sock")]
    to: String,
    /// Add no header about the client: neither X-Forwarded-*, nor Forwarded, nor X-Request-Id.
    #[arg(long)]
    no_forwarded: bool,
    /// How workers are fed: auto, http or pipe.
    #[arg(long, value_name = "WAY")]
    transport: Option<String>,
    /// Where workers dial in to be fed frames; `forebay.pipe` in the folder of their sockets unless given.
    #[arg(long, value_name = "PATH")]
    pipe: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args, Debug)]
struct BenchArgs {
    /// A script, a folder with an application, or a forebay.toml, as for `run`.
    #[arg(value_name = "APP")]
    app: Option<PathBuf>,
    /// What to ask for.
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
    /// A field of the request; may be repeated.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Send a POST with a body of so many bytes instead of a GET.
    #[arg(long, value_name = "BYTES", value_parser = value_parser!(u32).range(..=64 << 20))]
    body: Option<u32>,
    /// Connections, each with one request in flight.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u16).range(1..=10_000))]
    conns: u16,
    /// Seconds of a round.
    #[arg(long, value_name = "S", default_value_t = 4, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Rounds of each contender.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u16).range(1..=99))]
    rounds: u16,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Processes of the cluster and of Forebay, or auto: one per usable vCPU.
    #[arg(short, long, value_name = "N")]
    workers: Option<String>,
    /// What drives Forebay's sockets: monoio or compio.
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct ServerArgs {
    /// The server's process id. Default: the only server of this user.
    #[arg(long, value_name = "N")]
    pid: Option<u32>,
}

#[derive(Args, Debug)]
struct ImportArgs {
    /// web.config or iisnode.yml (or their folder), ecosystem.config.js or .json of PM2, unit.json of NGINX Unit.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write there instead of to standard output; a file that exists is left alone.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Whose defaults apply: iisnode or azure.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
}

#[derive(Args, Debug)]
struct CommonArgs {
    /// What drives the sockets: monoio or compio.
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log lines for people or for machines: text or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl CommonArgs {
    fn sources(self, mut flags: Vec<(&'static str, Vec<String>)>) -> Result<Sources, ConfigErrors> {
        flags.push(("--engine", self.engine.into_iter().collect()));
        flags.push(("--log-format", self.log_format.into_iter().collect()));
        let cwd = std::env::current_dir().map_err(|error| {
            Problem::new(Origin::Default, "", format!("the current folder cannot be read ({})", config::plain(&error)))
        })?;
        Ok(Sources { app: None, config: self.config, flags, cwd, env: |name| std::env::var_os(name) })
    }
}

impl RunArgs {
    fn sources(self) -> Result<Sources, ConfigErrors> {
        let flags = vec![
            ("--listen", self.listen),
            ("--workers", self.workers.into_iter().collect()),
            ("--transport", self.transport.into_iter().collect()),
            ("--profile", self.profile.into_iter().collect()),
        ];
        Ok(Sources { app: self.app, ..self.common.sources(flags)? })
    }
}

impl FrontArgs {
    fn sources(self) -> Result<FrontSources, ConfigErrors> {
        let common = self.common.sources(vec![("--transport", self.transport.into_iter().collect())])?;
        let Self { listen, to, pipe, no_forwarded, .. } = self;
        Ok(FrontSources { listen, to, pipe, no_forwarded, common })
    }
}

impl BenchArgs {
    fn options(&self) -> bench::Options {
        let mut run_args: Vec<OsString> = self.app.iter().map(OsString::from).collect();
        let mut give = |flag: &str, value: Option<&OsStr>| {
            run_args.extend(value.into_iter().flat_map(|value| [flag.into(), value.to_owned()]));
        };
        give("--config", self.config.as_deref().map(Path::as_os_str));
        give("--workers", self.workers.as_deref().map(OsStr::new));
        give("--engine", self.engine.as_deref().map(OsStr::new));
        bench::Options {
            path: self.path.clone(),
            headers: self.header.clone(),
            body_bytes: self.body.map(|bytes| bytes as usize),
            connections: self.conns.into(),
            seconds: self.seconds,
            rounds: self.rounds.into(),
            json: self.json,
            run_args,
        }
    }

    fn sources(self) -> Result<Sources, ConfigErrors> {
        let common = CommonArgs { engine: self.engine, config: self.config, log_format: None };
        let flags = vec![("--workers", self.workers.into_iter().collect())];
        Ok(Sources { app: self.app, ..common.sources(flags)? })
    }
}

impl Cli {
    /// Does what the command line asks.
    #[must_use]
    pub fn execute(self) -> ExitCode {
        let outcome = match self.command.unwrap_or(Command::Run(self.run)) {
            Command::Run(args) => execute_run(args),
            Command::Check(args) => execute_check(args),
            Command::Front(args) => execute_front(args),
            Command::Import(args) => execute_import(args),
            Command::Explain(args) => Ok(execute_explain(&args)),
            Command::Bench(args) => execute_bench(args),
            Command::Reload(args) => Ok(execute_tell(&args, Order::Reload)),
            Command::Stop(args) => Ok(execute_tell(&args, Order::Stop)),
            Command::Service(action) => Ok(service::execute(action)),
            Command::Preload => Ok(execute_preload()),
        };
        outcome.unwrap_or_else(|errors| {
            eprintln!("{errors}");
            ExitCode::from(EXIT_USAGE)
        })
    }
}

fn execute_run(args: RunArgs) -> Result<ExitCode, ConfigErrors> {
    let sources = args.sources()?;
    let resolved = config::resolve_to_run(&sources)?;
    logging::start(&resolved.config.log);
    if !resolved.remarks.is_empty() {
        info!(target: "forebay", "remarks about the configuration: {}, see `forebay check`", resolved.remarks.len());
    }
    Ok(run::run(resolved.config, move || config::resolve_to_run(&sources).map(|resolved| resolved.config)))
}

fn execute_check(args: RunArgs) -> Result<ExitCode, ConfigErrors> {
    use std::io::Write as _;
    let report = config::check_report(&config::resolve(&args.sources()?)?);
    // A reader that has seen enough (`forebay check | head`) is no failure.
    let _closed = std::io::stdout().write_all(report.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn execute_front(args: FrontArgs) -> Result<ExitCode, ConfigErrors> {
    let config = config::resolve_front(&args.sources()?)?;
    logging::start(&config.log);
    Ok(run::front(config))
}

fn execute_import(args: ImportArgs) -> Result<ExitCode, ConfigErrors> {
    use std::io::Write as _;
    let ImportArgs { files, output, profile } = args;
    let common = CommonArgs { engine: None, config: None, log_format: None };
    let sources = common.sources(vec![("--profile", profile.into_iter().collect())])?;
    // Without a name, the file is meant to lie where the first one does.
    let beside = files.first().map(|file| if file.is_dir() { file.join("forebay.toml") } else { file.clone() });
    let target = output.as_ref().or(beside.as_ref()).and_then(|file| file.parent());
    let target = sources.cwd.join(target.unwrap_or(Path::new("")));
    let imported = config::import(&files, &target, &sources)?;
    for line in &imported.lost {
        eprintln!("note: {line}");
    }
    match output {
        None => {
            let _closed = std::io::stdout().write_all(imported.toml.as_bytes());
        }
        Some(path) => {
            let written =
                std::fs::File::create_new(&path).and_then(|mut file| file.write_all(imported.toml.as_bytes()));
            written.map_err(|error| {
                let what = format!("cannot be written ({}: {})", path.display(), config::plain(&error));
                Problem::new(Origin::Flag("--output"), "", what).hint("name a file that does not exist yet")
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn execute_explain(args: &ExplainArgs) -> ExitCode {
    use std::io::Write as _;
    let text = match &args.code {
        None => Some(status::explain_all()),
        Some(code) => status::explain(code),
    };
    let Some(text) = text else {
        let code = args.code.as_deref().unwrap_or_default();
        eprintln!("error: explain: nothing is called {code:?}\nhint: `forebay explain` lists all codes and names");
        return ExitCode::from(EXIT_USAGE);
    };
    let _closed = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn execute_bench(args: BenchArgs) -> Result<ExitCode, ConfigErrors> {
    let options = args.options();
    bench::run(&options, config::resolve(&args.sources()?)?)
}

fn execute_tell(args: &ServerArgs, order: Order) -> ExitCode {
    match signals::tell_server(args.pid, order) {
        Ok(_) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn execute_preload() -> ExitCode {
    match attach::preload(|name| std::env::var_os(name)) {
        Ok(path) => {
            use std::io::Write as _;
            let _closed = writeln!(std::io::stdout(), "{}", path.display());
            ExitCode::SUCCESS
        }
        Err(refused) => {
            eprintln!("{refused}");
            ExitCode::FAILURE
        }
    }
}
