//! What answers beside the application: the origin, and whoever watches the site's files for it.

use std::io;
use std::sync::Arc;

use crate::bulletin::Bulletin;
use crate::config::{Config, DebuggerConfig};
use crate::origin::{self, Debugger, Running, Watch};
use crate::site::DebugAddress;
use crate::supervisor::runtime_dir::StartError;
use crate::supervisor::{Command, Supervisor};

/// Starts the origin, and to watch the site's files. Keep what is returned for as long as the server runs.
pub(super) fn start_origin(
    config: &Config,
    bulletin: &Arc<Bulletin>,
    supervisor: &mut Supervisor,
) -> Result<Option<Running>, StartError> {
    let offline_page = config.launch.cwd.join(&config.site.offline_page);
    // Before a shard serves: a request that came sooner would wait for a worker that nobody starts.
    bulletin.gate().set_broken(config.broken.clone());
    let commands = supervisor.commands();
    let debugger = config.debugger.clone().map(|debugger| {
        bulletin.gate().set_debugger(Some(address(config, &debugger)));
        Debugger::new(Arc::clone(bulletin), debugger, supervisor.inspected(), commands.clone())
    });
    let running = origin::start(bulletin, offline_page.clone(), supervisor.board(), debugger).map_err(cannot_start)?;
    let watching = origin::watch(Watch {
        bulletin: Arc::clone(bulletin),
        offline_page,
        rules: config.site.rules.clone(),
        poll_interval: config.watch.poll_interval,
        on_offline: Box::new(move |offline| {
            let _stopped = commands.send(Command::Offline(offline));
        }),
    })
    .map_err(cannot_start)?;
    supervisor.tell_site(watching);
    Ok(running)
}

/// Where the debugger is reached: behind the script, where the command names one.
fn address(config: &Config, debugger: &DebuggerConfig) -> DebugAddress {
    let mut scripts = config.launch.args.iter().filter_map(|arg| {
        let path = config.launch.cwd.join(arg);
        let below = path.strip_prefix(&config.launch.cwd).ok()?.to_string_lossy().replace('\\', "/");
        path.is_file().then_some(below)
    });
    DebugAddress { segment: debugger.path_segment.clone(), script: scripts.next().unwrap_or_default() }
}

fn cannot_start(error: io::Error) -> StartError {
    StartError {
        what: format!("the origin cannot listen in server.runtime_dir ({error})"),
        hint: "the folder must be writable for this user, and threads be allowed (`ulimit -u`)".into(),
    }
}
