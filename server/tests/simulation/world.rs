//! One world from its beginning to its end: shards, workers and their supervisor, clients; faults, then calm.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::iter;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use forebay::bulletin::{Bulletin, Door, Phase};
use forebay::live::Live;
use forebay::shard::{self, Setup};
use forebay_core::id::{Generation, WorkerId};
use forebay_transports::sim::{self, Outcome, Sim, Worker, World};
use forebay_transports::{Endpoint, Engine, EngineOptions};

use crate::client::Talk;
use crate::laws::Book;
use crate::manners::{client, must_succeed, upgraded};
use crate::pipe;
use crate::plan::{Kind, Plan, below, chance, nap, now, sleep};
use crate::worker::Process;

pub(crate) const ADDRESS: &str = "127.0.0.1:80";

/// How long clients may take to finish once faults are over.
const FINISH: Duration = Duration::from_secs(900);

/// How long a request may take in a calm world with a worker that is ready.
const PROMPT: Duration = Duration::from_secs(5);

/// What became of a world.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) violations: Vec<String>,
    pub(crate) tally: BTreeMap<String, u64>,
}

/// Runs the world of `seed`.
pub(crate) fn run(seed: u64) -> Outcome<Ended> {
    let plan = Plan::new(seed);
    let config = plan.config.clone();
    let mut outcome = World::run(seed, &config, || world(plan));
    if outcome.panics > 0 {
        outcome.value.violations.push(format!("{} tasks panicked", outcome.panics));
    }
    outcome
}

async fn world(plan: Plan) -> Ended {
    let endpoint = |worker: WorkerId, generation: Generation| Endpoint::new(format!("/run/{worker}-{}", generation.0));
    let bulletin = Arc::new(Bulletin::new(iter::once(0..plan.slots).collect(), plan.shards, Box::new(endpoint)));
    // So that workers are asked; nobody here minds one that does not answer.
    bulletin.set_stuck_after(Some(Duration::from_secs(30)));
    let book = Rc::new(Book::new(plan, Arc::clone(&bulletin)));
    let shards = Rc::new(Cell::new(0));
    start_shards(&book, &shards);
    for slot in 0..book.plan.slots {
        Sim::spawn(supervise(Rc::clone(&book), WorkerId(slot)));
    }
    for number in 0..book.plan.clients {
        Sim::spawn(client(Rc::clone(&book), number));
    }
    let healed = now() + book.plan.safety;
    while now() < healed && book.clients.get() > 0 {
        sleep(Duration::from_millis(10)).await;
        book.check_bounds();
        book.hear_reports();
    }
    sim::heal();
    if book.plan.kind == Kind::Drains {
        bulletin.set_phase(Phase::Draining);
    }
    book.calm.set(true);
    let finished = now() + FINISH;
    // What was sent before may still be on its way, and holds up what is sent behind it.
    sleep(book.plan.travel()).await;
    while now() < finished && book.clients.get() > 0 {
        sleep(Duration::from_millis(100)).await;
    }
    if book.clients.get() > 0 {
        book.violate(3, format!("clients do not come to an end: {:?}", book.doing.borrow()));
    }
    calm_down(&book, "after the clients have gone").await;
    if book.plan.kind != Kind::Drains {
        liveness(&book).await;
        calm_down(&book, "after the liveness phase").await;
    }
    drain(&book).await;
    bulletin.set_phase(Phase::Stopping);
    book.over.set(true);
    sleep(Duration::from_secs(1)).await;
    if shards.get() > 0 {
        book.violate(9, "a shard does not stop");
    }
    let (violations, tally) = book.close();
    Ended { violations, tally }
}

fn start_shards(book: &Rc<Book>, running: &Rc<Cell<usize>>) {
    for (index, bound) in Sim::bind(ADDRESS.parse().unwrap(), book.plan.shards).unwrap().into_iter().enumerate() {
        let setup = Setup::<Sim> {
            index,
            bulletin: Arc::clone(&book.bulletin),
            live: Arc::new(Live::plain(book.plan.limits.clone(), None)),
            external: book.plan.kind == Kind::External,
            listen: vec![(0, bound)],
            entrance: (book.plan.frames > 0).then(|| entrance(index)),
            shards: u16::try_from(book.plan.shards).unwrap(),
            frames_only: book.plan.frames_only,
            options: EngineOptions::default(),
            boot: 0,
            log: None,
        };
        let (pool, running) = (book.pools[index].clone(), Rc::clone(running));
        running.set(running.get() + 1);
        Sim::spawn(async move {
            shard::run_inside(setup, pool, || {}).await.unwrap();
            running.set(running.get() - 1);
        });
    }
}

/// Where workers dial in to a shard.
pub(crate) fn entrance(shard: usize) -> Endpoint {
    Endpoint::new(if shard == 0 { "/run/pipe".into() } else { format!("/run/pipe.{shard}") })
}

/// Waits for the rest of what goes on, and checks that nothing is left.
async fn calm_down(book: &Book, when: &str) {
    let until = now() + Duration::from_secs(60);
    let is_quiet = || {
        let left = book.bulletin.left();
        left.in_flight + left.waiting + left.connections + book.tunnels() == 0
    };
    while now() < until && !is_quiet() {
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_secs(1)).await;
    come_home(book).await;
    book.check_rest(when);
}

/// Waits until the shards hold no more than they should at rest: what is about life signs comes and goes.
async fn come_home(book: &Book) {
    let until = now() + Duration::from_secs(10);
    while now() < until && !book.is_home() {
        sleep(Duration::from_millis(7)).await;
    }
    book.hear_reports();
}

/// In a calm world every request of a new client is answered, and soon.
async fn liveness(book: &Rc<Book>) {
    let until = now() + Duration::from_secs(60);
    while book.plan.frames_only && !book.pipes_are_up() && now() < until {
        sleep(Duration::from_millis(10)).await;
    }
    for method in ["GET", "POST", "HEAD", "GET", "POST"] {
        // The one before may be closing still, and there may be room for one.
        while book.bulletin.left().connections + book.tunnels() > 0 && now() < until {
            sleep(Duration::from_millis(10)).await;
        }
        match must_succeed(book, method).await {
            Ok(took) if took <= PROMPT => {}
            wrong => book.violate(9, format!("{method} in a calm world: {wrong:?}")),
        }
    }
    if let Some(mut talk) = Talk::new(book).await
        && upgraded(&mut talk).await == Some(false)
    {
        book.violate(9, "a tunnel in a calm world lost bytes");
    }
}

/// Whoever is connected when the server drains is let go.
async fn drain(book: &Rc<Book>) {
    let mut talks = Vec::new();
    for _ in 0..below(4) {
        talks.extend(Talk::new(book).await);
    }
    sleep(Duration::from_millis(below(200))).await;
    book.bulletin.set_phase(Phase::Draining);
    // Who was turned away may take two seconds to read why.
    sleep(Duration::from_secs(3)).await;
    come_home(book).await;
    book.check_rest("drained");
    if Talk::new(book).await.is_some() {
        book.violate(9, "a draining server accepts clients");
    }
}

/// Keeps one slot's processes, by the rules of the life cycle.
async fn supervise(book: Rc<Book>, worker: WorkerId) {
    let mut generation = Generation::default();
    while !book.over.get() {
        if generation.0 > 0 || below(2) == 0 {
            nap(1 << below(11)).await;
        }
        book.check_closed(worker, generation);
        generation = generation.next();
        let listener = Rc::new(Worker::listen(&book.bulletin.endpoint(worker, generation)).unwrap());
        book.begins(worker);
        let process = Process {
            book: Rc::clone(&book),
            worker,
            generation,
            listener: Rc::clone(&listener),
            deaf: Rc::default(),
            gone: Rc::default(),
            closing: Rc::default(),
            demoted: Rc::default(),
            demoted_at: Rc::default(),
        };
        Sim::spawn(process.clone().live());
        if book.plan.frames > 0 && chance(book.plan.frames) {
            pipe::join(&process);
        }
        book.publish(worker, generation, Door::Open);
        book.count("processes");
        meet_fate(&process).await;
        process.deaf.set(false);
        process.gone.set(true);
        listener.kill();
        nap(20).await;
        book.publish(worker, generation, Door::Shut);
    }
}

/// Waits until something happens to a process that ends it.
async fn meet_fate(process: &Process) {
    let Process { book, worker, generation, listener, deaf, closing, .. } = process;
    let (worker, generation) = (*worker, *generation);
    let (mut fate, mut at) = (below(5), now() + Duration::from_millis(below(1 << below(16))));
    match book.plan.kind {
        Kind::Deaf if !book.calm.get() => (fate, at) = (1, now()),
        _ if book.plan.fates => {}
        _ => fate = 4,
    }
    while !book.over.get() && (book.calm.get() || fate == 4 || now() < at) {
        sleep(Duration::from_millis(100)).await;
    }
    book.count(format!("fate {fate}"));
    match fate {
        // A crash.
        0 => {}
        // Its loop is stuck, and nobody notices for a while.
        1 => {
            deaf.set(true);
            let until = now() + Duration::from_secs(if book.plan.kind == Kind::Deaf { 3600 } else { below(60) });
            while now() < until && !book.calm.get() {
                sleep(Duration::from_millis(100)).await;
            }
        }
        // It does not listen any more.
        2 => {
            listener.close();
            closing.set(true);
            nap(1 << below(11)).await;
            book.publish(worker, generation, Door::Shut);
            nap(1 << below(11)).await;
            book.check_closed(worker, generation);
        }
        // It is drained.
        _ => {
            book.publish(worker, generation, Door::Draining);
            let until = now() + Duration::from_secs(2);
            while now() < until && book.bulletin.in_flight(worker) + book.bulletin.tunnels(worker) > 0 {
                sleep(Duration::from_millis(10)).await;
            }
            nap(100).await;
            book.check_closed(worker, generation);
        }
    }
}
