//! Causes before a worker had the request: no process, or none that takes it.

use super::{Cause, Row, Shown};

const NOT_STARTED: &str = "The application could not be started.";
const NOT_READY: &str = "The application is not ready.";

/// In the order of [`Cause`].
pub(super) static ROWS: [Row; 12] = [
    Row::new(Cause::NodeMissing, "node_missing", "503", "500.1000")
        .win32(2)
        .says(NOT_STARTED)
        .likely("The program that runs the application, usually node, does not exist.")
        .remedy(
            "Is it installed, and on the PATH of the user who runs Forebay? app.node (nodeProcessCommandLine) names \
             another one. `forebay check` shows which was found.",
        ),
    Row::new(Cause::NotStarted, "not_started", "503", "500.1000")
        .win32(5)
        .says(NOT_STARTED)
        .likely(
            "The process could not be made: the program may not be executed, the working directory does not exist or \
             may not be entered, or the system has no process or memory left.",
        )
        .remedy("Forebay's log has what the system said. Under iisnode the same code covers a configuration that cannot \
                 be read; Forebay refuses that when it starts, with file and line."),
    Row::new(Cause::ScriptMissing, "script_missing", "503", "404")
        .win32(2)
        .says(NOT_STARTED)
        .likely("node runs and does not find the script: it was moved or deleted after Forebay had started.")
        .remedy("Put it back, or name the right one in app.script (the path of the handler in web.config), and reload."),
    Row::new(Cause::FolderUnreadable, "folder_unreadable", "503", "500.1002")
        .win32(5)
        .says(NOT_STARTED)
        .likely(
            "node may not look into a folder above the script. It resolves the script's real path from the root down, \
             and ends when one of the folders refuses (EPERM or EACCES from lstat).",
        )
        .remedy("Give the user of the workers leave to enter and list each parent folder of the application."),
    Row::new(Cause::Exited, "exited", "503", "500.1002")
        .win32(2)
        .says(NOT_STARTED)
        .likely(
            "The process ended before it listened: an exception while the application was loaded, a missing module, or \
             a script that is no server and simply came to its end.",
        )
        .remedy(
            "Forebay's log has the exit code and the last lines of stderr; with errors.dev_pages the answer has them too. \
             Was `npm ci` run? Does `node SCRIPT` work in the application's folder?",
        ),
    Row::new(Cause::NeverListened, "never_listened", "503", "500.1001")
        .win32(2)
        .says(NOT_READY)
        .likely(
            "The process runs and has not listened within workers.start_timeout. The guide takes this code for a URL \
             that the application does not know; routes have nothing to do with it: there is nobody to connect to.",
        )
        .remedy(
            "Call listen(process.env.PORT). If it waits for something at start, a database for instance, let it listen \
             first, or allow it more time with workers.start_timeout.",
        ),
    Row::new(Cause::ListenedElsewhere, "listened_elsewhere", "503", "500.1001")
        .win32(2)
        .says(NOT_READY)
        .likely(
            "The process listens on a port of its own instead of the endpoint in PORT, or tried to and was refused \
             because somebody else has it (EADDRINUSE, EACCES).",
        )
        .remedy("Call listen(process.env.PORT) without parseInt, or leave workers.preload on, which moves a fixed port."),
    Row::new(Cause::NoWorker, "no_worker", "503", "500.1001")
        .win32(2)
        .says(NOT_READY)
        .likely("No process was ready within limits.ready_wait_timeout: all of them are starting, or were just lost.")
        .remedy(
            "Forebay's log says what they are at. A slow start is allowed for with limits.ready_wait_timeout, which is \
             what maxNamedPipeConnectionRetry times namedPipeConnectionRetryDelay was. It bounds the wait for a \
             connection only, not the request.",
        ),
    Row::new(Cause::Unreachable, "unreachable", "502.1001", "500.1001")
        .win32(2)
        .says("The application is not listening.")
        .likely("Nobody listens at the worker's endpoint: with `forebay front`, whoever starts the workers has not.")
        .remedy("Start the worker, or see that it listens at the path that --to names."),
    Row::new(Cause::WorkerBusy, "worker_busy", "502.1003", "503.1003")
        .win32(231)
        .says("The application takes no new connection.")
        .likely(
            "The worker's endpoint is there and took no connection within limits.dial_timeout: its event loop stands \
             still, and as many connections as fit wait already. The guide gives 109 as the number of a busy pipe; \
             that is a broken one, and a busy one is 231.",
        )
        .remedy(
            "Look for work that keeps the event loop from turning. With workers.stuck_after such a worker is found, its \
             stack logged, and replaced.",
        ),
    Row::new(Cause::EndedBefore, "ended_before_request", "502.1002", "500.1002")
        .win32(2)
        .says("The application ended before it had taken the request.")
        .likely("The worker's process ended while the request was on its way, and no other could be tried any more.")
        .remedy(
            "Forebay's log has the exit code and the last lines of stderr. Where it happens again and again, the \
             requests that came before are the ones to look at.",
        ),
    Row::new(Cause::SocketSetup, "socket_setup", "502.1003", "500.1003")
        .shown(Shown::Never)
        .says("The application cannot be connected to.")
        .likely(
            "iisnode could not prepare a pipe that it had just opened. Forebay's connections need no preparation after \
             they were made: what can fail about them fails when they are made, as 500.1001 or 503.1003.",
        )
        .remedy("Nothing: this code does not occur."),
];
