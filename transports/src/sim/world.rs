//! One simulated world: its tasks, clock, connections and dice.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use forebay_core::time::Timestamp;

use super::endpoint::Endpoints;
use super::executor::{Executor, MAIN};
use super::random::mix;
use super::timers::{Event, Timers};
use super::{Config, Faults, Random, listener};

/// What a poll costs in virtual time: a task that polls forever makes time pass, so that its deadlines come.
const POLL: Duration = Duration::from_micros(1);

thread_local! {
    static CURRENT: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// The world that the calling code runs in.
pub(super) fn current() -> Rc<World> {
    let world = CURRENT.with_borrow(Option::clone);
    world.expect("simulated IO happens inside `World::run`")
}

/// As [`current`], for destructors that may run after the world has ended.
pub(super) fn try_current() -> Option<Rc<World>> {
    CURRENT.try_with(|world| world.borrow().clone()).ok().flatten()
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<T> {
    /// What the program returned.
    pub value: T,
    /// A hash of everything that happened, in order: equal for equal seeds.
    pub history: u64,
    /// Virtual time that passed.
    pub elapsed: Duration,
    /// Spawned tasks that ended by a panic. Contained, as the contract has it: a test asserts that it is zero.
    pub panics: usize,
}

/// A world; see the [module](super).
pub struct World {
    seed: u64,
    pub(super) config: Config,
    healed: Cell<bool>,
    pub(super) executor: Executor,
    pub(super) timers: Timers,
    pub(super) endpoints: Endpoints,
    schedule: RefCell<Random>,
    chaos: RefCell<Random>,
    program: RefCell<Random>,
    history: Cell<u64>,
    names: Cell<u64>,
}

impl World {
    /// Runs `main` in a new world until it completes; tasks that are left are dropped.
    ///
    /// # Panics
    /// With the seed, when nothing can run and no timer is set, or after [`Config::time_max`]; with `main`'s own
    /// panic; and inside another world.
    pub fn run<F: Future>(seed: u64, config: &Config, main: impl FnOnce() -> F) -> Outcome<F::Output> {
        let root = Random::new(seed);
        let world = Rc::new(Self {
            seed,
            config: config.clone(),
            healed: Cell::new(false),
            executor: Executor::default(),
            timers: Timers::default(),
            endpoints: Endpoints::default(),
            schedule: RefCell::new(root.derive(1)),
            chaos: RefCell::new(root.derive(2)),
            program: RefCell::new(root.derive(3)),
            history: Cell::new(mix(seed)),
            names: Cell::new(0),
        });
        let entered = Entered::new(Rc::clone(&world));
        let value = world.drive(main);
        let history = world.history.get();
        let elapsed = world.now().since(Timestamp::ZERO);
        drop(entered);
        Outcome { value, history, elapsed, panics: world.executor.panics() }
    }

    fn drive<F: Future>(&self, main: impl FnOnce() -> F) -> F::Output {
        let mut main = pin!(async { main().await });
        let waker = self.executor.waker(MAIN);
        waker.wake_by_ref();
        loop {
            while let Some(event) = self.timers.pop_due() {
                self.happen(event);
            }
            let chosen = self.executor.next(&mut self.schedule.borrow_mut());
            let Some(id) = chosen else {
                let Some(next) = self.timers.next() else {
                    panic!("deadlock: seed {} at {:?}: nothing can run and no timer is set", self.seed, self.now());
                };
                self.timers.advance_to(next);
                self.check_time();
                continue;
            };
            self.note(id);
            if id == MAIN {
                if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            } else {
                self.executor.poll(id);
            }
            self.timers.advance_to(self.now() + POLL);
            self.check_time();
        }
    }

    fn check_time(&self) {
        let most = self.config.time_max;
        assert!(self.now().since(Timestamp::ZERO) <= most, "seed {}: not done after {most:?}", self.seed);
    }

    fn happen(&self, event: Event) {
        self.note(self.now().as_nanos());
        match event {
            Event::Wake(waker) => waker.wake(),
            Event::Arrive { link, side, what } => link.arrive(side, what),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.timers.now()
    }

    /// Makes `fact` part of the history.
    pub(super) fn note(&self, fact: u64) {
        self.history.set(mix(self.history.get().rotate_left(7) ^ fact));
    }

    /// A number that was not given out before: names of connections, ports of clients.
    pub(super) fn next_name(&self) -> u64 {
        self.names.set(self.names.get() + 1);
        self.names.get()
    }

    /// Throws the dice for one fault; false once the world is healed.
    pub(super) fn strikes(&self, fault: impl FnOnce(&Faults) -> u16) -> bool {
        !self.healed.get() && self.chaos.borrow_mut().chance(fault(&self.config.faults))
    }

    /// Throws the dice for something that is not a fault.
    pub(super) fn chaos<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.chaos.borrow_mut())
    }

    /// How long the next segment, dial or connect takes.
    pub(super) fn latency(&self) -> Duration {
        let mut latency = self.chaos(|random| random.up_to(self.config.latency_max));
        if self.strikes(|faults| faults.stall) {
            latency += self.chaos(|random| random.up_to(self.config.faults.stall_max));
        }
        latency
    }
}

/// Keeps a world current, and ends it in order: tasks first, while they can still reach it.
struct Entered(Rc<World>);

impl Entered {
    fn new(world: Rc<World>) -> Self {
        let before = CURRENT.with_borrow_mut(|current| current.replace(Rc::clone(&world)));
        assert!(before.is_none(), "a world inside a world");
        Self(world)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.executor.clear();
        self.0.timers.clear();
        self.0.endpoints.clear();
        listener::forget_addresses();
        let world = CURRENT.with_borrow_mut(Option::take);
        drop(world);
    }
}

/// Ends all faults: from now on nothing is refused, reset, short or stalled. What has struck stays so.
pub fn heal() {
    current().healed.set(true);
}

/// A number for the test's own choices, from a stream of its own: what the world does does not change what a test
/// draws.
#[must_use]
pub fn random() -> u64 {
    current().program.borrow_mut().any()
}
