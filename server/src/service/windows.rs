//! The service manager of Windows: registering with it, and being run by it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::windows::io::IntoRawHandle;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser as _;
use forebay_transports::files::log_file;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo,
    ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{ServiceControlHandlerResult, ServiceStatusHandle, register};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{Error, define_windows_service, service_dispatcher};
use windows_sys::Win32::System::Console::{AllocConsole, STD_ERROR_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle};

use super::{Action, Install, Which};
use crate::cli::{Cli, EXIT_USAGE};
use crate::signals;
use crate::signals::Order;

/// An account that may do next to nothing, as befits what strangers talk to.
const ACCOUNT: &str = r"NT AUTHORITY\LocalService";

/// Delays before the service is started again after it has failed: the first time, the second, and from then on.
const RESTARTS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

/// After so long without a failure the next one is the first. One day.
const FAILURES_FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);

/// What the service manager may wait for us to stop: draining takes 30 s, and stopping workers 10 s, unless set otherwise.
const STOP_HINT: Duration = Duration::from_secs(60);

/// How long `stop` waits for the service to have stopped. 5 min.
const STOP_MAX: Duration = Duration::from_secs(300);

/// How often it looks. 200 ms.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// What `main` was called with, for the thread that the service manager runs.
static RUN: OnceLock<Install> = OnceLock::new();

define_windows_service!(service_thread, serve);

pub(super) fn execute(action: Action) -> ExitCode {
    let outcome = match action {
        Action::Install(install) => {
            // What would be refused at each start is refused now.
            if let Err(error) = Cli::try_parse_from(command_line(&install.run_args)) {
                let _closed = error.print();
                return ExitCode::from(EXIT_USAGE);
            }
            self::install(&install)
        }
        Action::Start(which) => open(&which, ServiceAccess::START).and_then(|service| service.start::<&OsStr>(&[])),
        Action::Stop(which) => stop(&which),
        Action::Uninstall(which) => open(&which, ServiceAccess::DELETE).and_then(|service| service.delete()),
        Action::Main(install) => {
            let name = install.which.name.clone();
            let _once = RUN.set(install);
            service_dispatcher::start(name, service_thread)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: service: {}\nhint: {}", told(&error), hint(&error));
            ExitCode::FAILURE
        }
    }
}

fn told(error: &Error) -> String {
    if let Error::Winapi(error) = error { error.to_string() } else { error.to_string() }
}

fn hint(error: &Error) -> &'static str {
    let Error::Winapi(error) = error else { return "see `sc.exe query`" };
    match error.raw_os_error() {
        Some(5) => "services are the administrators': run this in an elevated terminal",
        Some(1060) => "there is no such service: `forebay service install` makes it, --name says which",
        Some(1063) => "this is for the service manager: use `forebay run`, or `forebay service start`",
        Some(1073) => "there is such a service: `forebay service uninstall` removes it, --name makes another",
        _ => "see `sc.exe query`, and the system's event log",
    }
}

fn command_line(run_args: &[OsString]) -> impl Iterator<Item = OsString> {
    ["forebay", "run"].into_iter().map(OsString::from).chain(run_args.iter().cloned())
}

/// The arguments that the service manager gives us.
fn launch_arguments(install: &Install, folder: &Path, log: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["service", "main", "--name"].map(OsString::from).to_vec();
    args.push((&install.which.name).into());
    args.extend(["--folder".into(), folder.into(), "--log".into(), log.into(), "--".into()]);
    args.extend(install.run_args.iter().cloned());
    args
}

fn install(install: &Install) -> windows_service::Result<()> {
    let folder = install.folder.clone().unwrap_or_default();
    let folder = std::path::absolute(folder.join(".")).map_err(Error::Winapi)?;
    let log = std::path::absolute(install.log()).map_err(Error::Winapi)?;
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).map_err(Error::Winapi)?;
    }
    let name = &install.which.name;
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&str>, access)?;
    let info = ServiceInfo {
        name: name.into(),
        display_name: format!("Forebay ({name})").into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: std::env::current_exe().map_err(Error::Winapi)?,
        launch_arguments: launch_arguments(install, &folder, &log),
        dependencies: Vec::new(),
        account_name: Some(ACCOUNT.into()),
        account_password: None,
    };
    let service = manager.create_service(&info, ServiceAccess::CHANGE_CONFIG | ServiceAccess::START)?;
    service.set_description("Runs a Node.js application on every vCPU.")?;
    let restart = |delay| ServiceAction { action_type: ServiceActionType::Restart, delay };
    service.update_failure_actions(ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FAILURES_FORGOTTEN),
        reboot_msg: None,
        command: None,
        actions: Some(RESTARTS.map(restart).to_vec()),
    })?;
    // An exit code that tells of a failure is one.
    service.set_failure_actions_on_non_crash_failures(true)?;
    println!(
        "service {name} runs in {} as {ACCOUNT}, which must be able to read it; its log: {}",
        folder.display(),
        log.display()
    );
    Ok(())
}

fn open(which: &Which, access: ServiceAccess) -> windows_service::Result<Service> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)?;
    manager.open_service(&which.name, access)
}

fn stop(which: &Which) -> windows_service::Result<()> {
    let service = open(which, ServiceAccess::STOP | ServiceAccess::QUERY_STATUS)?;
    service.stop()?;
    let deadline = Instant::now() + STOP_MAX;
    while service.query_status()?.current_state != ServiceState::Stopped {
        if Instant::now() >= deadline {
            return Err(Error::Winapi(std::io::ErrorKind::TimedOut.into()));
        }
        sleep(LOOK_INTERVAL);
    }
    Ok(())
}

impl Install {
    fn log(&self) -> PathBuf {
        self.log.clone().unwrap_or_else(|| {
            let data = std::env::var_os("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
            Path::new(&data).join("forebay").join(format!("{}.log", self.which.name))
        })
    }
}

/// What the service manager runs, on a thread of its own.
fn serve(_args: Vec<OsString>) {
    let Some(run) = RUN.get() else { return };
    let told = |control| {
        if matches!(control, ServiceControl::Stop | ServiceControl::Preshutdown) {
            order(Order::Stop)
        } else if control == ServiceControl::ParamChange {
            order(Order::Reload)
        } else if control == ServiceControl::Interrogate {
            ServiceControlHandlerResult::NoError
        } else {
            ServiceControlHandlerResult::NotImplemented
        }
    };
    // Without it there is nobody to tell.
    let Ok(manager) = register(&run.which.name, told) else { return };
    report(manager, ServiceState::Running, 0);
    let code = if prepare(run).is_ok() && Cli::parse_from(command_line(&run.run_args)).execute() == ExitCode::SUCCESS {
        0
    } else {
        1
    };
    report(manager, ServiceState::Stopped, code);
}

/// Tells ourselves, as another process would.
fn order(order: Order) -> ServiceControlHandlerResult {
    match signals::tell(std::process::id(), order) {
        Ok(()) => ServiceControlHandlerResult::NoError,
        // It is still starting: asked again, it can be told.
        Err(_) => ServiceControlHandlerResult::Other(1061),
    }
}

fn report(manager: ServiceStatusHandle, state: ServiceState, code: u32) {
    let accepted = ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN | ServiceControlAccept::PARAM_CHANGE;
    let is_running = state == ServiceState::Running;
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: if is_running { accepted } else { ServiceControlAccept::empty() },
        exit_code: if code == 0 { ServiceExitCode::NO_ERROR } else { ServiceExitCode::ServiceSpecific(code) },
        checkpoint: 0,
        wait_hint: if is_running { STOP_HINT } else { Duration::ZERO },
        process_id: None,
    };
    // Nobody could be told that it failed.
    let _unheard = manager.set_service_status(status);
}

/// A service has neither folder nor output, and no console, through which workers without the preload are asked to end.
fn prepare(run: &Install) -> std::io::Result<()> {
    if let Some(folder) = &run.folder {
        std::env::set_current_dir(folder)?;
    }
    let log = log_file(&run.log())?;
    // SAFETY: the call takes nothing. It is refused where there is a console.
    let _there = unsafe { AllocConsole() };
    for (name, file) in [(STD_OUTPUT_HANDLE, log.try_clone()?), (STD_ERROR_HANDLE, log)] {
        redirect(name, file)?;
    }
    Ok(())
}

fn redirect(name: u32, file: File) -> std::io::Result<()> {
    // SAFETY: the handle is open, and from here on nobody's but the process's.
    match unsafe { SetStdHandle(name, file.into_raw_handle()) } {
        0 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command line from `service` on.
    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        action: Action,
    }

    #[test]
    fn what_is_registered_is_what_was_asked_for() {
        let line = ["service", "install", "--name", "shop", "--", "app dir", "--listen", "80"];
        let Action::Install(asked) = Line::parse_from(line).action else { panic!("not to be installed") };
        let registered = launch_arguments(&asked, Path::new(r"C:\shop"), Path::new(r"C:\shop.log"));
        let Action::Main(run) = Line::parse_from(registered).action else { panic!("not to be run") };
        assert_eq!((run.which.name.as_str(), run.folder.as_deref()), ("shop", Some(Path::new(r"C:\shop"))));
        assert_eq!(run.log(), Path::new(r"C:\shop.log"));
        assert_eq!(run.run_args, ["app dir", "--listen", "80"]);
        assert!(Cli::try_parse_from(command_line(&run.run_args)).is_ok());
    }
}
