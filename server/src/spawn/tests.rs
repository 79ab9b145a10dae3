//! One life, whatever the system: these run everywhere, with node for what is not the system's.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;
use forebay_core::worker::{Exit, SpawnFault};

use super::*;

/// All waits. 30 s.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(script: &str) -> Process {
    let mut command = command(Path::new("node"), &["-e".into(), script.into()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Process::start(&mut command, &Place::default()).unwrap()
}

/// Reads one line.
fn line(process: &mut Process) -> String {
    use std::io::{BufRead as _, BufReader};
    let mut line = String::new();
    BufReader::new(process.output().0.unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn ended(process: &mut Process) -> Exit {
    let (tell, told) = bounded(1);
    process.when_ended(move || tell.send(()).unwrap()).unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    assert!(process.has_ended());
    process.collect().unwrap()
}

#[test]
fn a_process_ends_by_itself() {
    let mut process = start("process.exitCode = 7");
    assert_eq!(ended(&mut process), Exit::Code(7));
}

#[test]
fn what_it_started_is_killed_with_it() {
    let child = "setInterval(() => {}, 1000)";
    let mut process = start(&format!(
        "const c = require('child_process').spawn(process.execPath, ['-e', '{child}'], {{ stdio: 'ignore' }}); \
         console.log(c.pid); {child}"
    ));
    let _child = line(&mut process);
    assert!(!process.has_ended() && process.collect().is_none() && process.has_company());
    process.kill();
    let exit = ended(&mut process);
    assert_ne!(exit, Exit::Code(0));
    let deadline = Instant::now() + PATIENCE;
    while process.has_company() {
        assert!(Instant::now() < deadline, "somebody is left");
        std::thread::yield_now();
    }
}

#[test]
fn who_cannot_be_asked_or_does_not_listen_ends_all_the_same() {
    let mut process = start("console.log('up'); setInterval(() => {}, 1000)");
    assert_eq!(line(&mut process), "up");
    process.ask_to_end(false);
    assert_ne!(ended(&mut process), Exit::Code(0));
}

#[test]
#[cfg_attr(windows, ignore = "Wine names no owner of a port")]
fn ports_are_found() {
    let mut process =
        start("require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })");
    let port: u16 = line(&mut process).parse().unwrap();
    assert_eq!(process.ports(), [port]);
    assert!(process.usage().resident_bytes > 0);
    process.end();
    assert!(process.has_ended());
}

#[test]
fn who_is_to_blame() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_owned();
    let blame = |program: &Path, cwd: &Path| {
        let mut command = command(program, &[]);
        let error = Process::start(command.current_dir(cwd), &Place::default()).unwrap_err();
        fault(&error, cwd)
    };
    assert_eq!(blame(&here.join("no-such-program"), &here), SpawnFault::ProgramMissing);
    assert_eq!(blame(Path::new("node"), &here.join("no/such/folder")), SpawnFault::FolderMissing);
    let text = here.join("text.exe");
    std::fs::write(&text, "not a program").unwrap();
    assert_eq!(blame(&text, &here), SpawnFault::ProgramDenied);
}

#[test]
fn words_are_quoted_for_the_shell() {
    let (program, args) = shell(&format!("echo {}", quoted("a  b&c")));
    let mut command = command(&program, &args);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("a  b&c"), "{output:?}");
}

#[test]
fn the_memory_of_a_process_is_known() {
    let own = memory(std::process::id());
    assert!(own.resident_bytes > 1 << 20 && own.private_bytes > 1 << 18, "{own:?}");
    assert_eq!(memory(u32::MAX - 3), Memory::default());
}
