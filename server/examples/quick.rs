//! quick
use forebay::bulletin::*;
use forebay::shard::{self, Setup};
use forebay_core::id::*;
use forebay_core::limits::Limits;
use forebay_transports::{Endpoint, Engine, EngineOptions, monoio::Monoio};
use std::sync::Arc;
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
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
    for h in hs {
        h.join().unwrap();
    }
}
