//! Workers that nobody wants anything of give their memory back.
#![cfg(target_os = "linux")]

use super::setup::Setup;
use super::system::folder;
use super::wait::{until, until_some};

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid)).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn an_idle_worker_is_paged_out_and_serves_again() {
    // Pages that another node of this machine uses would stay: this one has a file of its own.
    let dir = folder();
    let (path, node) = (std::env::var_os("PATH").unwrap(), dir.path().join("node"));
    let found = std::env::split_paths(&path).map(|folder| folder.join("node")).find(|file| file.is_file()).unwrap();
    std::fs::copy(found, &node).unwrap();
    let setup = Setup::new("lab.cjs").set("app.node", format!("{:?}", node.display().to_string()));
    let server = setup.set("workers.page_out_after", "\"2s\"").start();
    assert_eq!(server.connect().get("/").status, 200);
    let pid = server.ready_pids()[0];
    let before = resident_kib(pid);
    let said = until_some("it is paged out, or cannot be", || {
        let log = server.log();
        let said = log.lines().find(|line| line.contains(" paged out, ") || line.contains("the kernel "));
        said.map(str::to_owned)
    });
    if said.contains("the kernel ") {
        // Nothing can be shown here; that it is said is something.
        return eprintln!("SKIPPED: {said}");
    }
    assert!(said.contains("nothing was wanted for 2 s: 1 process(es) paged out, "), "{said}");
    until("less is resident", || resident_kib(pid) < before - before / 4);
    println!("{before} KiB resident, then {}", resident_kib(pid));
    assert_eq!(server.connect().get("/").text(), "hello\n");
    assert_eq!(server.ready_pids(), [pid], "it is the same one");
    until("it is paged out again", || server.log_count(" paged out, ") >= 2);
    server.stop();
}
