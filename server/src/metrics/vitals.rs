//! How each worker is fed and how it fares, for those that say so: workers that take frames.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::Metrics;
use super::text::Page;
use crate::bulletin::{Door, Feed, Vitals};

/// Microseconds, or the 1/10000 of a utilisation, in a second or a whole.
const MICRO: f64 = 1e-6;
const RATIO: f64 = 1e-4;

/// A ready process, by its worker's number.
struct Ready<'a> {
    worker: String,
    feed: Option<Feed>,
    vitals: Option<&'a Vitals>,
}

impl Metrics {
    pub(super) fn vitals(&self, page: &mut Page<'_>) -> fmt::Result {
        let ready = self.ready();
        let ways = ready.iter().map(|it| (&*it.worker, if it.feed.is_some() { "frames" } else { "http" }, 1));
        let help = "How requests reach the worker, while it is ready.";
        page.gauges_by_two("forebay_worker_transport", help, ["worker", "transport"], ways)?;
        let links = ready.iter().map(|it| (&*it.worker, it.feed.map_or(0, |feed| u64::from(feed.links))));
        page.gauges("forebay_worker_links", "Connections that carry frames to the worker.", "worker", links)?;
        for (name, help, of, scale) in GAUGES {
            let values = ready.iter().filter_map(|it| Some((&*it.worker, of(it.vitals?).load(Relaxed) as f64 * scale)));
            page.float_gauges(name, help, "worker", values)?;
        }
        for (name, help, of) in SIZES {
            let values = ready.iter().filter_map(|it| Some((&*it.worker, of(it.vitals?).load(Relaxed))));
            page.gauges(name, help, "worker", values)?;
        }
        // Sums over all processes in the worker's place, so that they never run backwards.
        let pauses = self.by_worker(|slot| self.bulletin.vitals(slot).gc_count.load(Relaxed));
        page.counters("forebay_worker_gc_pauses", "Pauses of the garbage collector.", "worker", pauses)?;
        let paused = self.by_worker(|slot| self.bulletin.vitals(slot).gc_pause_us.load(Relaxed));
        let paused = paused.into_iter().map(|(worker, us)| (worker, us as f64 * MICRO));
        page.float_counters("forebay_worker_gc_seconds", "Time in such pauses.", "worker", paused)
    }

    /// One process a worker: of two that are open for a moment at a reload, the one in the later slot.
    fn ready(&self) -> Vec<Ready<'_>> {
        let mut found: Vec<Ready<'_>> = Vec::new();
        for slot in self.bulletin.in_use() {
            let notice = self.bulletin.notice(slot);
            if notice.door != Door::Open {
                continue;
            }
            let worker = (slot.0 / self.slots_each).to_string();
            if found.last().is_some_and(|before| before.worker == worker) {
                found.pop();
            }
            let vitals = self.bulletin.vitals(slot);
            found.push(Ready {
                worker,
                feed: self.bulletin.feed(slot, notice.generation),
                // What was said by a process that had this place before says nothing about this one.
                vitals: (vitals.generation.load(Relaxed) == notice.generation.0).then_some(vitals),
            });
        }
        found
    }
}

/// Where a value is.
type Of = fn(&Vitals) -> &AtomicU64;

const GAUGES: [(&str, &str, Of, f64); 2] = [
    ("forebay_worker_event_loop_utilisation", "Share of time the event loop was busy.", |v| &v.utilisation, RATIO),
    ("forebay_worker_event_loop_delay_seconds", "Longest delay of the event loop.", |v| &v.delay_max_us, MICRO),
];

const SIZES: [(&str, &str, Of); 7] = [
    ("forebay_worker_heap_used_bytes", "JavaScript heap in use.", |v| &v.heap_used),
    ("forebay_worker_heap_bytes", "JavaScript heap.", |v| &v.heap_total),
    ("forebay_worker_external_bytes", "Memory of JavaScript objects outside of the heap.", |v| &v.external),
    ("forebay_worker_array_buffers_bytes", "Memory of buffers.", |v| &v.array_buffers),
    ("forebay_worker_resident_memory_bytes", "Memory of the process in RAM.", |v| &v.rss),
    ("forebay_worker_handles", "Handles that keep the process alive.", |v| &v.handles),
    ("forebay_worker_outbound_sockets", "Open sockets to elsewhere.", |v| &v.outbound),
];
