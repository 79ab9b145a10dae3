//! The data plane: one pinned thread with one ring per vCPU. It accepts, parses, dispatches and relays.
//!
//! A request's way reads from top to bottom: [`connection`] takes a head off the wire, [`exchange`] judges it and
//! finds a worker ([`lease`], [`upstream`]), [`pump`] moves bytes both ways as [`relay`] decides, [`respond`] answers
//! where no worker can. [`op`] and [`timers`] are the two tools they share.
//!
//! A shard owns everything it touches: buffers, connections, queues. It reads the worker table and counts in the
//! [`bulletin`](crate::bulletin), and never spawns, locks or reads a file.

mod connection;
mod detour;
mod dispatch;
mod ending;
mod exchange;
mod lease;
mod marks;
mod op;
mod over_http;
mod over_pipe;
mod pipe;
mod pump;
mod record;
mod relay;
mod respond;
mod timers;
mod upstream;

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Write as _};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use forebay_core::buf::{Arena, Pool};
use forebay_core::dispatch::{IdlePool, WaitQueue};
use forebay_core::id::{RequestId, ShardId};
use forebay_transports::{Endpoint, Engine, EngineOptions, Entrance, Listener};
use httpdate::HttpDate;

use crate::access_log::AccessLogHandle;
use crate::bulletin::{Bulletin, Phase, ShardStats, Shed};
use crate::live::Live;
use crate::site::Rewriting;
use lease::{Queues, Suspects};
use pipe::{Pipes, welcome_workers};
use timers::{TICK, Timers};
use upstream::Link;

/// Bytes of chunks of one size that rest in a shard for reuse. 16 MiB.
const HOME_BYTES_MAX: usize = 16 << 20;

/// Exchange states that rest in a shard for reuse.
const ARENA_BLOCKS_MAX: usize = 1024;

/// Pause after an accept that failed for want of descriptors or memory. 100 ms.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a shard is made of.
pub struct Setup<E: Engine> {
    /// Counts from 0.
    pub index: usize,
    /// The worker table and the counters.
    pub bulletin: Arc<Bulletin>,
    /// What to work by until the bulletin has something else.
    pub live: Arc<Live>,
    /// Whether workers are somebody else's: one that does not listen is a 502 at once, nothing is waited for.
    pub external: bool,
    /// Addresses to serve, with the route of each.
    pub listen: Vec<(u16, E::Bound)>,
    /// Where workers that speak frames dial in to this shard; none if they all speak HTTP.
    pub entrance: Option<Endpoint>,
    /// How many shards there are.
    pub shards: u16,
    /// Whether requests wait for a worker that speaks frames rather than go over HTTP.
    pub frames_only: bool,
    /// How the thread runs.
    pub options: EngineOptions,
    /// A random number of this start of the server, for request ids.
    pub boot: u64,
    /// Where access log records go, if anywhere.
    pub log: Option<AccessLogHandle>,
}

/// The state of one shard.
struct Shard<E: Engine> {
    index: usize,
    bulletin: Arc<Bulletin>,
    live: RefCell<Rc<Live>>,
    external: bool,
    pool: Pool,
    arena: Arena,
    /// For attempts over HTTP.
    attempts: Arena,
    timers: Timers,
    /// Now, as an IMF-fixdate (RFC 9110 section 5.6.7).
    date: RefCell<[u8; 29]>,
    /// Idle connections to workers, by slot.
    upstreams: Vec<RefCell<IdlePool<Link<E::Upstream>>>>,
    /// Connections over which workers take frames.
    pipes: Pipes<E>,
    shards: u16,
    frames_only: bool,
    queues: Queues,
    suspects: Suspects,
    last_id: Cell<RequestId>,
    /// Clients connected.
    open: Cell<u32>,
    /// What rules of a site work on.
    rewriting: RefCell<Rewriting>,
    log: Option<AccessLogHandle>,
}

/// Runs a shard on this thread until the bulletin says stop.
///
/// # Errors
/// When the engine cannot be set up or cannot take a listener.
pub fn run<E: Engine>(setup: Setup<E>, started: impl FnOnce(&'static str)) -> io::Result<()> {
    let options = setup.options.clone();
    E::run(
        &options,
        || async move { run_inside::<E>(setup, Pool::new(HOME_BYTES_MAX), || started(E::driver())).await },
    )?
}

/// Runs a shard with the caller's buffers inside an engine that runs already: how a simulation puts several shards
/// into one world and sees whether every chunk comes home. Calls `started` once it serves.
///
/// # Errors
/// When the engine cannot take a listener.
#[doc(hidden)]
pub async fn run_inside<E: Engine>(mut setup: Setup<E>, pool: Pool, started: impl FnOnce()) -> io::Result<()> {
    let (listen, entrance) = (std::mem::take(&mut setup.listen), setup.entrance.take());
    let shard = Rc::new(Shard::<E>::new(setup, pool));
    let mut listeners = Vec::new();
    for (route, bound) in listen {
        let listener = Rc::new(E::listen(bound)?);
        listeners.push(Rc::clone(&listener));
        E::spawn(accept::<E>(Rc::clone(&shard), listener, route));
    }
    let entrance = setup_entrance(&shard, entrance)?;
    started();
    loop {
        shard.tick();
        match shard.bulletin.phase() {
            Phase::Serving => {}
            Phase::Draining => {
                for listener in listeners.drain(..) {
                    listener.close();
                }
                shard.timers.wake_all();
            }
            Phase::Stopping => {
                if let Some(entrance) = entrance {
                    entrance.close();
                }
                shard.pipes.abort_all();
                return Ok(());
            }
        }
        E::sleep_until(E::now() + TICK).await;
    }
}

/// Lets workers dial in.
fn setup_entrance<E: Engine>(shard: &Rc<Shard<E>>, at: Option<Endpoint>) -> io::Result<Option<Rc<E::Entrance>>> {
    let Some(at) = at else { return Ok(None) };
    let entrance = Rc::new(E::open(&at)?);
    E::spawn(welcome_workers(Rc::clone(shard), Rc::clone(&entrance)));
    Ok(Some(entrance))
}

async fn accept<E: Engine>(shard: Rc<Shard<E>>, listener: Rc<E::Listener>, route: u16) {
    loop {
        match listener.accept().await {
            Ok((conn, peer)) => connection::start(&shard, conn, peer, route),
            Err(error) if error.kind() == ErrorKind::NotConnected => return,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("cannot accept a client: {error}; trying again in {} ms", ACCEPT_PAUSE.as_millis());
                E::sleep_until(E::now() + ACCEPT_PAUSE).await;
            }
        }
    }
}

impl<E: Engine> Shard<E> {
    fn new(setup: Setup<E>, pool: Pool) -> Self {
        let bulletin = setup.bulletin;
        let limits = &setup.live.limits;
        let (idle_max, queue_max) = (limits.upstream_idle_max as usize, limits.queue_max as usize);
        Self {
            index: setup.index,
            pool,
            arena: Arena::new(ARENA_BLOCKS_MAX),
            attempts: Arena::new(ARENA_BLOCKS_MAX),
            timers: Timers::default(),
            date: RefCell::new([b' '; 29]),
            upstreams: (0..bulletin.slots()).map(|_| RefCell::new(IdlePool::new(idle_max))).collect(),
            pipes: Pipes::new(bulletin.slots()),
            shards: setup.shards,
            frames_only: setup.frames_only,
            queues: (0..bulletin.routes()).map(|_| RefCell::new(WaitQueue::new(queue_max))).collect(),
            suspects: Suspects::new(bulletin.slots()),
            last_id: Cell::new(RequestId::first(setup.boot, ShardId(u16::try_from(setup.index).unwrap_or(u16::MAX)))),
            open: Cell::new(0),
            rewriting: RefCell::new(Rewriting::default()),
            log: setup.log,
            live: RefCell::new(Rc::new(Live::clone(&setup.live))),
            external: setup.external,
            bulletin,
        }
    }

    /// What is done a few times a second: clock, date, deadlines, idle connections.
    fn tick(&self) {
        self.timers.sweep(E::now());
        // In place, so that a shard at rest allocates nothing. An IMF-fixdate always has 29 bytes.
        let _fits = write!(&mut self.date.borrow_mut()[..], "{}", HttpDate::from(SystemTime::now()));
        self.take_live();
        self.sweep_upstreams();
        self.pipes.beat(E::now(), &self.bulletin);
    }

    fn stats(&self) -> &ShardStats {
        self.bulletin.stats(self.index)
    }

    fn is_serving(&self) -> bool {
        self.bulletin.phase() == Phase::Serving
    }

    /// What requests that begin now go by.
    fn live(&self) -> Rc<Live> {
        Rc::clone(&self.live.borrow())
    }

    /// Takes what a reload has changed.
    fn take_live(&self) {
        let Some(live) = self.bulletin.take_live(self.index) else { return };
        let limits = &live.limits;
        self.queues.iter().for_each(|queue| queue.borrow_mut().set_max(limits.queue_max as usize));
        self.upstreams.iter().for_each(|idle| idle.borrow_mut().set_max(limits.upstream_idle_max as usize));
        self.live.replace(Rc::new(Live::clone(&live)));
    }

    fn next_id(&self) -> RequestId {
        let id = self.last_id.get().next();
        self.last_id.set(id);
        id
    }

    fn count_shed(&self, shed: Shed) {
        ShardStats::add(&self.stats().shed[shed as usize], 1);
    }

    fn count_tunnel(&self, opened: bool) {
        let gauge = &self.stats().tunnels;
        if opened { ShardStats::add(gauge, 1) } else { ShardStats::sub(gauge, 1) }
    }

    fn publish_waiting(&self) {
        let waiting: usize = self.queues.iter().map(|queue| queue.borrow().len()).sum();
        self.stats().waiting.store(waiting as u64, std::sync::atomic::Ordering::Relaxed);
    }
}
