//! Named pipes with a real node at the other end. `NODE_EXE` names it; without, these tests say so and pass.

#![cfg(windows)]
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as tests do")]

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use forebay_core::buf::{Chunk, ChunkSize, Pool, Queue};
use forebay_transports::compio::Compio;
use forebay_transports::{Conn, Endpoint, Engine, EngineOptions, Entrance};

/// Enough that no buffer on the way holds it.
const BULK_BYTES: usize = 8 << 20;

/// How long a node may take to start, on a busy machine and under Wine.
const START_MAX: Duration = Duration::from_secs(60);

/// A node that runs a script until it is dropped.
struct Node(Child);

impl Node {
    /// None, with a line, where there is no node.
    fn run(script: &str, pipe: &Endpoint) -> Option<Self> {
        let Some(program) = std::env::var_os("NODE_EXE") else {
            let _ = writeln!(std::io::stderr(), "skipped: NODE_EXE is not set");
            return None;
        };
        let mut command = Command::new(program);
        command.args(["-e", script]).env("PIPE", pipe.path()).stdin(Stdio::null());
        // Piped and left alone: under Wine it may not inherit ours.
        Some(Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn endpoint(name: &str) -> Endpoint {
    Endpoint::new(format!(r"\\.\pipe\forebay-test-{}-{name}", std::process::id()))
}

fn chunk(pool: &Pool, bytes: &[u8]) -> Chunk {
    let mut chunk = pool.take(ChunkSize::holding(bytes.len()).unwrap());
    chunk.put(bytes).unwrap();
    chunk
}

async fn write_all(conn: &impl Conn, mut parts: Queue) {
    while !parts.is_empty() {
        let (result, rest) = conn.write(parts).await;
        result.unwrap();
        parts = rest;
    }
}

async fn read_up_to(conn: &impl Conn, pool: &Pool, bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < bytes {
        let (result, chunk) = conn.read(pool.take(ChunkSize::Large)).await;
        match result.unwrap() {
            0 => break,
            _ => all.extend_from_slice(&chunk),
        }
    }
    all
}

/// Sends the bulk piece by piece and reads it back.
async fn echoes(conn: &impl Conn, pool: &Pool) {
    let bulk: Vec<u8> = (0..BULK_BYTES).map(|at| (at * 7 + (at >> 12)) as u8).collect();
    for piece in bulk.chunks(ChunkSize::Medium.capacity()) {
        write_all(conn, chunk(pool, piece).freeze().into()).await;
        assert!(read_up_to(conn, pool, piece.len()).await == piece, "other bytes came back than were sent");
    }
}

#[test]
fn a_node_dials_in() {
    let endpoint = endpoint("entrance");
    let dial = "const net = require('node:net'); const pipe = net.connect(process.env.PIPE); \
                pipe.write('hello'); pipe.pipe(pipe); pipe.on('close', () => process.exit(7));";
    Compio::run(&EngineOptions::default(), || async {
        let entrance = Compio::open(&endpoint).unwrap();
        let Some(mut node) = Node::run(dial, &endpoint) else { return };
        let pool = Pool::new(0);
        let conn = entrance.accept().await.unwrap();
        assert_eq!(read_up_to(&conn, &pool, 5).await, b"hello");
        assert!(conn.is_quiet());
        echoes(&conn, &pool).await;
        drop(conn);
        assert_eq!(node.0.wait().unwrap().code(), Some(7), "it learns of the end");
    })
    .unwrap();
}

#[test]
fn a_node_that_listens_is_dialled() {
    let endpoint = endpoint("worker");
    let listen = "const server = require('node:net').createServer((pipe) => pipe.pipe(pipe)); \
                  server.listen(process.env.PIPE);";
    Compio::run(&EngineOptions::default(), || async {
        let Some(mut node) = Node::run(listen, &endpoint) else { return };
        let deadline = Compio::now() + START_MAX;
        let conn = loop {
            match Compio::dial(&endpoint, deadline).await {
                Ok(conn) => break conn,
                Err(error) => assert!(Compio::now() < deadline, "it does not listen: {error}"),
            }
            Compio::sleep_until(Compio::now() + Duration::from_millis(20)).await;
        };
        let pool = Pool::new(0);
        assert!(conn.is_quiet());
        echoes(&conn, &pool).await;
        node.0.kill().unwrap();
        let (result, _) = conn.read(pool.take(ChunkSize::Small)).await;
        assert!(matches!(result, Ok(0) | Err(_)), "{result:?}");
        assert!(!conn.is_quiet());
    })
    .unwrap();
}
