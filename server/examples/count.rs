//! quick
use forebay::bulletin::*;
use forebay::shard::{self, Setup};
use forebay_core::id::*;
use forebay_core::limits::Limits;
use forebay_transports::{Endpoint, Engine, EngineOptions, monoio::Monoio};
use std::sync::Arc;
#[global_allocator]
static A: C = C;
struct C;
use std::sync::atomic::*;
static LIVE: [AtomicI64; 8192] = [const { AtomicI64::new(0) }; 8192];
fn idx(n: usize) -> usize {
    n.min(8191 * 16) / 16
}
unsafe impl std::alloc::GlobalAlloc for C {
    unsafe fn alloc(&self, l: std::alloc::Layout) -> *mut u8 {
        LIVE[idx(l.size())].fetch_add(1, Ordering::Relaxed);
        unsafe { mimalloc::MiMalloc.alloc(l) }
    }
    unsafe fn dealloc(&self, p: *mut u8, l: std::alloc::Layout) {
        LIVE[idx(l.size())].fetch_sub(1, Ordering::Relaxed);
        unsafe { mimalloc::MiMalloc.dealloc(p, l) }
    }
}
fn dump() {
    let mut v: Vec<_> = LIVE
        .iter()
        .enumerate()
        .map(|(i, c)| (c.load(Ordering::Relaxed) * (i as i64) * 16, i * 16, c.load(Ordering::Relaxed)))
        .collect();
    v.sort();
    v.reverse();
    for x in &v[..10] {
        eprintln!("{x:?}");
    }
    eprintln!();
}

fn main() {
    let port: u16 = std::env::args().nth(1).unwrap().parse().unwrap();
    let app = std::env::args().nth(2).unwrap();
    let dir = std::env::temp_dir().join(format!("fbq-{port}"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let n = 2;
    let d2 = dir.clone();
    let b = Arc::new(Bulletin::new(
        vec![0..n],
        n as usize,
        Box::new(move |w, _| Endpoint::new(d2.join(format!("{w}.sock")))),
    ));
    let mut kids = vec![];
    for i in 0..n {
        let p = dir.join(format!("w{i}.sock"));
        kids.push(
            std::process::Command::new("taskset")
                .args(["-c", &i.to_string(), "chrt", "-b", "0", "node", &app])
                .env("PORT", &p)
                .spawn()
                .unwrap(),
        );
        while std::os::unix::net::UnixStream::connect(&p).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        b.publish(WorkerId(i), Notice { generation: Generation(1), home: i, door: Door::Open });
    }
    let bound = Monoio::bind(([127, 0, 0, 1], port).into(), n as usize).unwrap();
    let plain = std::env::var_os("PLAIN").is_some();
    let hs: Vec<_> = bound
        .into_iter()
        .enumerate()
        .map(|(i, bd)| {
            let b = b.clone();
            std::thread::spawn(move || {
                shard::run::<Monoio>(
                    Setup {
                        index: i,
                        bulletin: b,
                        limits: Limits {
                            head_timeout: std::time::Duration::from_secs(60),
                            connections_max: 100000,
                            ..Limits::default()
                        },
                        forwarding: if plain {
                            None
                        } else {
                            Some(forebay::config::ForwardingConfig {
                                x_forwarded: true,
                                forwarded: true,
                                request_id: true,
                                trusted: vec![],
                            })
                        },
                        external: false,
                        listen: vec![(0, bd)],
                        options: EngineOptions { cpu: Some(i), batch: true },
                        boot: 1,
                    },
                    |d| eprintln!("{d}"),
                )
                .unwrap()
            })
        })
        .collect();
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(std::time::Duration::from_secs(3));
            dump();
        }
    });
    for h in hs {
        h.join().unwrap();
    }
}
