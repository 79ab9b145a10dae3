//! The pipe through which a worker asks for a recycle, as with iisnode: whoever connects to `IISNODE_CONTROL_PIPE` and
//! writes `recycle` gets all workers replaced, without losing a request.
//!
//! It is a Unix socket in the runtime folder, which only our own user can enter: `net.connect(path)` of node opens it,
//! as it opens iisnode's named pipe. `fs.open` does not, unlike there. Any number of clients may come, stay, and ask
//! again, each up to [`CLIENTS_MAX`] at a time; a thread waits for each, so that one that says nothing disturbs nobody.

mod system;
mod words;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use crossbeam::channel::Sender;
use tracing::{info, warn};

use crate::supervisor::Command;
use system::Listener;
use words::{Heard, MESSAGE_BYTES_MAX, Words};

/// Its name in the runtime folder.
const FILE: &str = "control.pipe";

/// The variable that tells workers where it is.
pub const VARIABLE: &str = "IISNODE_CONTROL_PIPE";

/// Clients at a time; more are closed at once. 128: two for each worker that there is room for.
const CLIENTS_MAX: usize = 128;

/// Where it is, for workers whose endpoints are in this folder.
#[must_use]
pub fn path_in(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join(FILE)
}

/// The pipe, open until this is dropped.
#[derive(Debug)]
pub struct ControlPipe {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
}

impl ControlPipe {
    /// Opens it. Who says the word asks `commands` for a recycle.
    ///
    /// # Errors
    /// The path cannot be listened on, or there can be no thread.
    pub fn open(runtime_dir: &Path, commands: Sender<Command>) -> io::Result<Self> {
        let path = path_in(runtime_dir);
        let listener = Listener::open(&path)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let accept = move || accept(&listener, &commands, &over);
        thread::Builder::new().name("control pipe".into()).stack_size(64 * 1024).spawn(accept)?;
        Ok(Self { path, is_over })
    }
}

impl Drop for ControlPipe {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        // Wakes the thread that accepts.
        Listener::end(&self.path);
    }
}

fn accept(listener: &Listener, commands: &Sender<Command>, is_over: &AtomicBool) {
    let clients = Arc::new(());
    loop {
        let accepted = listener.accept();
        if is_over.load(Relaxed) {
            return;
        }
        let started = accepted.and_then(|stream| {
            if Arc::strong_count(&clients) > CLIENTS_MAX {
                return Err(io::Error::other(format!("there are {CLIENTS_MAX} clients already")));
            }
            let (commands, here) = (commands.clone(), Arc::clone(&clients));
            let listen = move || {
                let _here = here;
                listen(stream, &commands);
            };
            thread::Builder::new().name("control client".into()).stack_size(64 * 1024).spawn(listen)
        });
        if let Err(error) = started {
            warn!(target: "forebay", "control pipe: cannot take another client: {error}");
            // Out of descriptors or threads, most likely: they come back.
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Does as one client says, until it leaves or says something else.
fn listen(mut stream: impl Read, commands: &Sender<Command>) {
    let (mut words, mut part) = (Words::default(), [0; MESSAGE_BYTES_MAX]);
    loop {
        let heard = match stream.read(&mut part) {
            Ok(0) => words.end(),
            Ok(count) => words.hear(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        match heard {
            Heard::Nothing => {}
            Heard::Recycle => {
                info!(target: "forebay", "the application asks for a recycle through its control pipe");
                if commands.send(Command::Recycle).is_err() {
                    return;
                }
            }
            Heard::End => return,
            Heard::Garbage(what) => {
                return warn!(target: "forebay", "control pipe: {what} is not understood, allowed: recycle");
            }
        }
    }
}

// The pipes of Windows are the same to the code above, and have another client.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    use crossbeam::channel::unbounded;

    use super::*;

    #[test]
    fn many_clients_come_and_stay_and_ask_again() {
        let dir = tempfile::tempdir().unwrap();
        let (commands, asked) = unbounded();
        let pipe = ControlPipe::open(dir.path(), commands).unwrap();
        let path = path_in(dir.path());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut clients: Vec<_> = (0..10).map(|_| UnixStream::connect(&path).unwrap()).collect();
        for round in 0..2 {
            for client in &mut clients {
                client.write_all(if round == 0 { b"recycle" } else { b"Recycle\n" }).unwrap();
                assert_eq!(asked.recv_timeout(Duration::from_secs(20)), Ok(Command::Recycle));
            }
        }
        let mut wrong = UnixStream::connect(&path).unwrap();
        wrong.write_all(b"format c:\n").unwrap();
        assert_eq!(wrong.read(&mut [0]).unwrap(), 0, "it is closed");
        assert!(asked.is_empty());
        drop(pipe);
        assert!(UnixStream::connect(&path).is_err() && !path.exists());
    }
}
