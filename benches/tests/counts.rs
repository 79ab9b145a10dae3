//! The promises about allocations and copies, held by every `cargo test`: `counts` in its short form.
#![cfg(target_os = "linux")]

use std::process::Command;

#[test]
fn a_request_costs_the_shard_what_is_promised() {
    let run = Command::new(env!("CARGO_BIN_EXE_counts")).arg("--short").output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{said}");
}
