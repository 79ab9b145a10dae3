//! The simulated world itself: same seed, same history; faults strike, hold to the contract, and end.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as tests do")]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use forebay_core::buf::{Chunk, ChunkSize, Pool, Queue};
use forebay_core::time::Timestamp;
use forebay_transports::sim::{self, Config, Faults, Outcome, Sim, Stream, Worker, World};
use forebay_transports::{Conn, Endpoint, Engine, Listener};

/// Seeds that each test tries. A failure names its seed.
const SEEDS: u64 = 200;

fn endpoint() -> Endpoint {
    Endpoint::new("/run/worker-0.sock")
}

fn chunk(pool: &Pool, bytes: &[u8]) -> Chunk {
    let mut chunk = pool.take(ChunkSize::Small);
    chunk.put(bytes).unwrap();
    chunk
}

async fn write_all(conn: &Stream, mut parts: Queue) -> io::Result<()> {
    while !parts.is_empty() {
        let (result, rest) = conn.write(parts).await;
        result?;
        parts = rest;
    }
    Ok(())
}

/// Copies until the stream ends, then ends its own.
async fn echo(conn: Stream, pool: Pool) {
    loop {
        let (result, chunk) = conn.read(pool.take(ChunkSize::Small)).await;
        match result {
            Ok(count) if count > 0 => {
                if write_all(&conn, chunk.freeze().into()).await.is_err() {
                    return;
                }
            }
            Ok(_) | Err(_) => return conn.finish(),
        }
    }
}

/// Sends `bytes` and reads them back. What comes back is always right; it may be cut short by an error.
async fn talk(conn: Stream, pool: Pool, bytes: Vec<u8>) -> io::Result<()> {
    let conn = std::rc::Rc::new(conn);
    let (sender, buffers, sent) = (std::rc::Rc::clone(&conn), pool.clone(), bytes.clone());
    Sim::spawn(async move {
        for part in sent.chunks(400) {
            if write_all(&sender, chunk(&buffers, part).freeze().into()).await.is_err() {
                return sender.abort();
            }
        }
        sender.finish();
    });
    let mut all = Vec::new();
    loop {
        let (result, chunk) = conn.read(pool.take(ChunkSize::Small)).await;
        all.extend_from_slice(&chunk);
        assert!(bytes.starts_with(&all), "other bytes came back than were sent");
        match result {
            Ok(0) if all.len() == bytes.len() => return Ok(()),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
}

fn some_bytes() -> Vec<u8> {
    let length = sim::random() % 3000;
    (0..length).map(|_| sim::random().to_le_bytes()[0]).collect()
}

/// A worker that echoes, and the same service for clients.
fn serve(pool: &Pool) -> std::net::SocketAddr {
    let bound = Sim::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
    let address = Sim::local_addr(&bound[0]);
    for bound in bound {
        let pool = pool.clone();
        let listener = Sim::listen(bound).unwrap();
        Sim::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((conn, _)) => Sim::spawn(echo(conn, pool.clone())),
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => return,
                    Err(_) => Sim::sleep_until(Sim::now() + Duration::from_millis(1)).await,
                }
            }
        });
    }
    let (worker, pool) = (Worker::listen(&endpoint()).unwrap(), pool.clone());
    Sim::spawn(async move {
        loop {
            match worker.accept().await {
                Ok(conn) => Sim::spawn(echo(conn, pool.clone())),
                Err(_) => Sim::sleep_until(Sim::now() + Duration::from_millis(1)).await,
            }
        }
    });
    address
}

/// Twenty conversations with the service, by turns as a client and as a shard; how many went well.
async fn conversations(pool: &Pool, address: std::net::SocketAddr) -> usize {
    let mut well = 0;
    for turn in 0..20 {
        let conn = if turn % 2 == 0 {
            sim::connect(address).await
        } else {
            Sim::dial(&endpoint(), Sim::now() + Duration::from_secs(10)).await
        };
        if let Ok(conn) = conn {
            well += usize::from(talk(conn, pool.clone(), some_bytes()).await.is_ok());
        }
    }
    well
}

/// Runs the conversations in a world, and checks that it ends with all buffers home.
fn run(seed: u64, config: &Config) -> Outcome<usize> {
    let pool = Pool::new(0);
    let outcome = World::run(seed, config, || async {
        let address = serve(&pool);
        conversations(&pool, address).await
    });
    assert_eq!((pool.stats().away, outcome.panics), ([0; 3], 0), "seed {seed}");
    outcome
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_seed_another() {
    let mut histories = std::collections::BTreeSet::new();
    for seed in 0..SEEDS {
        let config = Config::random(seed);
        let outcome = run(seed, &config);
        assert_eq!(run(seed, &config), outcome, "seed {seed}");
        histories.insert(outcome.history);
    }
    assert_eq!(histories.len() as u64, SEEDS);
}

#[test]
fn without_resets_and_refusals_everything_arrives() {
    for seed in 0..SEEDS {
        let mut config = Config::random(seed);
        config.faults = Faults { reset: 0, dial_refused: 0, dial_hangs: 0, accept: 0, ..config.faults };
        config.latency_max = config.latency_max.min(Duration::from_millis(1));
        config.faults.stall_max = Duration::from_secs(1);
        assert_eq!(run(seed, &config).value, 20, "seed {seed}");
    }
}

#[test]
fn a_hostile_world_breaks_conversations_and_harms_nothing_else() {
    let well: usize = (0..SEEDS).map(|seed| run(seed, &Config::hostile()).value).sum();
    let all = 20 * usize::try_from(SEEDS).unwrap();
    assert!(well > 0 && well < all, "{well} of {all}");
}

#[test]
fn a_healed_world_works() {
    for seed in 0..SEEDS {
        let pool = Pool::new(0);
        let outcome = World::run(seed, &Config::hostile(), || async {
            let address = serve(&pool);
            let _ = conversations(&pool, address).await;
            sim::heal();
            conversations(&pool, address).await
        });
        assert_eq!(outcome.value, 20, "seed {seed}");
    }
}

#[test]
fn what_a_test_draws_does_not_depend_on_the_faults() {
    let draw = |config: Config| World::run(7, &config, || async { [sim::random(), sim::random()] }).value;
    assert_eq!(draw(Config::default()), draw(Config::hostile()));
}

#[test]
fn a_deadlock_is_a_panic_that_names_the_seed() {
    let run = || World::run(4711, &Config::default(), || Sim::sleep_until(Timestamp::NEVER));
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    let message = panic.downcast::<String>().unwrap();
    assert!(message.contains("deadlock: seed 4711"), "{message}");
    run_after_panic();
}

/// A world that ended by a panic leaves the thread fit for another.
fn run_after_panic() {
    assert_eq!(World::run(1, &Config::default(), || async { 3 }).value, 3);
}

#[test]
fn a_program_that_never_ends_is_a_panic() {
    let run = || {
        let config = Config { time_max: Duration::from_secs(60), ..Config::default() };
        World::run(5, &config, || async {
            loop {
                Sim::sleep_until(Sim::now() + Duration::from_secs(1)).await;
            }
        })
    };
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    let message = panic.downcast::<String>().unwrap();
    assert!(message.contains("seed 5: not done"), "{message}");
}

#[test]
fn hours_pass_at_once() {
    let hours = Duration::from_secs(3 * 3600);
    let config = Config { time_max: 2 * hours, ..Config::default() };
    let outcome = World::run(0, &config, || async move { Sim::sleep_until(Sim::now() + hours).await });
    assert!(outcome.elapsed >= hours && outcome.elapsed < hours + Duration::from_secs(1));
}

#[test]
fn a_tasks_panic_is_counted_and_contained() {
    let outcome = World::run(0, &Config::default(), || async {
        Sim::spawn(async { panic!("expected by the test") });
        Sim::sleep_until(Sim::now() + Duration::from_secs(1)).await;
    });
    assert_eq!(outcome.panics, 1);
}

#[test]
fn a_killed_worker_is_gone_until_it_listens_again() {
    World::run(0, &Config::default(), || async {
        let pool = Pool::new(0);
        let deadline = Sim::now() + Duration::from_secs(1);
        let worker = Worker::listen(&endpoint()).unwrap();
        assert_eq!(Worker::listen(&endpoint()).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        let idle = Sim::dial(&endpoint(), deadline).await.unwrap();
        let busy = Sim::dial(&endpoint(), deadline).await.unwrap();
        let _accepted = [worker.accept().await.unwrap(), worker.accept().await.unwrap()];
        write_all(&busy, chunk(&pool, b"never read").freeze().into()).await.unwrap();
        worker.kill();

        assert_eq!(idle.read(pool.take(ChunkSize::Small)).await.0.unwrap(), 0, "nothing was lost: an end");
        let (result, _) = busy.read(pool.take(ChunkSize::Small)).await;
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "bytes were lost: a reset");
        let error = Sim::dial(&endpoint(), deadline).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        worker.remove();
        assert_eq!(Sim::dial(&endpoint(), deadline).await.unwrap_err().kind(), io::ErrorKind::NotFound);

        let worker = Worker::listen(&endpoint()).unwrap();
        let _again = Sim::dial(&endpoint(), deadline).await.unwrap();
        worker.accept().await.unwrap();
    });
}

#[test]
fn addresses_are_bound_before_a_world_and_free_after_it() {
    for _ in 0..2 {
        let bound = Sim::bind("127.0.0.1:80".parse().unwrap(), 1).unwrap();
        assert!(Sim::bind("0.0.0.0:80".parse().unwrap(), 1).is_err(), "the wildcard includes it");
        World::run(0, &Config::default(), || async {
            let listener = Sim::listen(bound.into_iter().next().unwrap()).unwrap();
            let _client = sim::connect("127.0.0.1:80".parse().unwrap()).await.unwrap();
            listener.accept().await.unwrap();
        });
    }
}
