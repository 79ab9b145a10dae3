//! The counters as OpenMetrics text. Names and labels are an interface: dashboards depend on them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use forebay_core::id::WorkerId;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::Metrics;
use crate::bulletin::{Door, LATENCY_BOUNDS_US, ShardStats, Shed};

/// What the text is.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Responses by first digit of their status; "none" for exchanges that ended without one.
const CODES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    /// Everything, as a scraper reads it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut out = String::with_capacity(8 * 1024);
        match encode(&mut out, &registry) {
            Ok(()) => out,
            // Writing to a string does not fail; if it ever does, a scraper sees a text without its end.
            Err(fmt::Error) => String::new(),
        }
    }

    fn sum(&self, of: impl Fn(&ShardStats) -> &AtomicU64) -> u64 {
        (0..self.bulletin.shards()).map(|shard| of(self.bulletin.stats(shard)).load(Relaxed)).sum()
    }

    /// The value of each worker, its slots added up.
    pub(super) fn by_worker(&self, of: impl Fn(WorkerId) -> u64) -> Vec<(String, u64)> {
        let mut sums: BTreeMap<u16, u64> = BTreeMap::new();
        for slot in self.bulletin.in_use() {
            *sums.entry(slot.0 / self.slots_each).or_default() += of(slot);
        }
        sums.into_iter().map(|(worker, sum)| (worker.to_string(), sum)).collect()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page(encoder);
        self.requests(&mut page)?;
        self.clients(&mut page)?;
        self.workers(&mut page)?;
        self.vitals(&mut page)?;
        self.process(&mut page)
    }
}

impl Metrics {
    fn requests(&self, page: &mut Page<'_>) -> fmt::Result {
        let codes = CODES.iter().zip(0..).map(|(code, i): (_, usize)| (*code, self.sum(|s| &s.responses[i])));
        page.counters("forebay_requests", "Requests answered, by status class.", "code", codes)?;
        self.durations(page)?;
        let shed = Shed::ALL.iter().zip(0..).map(|(shed, i): (_, usize)| (shed.reason(), self.sum(|s| &s.shed[i])));
        page.counters("forebay_shed", "Requests answered with 503 at a bound, by reason.", "reason", shed)?;
        let help = "Requests refused for what they are, before any worker.";
        page.counter("forebay_rejected", help, self.sum(|s| &s.rejected))?;
        page.gauge("forebay_waiting", "Requests that wait for a worker.", self.sum(|s| &s.waiting))?;
        page.counter("forebay_retries", "Attempts repeated elsewhere.", self.sum(|s| &s.retries))
    }

    fn durations(&self, page: &mut Page<'_>) -> fmt::Result {
        let bounds = LATENCY_BOUNDS_US.iter().map(|&us| us as f64 / 1e6).chain([f64::INFINITY]);
        let counts = (0..=LATENCY_BOUNDS_US.len()).map(|i| self.sum(|s| &s.latency[i]));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.sum(|s| &s.latency_sum_us) as f64 / 1e6;
        let help = "Time from the end of a request's head to the end of its response.";
        page.0
            .encode_descriptor("forebay_request_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn clients(&self, page: &mut Page<'_>) -> fmt::Result {
        page.gauge("forebay_connections", "Clients connected.", self.sum(|s| &s.connections))?;
        page.counter("forebay_accepted", "Clients accepted.", self.sum(|s| &s.accepted))?;
        page.gauge("forebay_tunnels", "Upgraded connections.", self.sum(|s| &s.tunnels))?;
        page.counter("forebay_received_bytes", "Bytes from clients.", self.sum(|s| &s.bytes_in))?;
        page.counter("forebay_sent_bytes", "Bytes to clients.", self.sum(|s| &s.bytes_out))?;
        let help = "Access log lines dropped because the log could not keep up.";
        page.counter("forebay_access_log_dropped", help, self.sum(|s| &s.log_lines_dropped))
    }

    fn workers(&self, page: &mut Page<'_>) -> fmt::Result {
        let bulletin = &*self.bulletin;
        let up = self.by_worker(|slot| u64::from(bulletin.notice(slot).door == Door::Open));
        // Both its slots are open for a moment at a reload.
        let up = up.into_iter().map(|(worker, open)| (worker, open.min(1)));
        page.gauges("forebay_worker_up", "Whether the worker is ready for requests.", "worker", up)?;
        let in_flight = self.by_worker(|slot| u64::from(bulletin.in_flight(slot)));
        page.gauges("forebay_in_flight", "Requests in flight, by worker.", "worker", in_flight)?;
        let requests = self.by_worker(|slot| bulletin.requests(slot));
        page.counters("forebay_worker_requests", "Requests given to the worker.", "worker", requests)?;
        let restarts = self.by_worker(|slot| bulletin.restarts(slot));
        let help = "Processes that were ready, ended unasked, and were started again.";
        page.counters("forebay_worker_restarts", help, "worker", restarts)?;
        let failures = self.by_worker(|slot| bulletin.failures(slot));
        let help = "Processes that did not become ready.";
        page.counters("forebay_worker_failures", help, "worker", failures)?;
        page.counter("forebay_dials", "Connections made to workers.", self.sum(|s| &s.dials))
    }

    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        if let Some(bytes) = resident_bytes() {
            page.gauge("process_resident_memory_bytes", "Memory of the server itself, without workers.", bytes)?;
        }
        page.gauge("forebay_uptime_seconds", "Time since the start.", self.started.elapsed().as_secs())?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let help = "The version that runs.";
        page.0.encode_descriptor("forebay_build", help, None, MetricType::Info)?.encode_info(&version.as_slice())
    }
}

/// What is written so far.
pub(super) struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    pub(super) fn counters<L: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (of, value) in values {
            let labels = [(label, of.as_ref())];
            family.encode_family(&labels.as_slice())?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    /// Times in seconds.
    pub(super) fn float_counters<L: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (of, value) in values {
            let labels = [(label, of.as_ref())];
            family.encode_family(&labels.as_slice())?.encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }

    pub(super) fn float_gauges<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (of, value) in values {
            family.encode_family(&[(label, of)].as_slice())?.encode_gauge(&value)?;
        }
        Ok(())
    }

    pub(super) fn gauges_by_two<'v>(
        &mut self,
        name: &str,
        help: &str,
        [first, second]: [&str; 2],
        values: impl IntoIterator<Item = (&'v str, &'v str, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (one, other, value) in values {
            family.encode_family(&[(first, one), (second, other)].as_slice())?.encode_gauge(&value)?;
        }
        Ok(())
    }

    pub(super) fn gauges<L: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (of, value) in values {
            let labels = [(label, of.as_ref())];
            family.encode_family(&labels.as_slice())?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

/// Memory of this process that is in RAM; Linux tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
