//! The pipe through which a worker asks for a recycle, as with iisnode: whoever connects to `IISNODE_CONTROL_PIPE` and
//! writes `recycle` gets all workers replaced, without losing a request.
//!
//! It is an endpoint that only our own user can reach: a Unix socket in the runtime folder, or a named pipe on Windows.
//! `net.connect(path)` of node opens either, as it opens iisnode's pipe; `fs.open` opens no socket. Any number of clients may come, stay, and ask
//! again, each up to [`CLIENTS_MAX`] at a time; a thread waits for each, so that one that says nothing disturbs nobody.

mod words;

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use crossbeam::channel::Sender;
use forebay_transports::Endpoint;
use forebay_transports::local::LocalListener;
use tracing::{info, warn};

use crate::supervisor::Command;
use words::{Heard, MESSAGE_BYTES_MAX, Words};

/// Its name among the endpoints.
const NAME: &str = "control.pipe";

/// The variable that tells workers where it is.
pub const VARIABLE: &str = "IISNODE_CONTROL_PIPE";

/// Clients at a time; more are closed at once. 128: two for each worker that there is room for.
const CLIENTS_MAX: usize = 128;
/// Pause after a client that could not be taken. 100 ms.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where it is, for workers whose endpoints are in this folder.
#[must_use]
pub fn endpoint_in(runtime_dir: &Path) -> Endpoint {
    Endpoint::within(runtime_dir, NAME)
}

/// The pipe, open until this is dropped.
#[derive(Debug)]
pub struct ControlPipe {
    endpoint: Endpoint,
    is_over: Arc<AtomicBool>,
}

impl ControlPipe {
    /// Opens it. Who says the word asks `commands` for a recycle.
    ///
    /// # Errors
    /// The endpoint cannot be listened on, or there can be no thread.
    pub fn open(runtime_dir: &Path, commands: Sender<Command>) -> io::Result<Self> {
        let endpoint = endpoint_in(runtime_dir);
        let listener = LocalListener::open(&endpoint)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let accept = move || accept(listener, &commands, &over);
        thread::Builder::new().name("control pipe".into()).stack_size(64 * 1024).spawn(accept)?;
        Ok(Self { endpoint, is_over })
    }
}

impl Drop for ControlPipe {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        // Wakes the thread that accepts.
        LocalListener::end(&self.endpoint);
    }
}

fn accept(mut listener: LocalListener, commands: &Sender<Command>, is_over: &AtomicBool) {
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
            thread::sleep(ACCEPT_PAUSE);
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Instant;

    use crossbeam::channel::unbounded;
    use forebay_transports::local::dial;

    use super::*;

    #[test]
    fn many_clients_come_and_stay_and_ask_again() {
        let dir = tempfile::tempdir().unwrap();
        let (commands, asked) = unbounded();
        let pipe = ControlPipe::open(dir.path(), commands).unwrap();
        let endpoint = endpoint_in(dir.path());
        let mut clients: Vec<_> = (0..10).map(|_| dial(&endpoint).unwrap()).collect();
        for round in 0..2 {
            for client in &mut clients {
                client.write_all(if round == 0 { b"recycle" } else { b"Recycle\n" }).unwrap();
                assert_eq!(asked.recv_timeout(Duration::from_secs(20)), Ok(Command::Recycle));
            }
        }
        let mut wrong = dial(&endpoint).unwrap();
        wrong.write_all(b"format c:\n").unwrap();
        assert_eq!(wrong.read(&mut [0]).unwrap(), 0, "it is closed");
        assert!(asked.is_empty());
        drop(pipe);
        let deadline = Instant::now() + Duration::from_secs(20);
        while dial(&endpoint).is_ok() {
            assert!(Instant::now() < deadline, "it is still open");
            thread::yield_now();
        }
        assert!(!endpoint.path().exists());
    }
}
