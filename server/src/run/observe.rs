//! What can be looked at from outside: the access log and the metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::info;

use crate::access_log::{AccessLog, AccessLogHandle};
use crate::bulletin::Bulletin;
use crate::config::AccessLogConfig;
use crate::metrics::Metrics;
use crate::supervisor::runtime_dir::StartError;

/// A shard's end of the access log's queue, and the log's writer.
type Log = (Option<AccessLogHandle>, Option<AccessLog>);

/// The access log's queue and writer, if one is wanted.
pub(super) fn start_log(config: Option<&AccessLogConfig>) -> Result<Log, StartError> {
    let Some(config) = config else { return Ok((None, None)) };
    match AccessLog::start(config) {
        Ok((handle, writer)) => Ok((Some(handle), Some(writer))),
        Err(error) => Err(StartError {
            what: format!("access_log.path: cannot be opened ({error})"),
            hint: "its folder must exist and be writable for this user".into(),
        }),
    }
}

/// Serves metrics if an address is given.
pub(super) fn start_metrics(
    address: Option<SocketAddr>,
    bulletin: &Arc<Bulletin>,
    slots_each: u16,
) -> Result<(), StartError> {
    let Some(address) = address else { return Ok(()) };
    match Metrics::new(Arc::clone(bulletin), slots_each).serve(address) {
        Ok(bound) => {
            info!(target: "forebay", "metrics on http://{bound}/metrics");
            Ok(())
        }
        Err(error) => Err(StartError {
            what: format!("server.metrics: cannot listen on {address} ({error})"),
            hint: "name another loopback address".into(),
        }),
    }
}
