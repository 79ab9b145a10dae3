//! What answers beside the application: the origin, and whoever watches the site's files for it.

use std::io;
use std::sync::Arc;

use crate::bulletin::Bulletin;
use crate::config::Config;
use crate::origin::{self, Running, Watch};
use crate::supervisor::runtime_dir::StartError;
use crate::supervisor::{Command, Supervisor};

/// Starts the origin, and to watch the site's files. Keep what is returned for as long as the server runs.
pub(super) fn start_origin(
    config: &Config,
    bulletin: &Arc<Bulletin>,
    supervisor: &mut Supervisor,
) -> Result<Option<Running>, StartError> {
    let offline_page = config.launch.cwd.join(&config.site.offline_page);
    let running = origin::start(bulletin, offline_page.clone(), supervisor.board()).map_err(cannot_start)?;
    let commands = supervisor.commands();
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

fn cannot_start(error: io::Error) -> StartError {
    StartError {
        what: format!("the origin cannot listen in server.runtime_dir ({error})"),
        hint: "the folder must be writable for this user, and threads be allowed (`ulimit -u`)".into(),
    }
}
