//! The origin: what Forebay answers itself with more than a sentence. Files of the site, pages that explain a failure.
//!
//! An HTTP/1.1 server inside Forebay's control plane, on a thread of its own. To shards it is one more slot of the worker
//! table, behind a route of its own, so that streaming, keep-alive, limits and draining are those of any exchange. What it
//! is asked for are [`Instruction`]s, never targets of clients: a shard writes them, and its endpoint lies in the runtime
//! folder, which is this user's alone.
//!
//! What it deliberately does not do: decide. That is the site's business, in the shard, before anything comes here.

mod board;
mod bridge;
mod debugger;
mod failure;
mod files;
mod inspected;
mod page;
mod watch;

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use forebay_core::id::{Generation, WorkerId};
use forebay_transports::Endpoint;
use forebay_transports::local::{AsyncListener, AsyncStream};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::bulletin::{Bulletin, Door, Notice};
use crate::site::Instruction;
use crate::status::Cause;
pub use board::{Board, Last};
pub use debugger::Debugger;
pub use inspected::{Inspected, InspectedCell};
pub use watch::{Watch, Watching, watch};

/// Threads that read files for the origin. 4: as many reads are under way at a time.
const READERS_MAX: usize = 4;

/// What is waited after a connection that could not be accepted. 100 ms.
const PAUSE: Duration = Duration::from_millis(100);

/// What a response carries.
type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What the origin answers from.
struct Origin {
    bulletin: Arc<Bulletin>,
    /// The page that is shown while the application is offline.
    offline_page: PathBuf,
    /// How processes ended.
    board: Arc<Board>,
    /// The debugger, where it is on.
    debugger: Option<Debugger>,
}

/// The origin's place in the file system; removed when dropped.
#[derive(Debug)]
pub struct Running {
    endpoint: Endpoint,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.endpoint.remove();
    }
}

/// Starts the origin of a bulletin that has a route for it, and opens its door. `offline_page` is what clients see while
/// the application is offline, `board` what is known of processes that ended, `debugger` the debugger where it is on.
///
/// # Errors
/// Its endpoint cannot be listened on, or no thread can be made.
pub fn start(
    bulletin: &Arc<Bulletin>,
    offline_page: PathBuf,
    board: Arc<Board>,
    debugger: Option<Debugger>,
) -> io::Result<Option<Running>> {
    let Some(route) = bulletin.origin() else { return Ok(None) };
    let slot = WorkerId(bulletin.route(usize::from(route)).start);
    let generation = Generation(1);
    let endpoint = bulletin.endpoint(slot, generation);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(READERS_MAX)
        .thread_name("origin-reads")
        .build()?;
    let listener = {
        let _inside = runtime.enter();
        AsyncListener::open(&endpoint)?
    };
    let origin = Arc::new(Origin { bulletin: Arc::clone(bulletin), offline_page, board, debugger });
    let serve = move || runtime.block_on(origin.accept(listener));
    thread::Builder::new().name("origin".into()).spawn(serve)?;
    bulletin.publish(slot, Notice { generation, home: 0, door: Door::Open });
    Ok(Some(Running { endpoint }))
}

impl Origin {
    async fn accept(self: Arc<Self>, mut listener: AsyncListener) {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async move {
                loop {
                    match listener.accept().await {
                        Ok(stream) => {
                            tokio::task::spawn_local(Arc::clone(&self).serve(stream));
                        }
                        Err(error) => {
                            tracing::warn!(target: "forebay", "the origin cannot accept a connection: {error}");
                            // Out of descriptors, most likely: they come back.
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                }
            })
            .await;
    }

    async fn serve(self: Arc<Self>, stream: AsyncStream) {
        let answer = |request| {
            let origin = Arc::clone(&self);
            async move { Ok::<_, Infallible>(origin.answer(request).await) }
        };
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).with_upgrades();
        // A shard that breaks off has its reasons, and says so itself.
        let _ended = connection.await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let target = request.uri().path_and_query().map(|it| it.as_str().to_owned()).unwrap_or_default();
        match Instruction::read(&target) {
            Some(Instruction::File(path)) => match self.bulletin.gate().site().as_deref() {
                Some(site) => {
                    let rules = Arc::clone(&site.rules);
                    files::serve(&rules, &path, request).await
                }
                None => page::status(404, "", ""),
            },
            Some(Instruction::Answer(status, reason, text)) => page::status(status, &reason, &text),
            Some(Instruction::Redirect(status, location)) => page::redirect(status, &location),
            Some(Instruction::Offline) => page::offline(&self.offline_page).await,
            Some(Instruction::Misconfigured) => page::misconfigured(self.bulletin.gate().broken().as_deref()),
            Some(Instruction::Failure { cause, worker, generation }) => match Cause::from_number(cause) {
                Some(cause) => {
                    let process = worker.map(|worker| (WorkerId(worker), Generation(generation)));
                    failure::page(&self.board, cause, process).await
                }
                None => page::status(500, "", ""),
            },
            Some(Instruction::Debugger(rest, query)) => match &self.debugger {
                Some(debugger) => debugger.answer(&rest, &query, request).await,
                None => page::status(404, "", ""),
            },
            None => page::status(404, "", ""),
        }
    }
}
