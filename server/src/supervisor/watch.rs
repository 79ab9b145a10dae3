//! Finds out whether a worker listens, by connecting to it.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use forebay_core::time::Timestamp;
use forebay_transports::Endpoint;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// When to try a starting worker's endpoint: every 10 ms at first, growing to 100 ms.
#[derive(Debug)]
pub struct Probe {
    next: Timestamp,
    delay: Duration,
}

impl Probe {
    const DELAY_MIN: Duration = Duration::from_millis(10);
    const DELAY_MAX: Duration = Duration::from_millis(100);

    /// Tries from now on.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { next: now + Self::DELAY_MIN, delay: Self::DELAY_MIN }
    }

    /// When to try next.
    #[must_use]
    pub fn next(&self) -> Timestamp {
        self.next
    }

    /// Tries, if it is time to.
    pub fn poll(&mut self, now: Timestamp, endpoint: &Endpoint) -> bool {
        if now < self.next {
            return false;
        }
        self.delay = (self.delay * 5 / 4).min(Self::DELAY_MAX);
        self.next = now + self.delay;
        listens(endpoint)
    }
}

/// Whether somebody accepts connections there. Never blocks: a full backlog means that somebody listens.
#[must_use]
pub fn listens(endpoint: &Endpoint) -> bool {
    let Ok(address) = SocketAddrUnix::new(endpoint.path()) else { return false };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let Ok(socket) = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None) else { return false };
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::AGAIN) => true,
        Err(_) => false,
    }
}

/// Keeps other users out of a socket; until now only the folder did.
pub fn seal(endpoint: &Endpoint) {
    let _vanished = set_permissions(endpoint.path(), Permissions::from_mode(0o600));
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_a_listener_listens() {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::new(dir.path().join("w"));
        assert!(!listens(&endpoint), "no such file");
        let listener = UnixListener::bind(endpoint.path()).unwrap();
        assert!(listens(&endpoint));
        seal(&endpoint);
        assert_eq!(std::fs::metadata(endpoint.path()).unwrap().permissions().mode() & 0o777, 0o600);
        drop(listener);
        assert!(!listens(&endpoint), "a file that nobody listens on");
        assert!(!listens(&Endpoint::new("x".repeat(200))), "a path that is too long");
    }

    #[test]
    fn a_full_backlog_is_listened_to() {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::new(dir.path().join("w"));
        let _listener = UnixListener::bind(endpoint.path()).unwrap();
        let mut waiting = Vec::new();
        let address = SocketAddrUnix::new(endpoint.path()).unwrap();
        loop {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
            match connect(&socket, &address) {
                Ok(()) => waiting.push(socket),
                Err(error) => break assert_eq!(error, Errno::AGAIN),
            }
            if waiting.len() > 900 {
                return; // This machine's backlog is longer than our descriptors.
            }
        }
        assert!(listens(&endpoint));
    }

    #[test]
    fn probes_slow_down() {
        let endpoint = Endpoint::new("/no/such/endpoint");
        let mut probe = Probe::new(Timestamp::ZERO);
        let mut now = Timestamp::ZERO;
        let mut gaps = Vec::new();
        for _ in 0..20 {
            gaps.push(probe.next().since(now));
            now = probe.next();
            assert!(!probe.poll(now, &endpoint));
        }
        assert_eq!(gaps[0], Duration::from_millis(10));
        assert_eq!(gaps[19], Duration::from_millis(100));
        assert!(gaps.is_sorted());
    }
}
