//! What workers say of themselves, and how they are fed.

use std::fmt;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

use forebay_core::id::Generation;
use forebay_core::pipe::Stats;

/// How a worker fares, as it last said; units as in [`Stats`]. Sums are over all of the
/// slot's processes.
#[derive(Debug, Default)]
pub struct Vitals {
    /// Which of the slot's processes said so; 0 before the first.
    pub generation: AtomicU32,
    /// Event-loop utilisation in 1/10000.
    pub utilisation: AtomicU64,
    /// The longest delay of the event loop in the last report's second, in microseconds.
    pub delay_max_us: AtomicU64,
    /// Bytes of the V8 heap in use.
    pub heap_used: AtomicU64,
    /// Bytes of the V8 heap.
    pub heap_total: AtomicU64,
    /// Bytes V8's objects hold outside of the heap.
    pub external: AtomicU64,
    /// Bytes in array buffers.
    pub array_buffers: AtomicU64,
    /// Resident set, bytes.
    pub rss: AtomicU64,
    /// Sum of the garbage collector's pauses, in microseconds.
    pub gc_pause_us: AtomicU64,
    /// Number of the garbage collector's pauses.
    pub gc_count: AtomicU64,
    /// Active handles.
    pub handles: AtomicU64,
    /// Open sockets to elsewhere.
    pub outbound: AtomicU64,
}

impl Vitals {
    /// Takes a report. Torn reads between fields do no harm: each is a gauge or a sum of its own.
    pub(super) fn store(&self, generation: Generation, stats: &Stats) {
        self.utilisation.store(stats.utilisation.into(), Relaxed);
        self.delay_max_us.store(stats.delay_max_us.into(), Relaxed);
        self.heap_used.store(stats.heap_used, Relaxed);
        self.heap_total.store(stats.heap_total, Relaxed);
        self.external.store(stats.external, Relaxed);
        self.array_buffers.store(stats.array_buffers, Relaxed);
        self.rss.store(stats.rss, Relaxed);
        self.gc_pause_us.fetch_add(stats.gc_pause_us.into(), Relaxed);
        self.gc_count.fetch_add(stats.gc_count.into(), Relaxed);
        self.handles.store(stats.handles.into(), Relaxed);
        self.outbound.store(stats.outbound.into(), Relaxed);
        self.generation.store(generation.0, Relaxed);
    }
}

/// A version of node, as in `v20.20.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(u16, u16, u16);

impl Version {
    /// Of a text such as `v20.20.2`; what follows the third number is dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| part.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
        let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.').map(number);
        Some(Self(parts.next()??, parts.next()??, parts.next()??))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.0, self.1, self.2)
    }
}

/// How a process is fed frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its connections, over all shards.
    pub links: u32,
    /// The process that dialled in: where the worker is a shell or npm, one that it started.
    pub pid: u32,
    /// What it runs, where it said so.
    pub version: Option<Version>,
}

/// [`Feed`] as it is published.
#[derive(Debug, Default)]
pub(super) struct Feeding {
    /// Generation and connections.
    links: AtomicU64,
    pid: AtomicU32,
    version: AtomicU64,
    /// The generation that is not fed frames any more, though it could.
    demoted: AtomicU32,
}

impl Feeding {
    /// The process has dialled in once more.
    pub(super) fn on_dialled(&self, generation: Generation, pid: u32, version: Option<Version>) {
        let version = version.map_or(0, |v| 1 << 48 | u64::from(v.0) << 32 | u64::from(v.1) << 16 | u64::from(v.2));
        // Another process than the one before, which had the same generation: workers of somebody else's have no other.
        // One that dials in again, or whose HELLO was long on its way, is what it was.
        if self.pid.swap(pid, Relaxed) != pid {
            self.demoted.store(0, Release);
        }
        self.version.store(version, Relaxed);
        self.change(|of, links| if of == generation { (of, links + 1) } else { (generation, 1) });
    }

    /// One of the process's connections is over.
    pub(super) fn on_hung_up(&self, generation: Generation) {
        self.change(|of, links| (of, if of == generation { links.saturating_sub(1) } else { links }));
    }

    fn change(&self, to: impl Fn(Generation, u32) -> (Generation, u32)) {
        let next = |word: u64| {
            let (generation, links) = to(Generation((word >> 32) as u32), word as u32);
            Some(u64::from(generation.0) << 32 | u64::from(links))
        };
        // Never refused: `next` always has an answer.
        let _before = self.links.fetch_update(AcqRel, Acquire, next);
    }

    /// None while the process has no connection.
    pub(super) fn of(&self, generation: Generation) -> Option<Feed> {
        let word = self.links.load(Acquire);
        let (of, links) = (Generation((word >> 32) as u32), word as u32);
        let version = self.version.load(Relaxed);
        let part = |shift: u32| (version >> shift) as u16;
        (of == generation && links > 0).then(|| Feed {
            links,
            pid: self.pid.load(Relaxed),
            version: (version != 0).then(|| Version(part(32), part(16), part(0))),
        })
    }

    /// Whether that is news. What a process that is gone had to say may come behind what its successor said.
    pub(super) fn demote(&self, generation: Generation) -> bool {
        self.demoted.fetch_max(generation.0, AcqRel) < generation.0
    }

    pub(super) fn is_demoted(&self, generation: Generation) -> bool {
        // Generations begin at 1 wherever somebody could be demoted.
        generation.0 != 0 && self.demoted.load(Acquire) == generation.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_node_writes_them() {
        let shown = |text| Version::parse(text).map(|version| version.to_string());
        assert_eq!(shown("v20.20.2").as_deref(), Some("v20.20.2"));
        assert_eq!(shown("v25.0.0-nightly20250909").as_deref(), Some("v25.0.0"));
        assert_eq!((shown(""), shown("v20"), shown("deno 2.1.0")), (None, None, None));
    }

    #[test]
    fn a_feed_is_of_one_process() {
        let (feeding, old, new) = (Feeding::default(), Generation(1), Generation(2));
        let links = |generation| feeding.of(generation).map_or(0, |feed| feed.links);
        feeding.on_dialled(old, 7, Version::parse("v20.20.2"));
        feeding.on_dialled(old, 7, Version::parse("v20.20.2"));
        assert_eq!((links(old), links(new)), (2, 0));
        assert_eq!(feeding.of(old).and_then(|feed| feed.version), Version::parse("v20.20.2"));
        feeding.on_dialled(new, 8, None);
        feeding.on_hung_up(old);
        assert_eq!((links(old), links(new)), (0, 1));
        assert_eq!(feeding.of(new), Some(Feed { links: 1, pid: 8, version: None }));
        feeding.on_hung_up(new);
        assert_eq!(feeding.of(new), None);
    }

    #[test]
    fn demotion_is_of_one_process() {
        let feeding = Feeding::default();
        assert!(!feeding.is_demoted(Generation(0)) && !feeding.is_demoted(Generation(1)));
        assert!(feeding.demote(Generation(1)) && !feeding.demote(Generation(1)));
        assert!(feeding.is_demoted(Generation(1)) && !feeding.is_demoted(Generation(2)));
    }
}
