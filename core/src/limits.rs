//! Every bound of the data plane, with its unit, its default and the precedent of the default.
//!
//! Durations are waits: reaching one ends the exchange or the connection with the answer named beside it. Values are
//! checked where configuration is parsed; the core takes them as they are.

use core::time::Duration;

/// The bounds a shard works within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request head, request line to empty line. Beyond: 431, or 414 while still in the request line.
    /// 16 KiB: node's `--max-http-header-size`.
    pub head_bytes_max: u32,
    /// Header fields in one request. Beyond: 431. 100: Apache's `LimitRequestFields`.
    pub fields_max: u16,
    /// Bytes of a request body, 0 for no bound. Beyond: 413. 30 MB (28.6 MiB): IIS's `maxAllowedContentLength`.
    pub body_bytes_max: u64,
    /// The same for a body that is sent in chunks, without its length being announced. IIS has no bound for those.
    pub chunked_body_bytes_max: u64,
    /// Time from a request's first byte to the end of its head. Beyond: 408. 60 s: node's `headersTimeout`.
    pub head_timeout: Duration,
    /// Time a client may take between two reads of a request body that the worker is ready for. Beyond: 408.
    /// 60 s: nginx's `client_body_timeout`.
    pub body_idle_timeout: Duration,
    /// Time a client connection may rest between requests, and before its first. Beyond: closed without a word.
    /// 75 s: nginx's `keepalive_timeout`.
    pub keep_alive_timeout: Duration,
    /// Time a client may take to accept pending response bytes. Beyond: the connection is aborted.
    /// 60 s: nginx's `send_timeout`.
    pub send_timeout: Duration,
    /// Time from handing a request to a worker to the first byte of its response. Beyond: 504.
    /// 120 s: `HttpPlatformHandler`'s `requestTimeout`.
    pub response_start_timeout: Duration,
    /// Time between two reads of a response that has begun. Beyond: the exchange is aborted.
    /// 120 s, as `response_start_timeout`.
    pub response_idle_timeout: Duration,
    /// Time an upgraded connection may be silent both ways. Beyond: closed. 1 h: HAProxy's documented `timeout tunnel`.
    pub tunnel_idle_timeout: Duration,
    /// Client connections per shard. Beyond: 503 and close. 16,384: node's own bound is the file descriptor limit.
    pub connections_max: u32,
    /// Exchanges in flight in one worker, over all shards. Beyond: other workers, then the wait queue.
    /// 1024: iisnode's `maxConcurrentRequestsPerProcess`.
    pub in_flight_max: u32,
    /// Requests of one shard that may wait for a worker. Beyond: 503. 1000: IIS's application pool `queueLength`.
    pub queue_max: u32,
    /// Time a request may wait while workers are ready but full. Beyond: 503. 5 s: HAProxy's `timeout queue`, which
    /// falls back to `timeout connect`, 5 s in its documentation.
    pub queue_timeout: Duration,
    /// Time a request may wait while no worker is ready (start, restart). Beyond: 503.
    /// 30 s: iisnode waits 25 s (100 × 250 ms) for a pipe.
    pub ready_wait_timeout: Duration,
    /// Time to connect to a worker's endpoint. Beyond: that worker is left out for this request. 5 s.
    pub dial_timeout: Duration,
    /// Attempts for one request, the first included. 3: nginx tries each upstream once, two workers and one more.
    pub attempts_max: u8,
    /// Request bytes kept so that an exchange can be repeated. Beyond: no repeat. 64 KiB: pingora's retry buffer.
    pub replay_bytes_max: u32,
    /// Bytes one direction of an exchange may hold in memory before its source is paused. 256 KiB.
    pub window_bytes: u32,
    /// Idle connections one shard keeps to one worker. Beyond: closed. 512: iisnode's `maxNamedPipeConnectionPoolSize`.
    pub upstream_idle_max: u32,
    /// Time an idle connection to a worker is kept, unless the worker announced less. 30 s: iisnode's
    /// `maxNamedPipePooledConnectionAge`.
    pub upstream_idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            fields_max: 100,
            body_bytes_max: 30_000_000,
            chunked_body_bytes_max: 30_000_000,
            head_timeout: Duration::from_secs(60),
            body_idle_timeout: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(75),
            send_timeout: Duration::from_secs(60),
            response_start_timeout: Duration::from_secs(120),
            response_idle_timeout: Duration::from_secs(120),
            tunnel_idle_timeout: Duration::from_secs(3600),
            connections_max: 16_384,
            in_flight_max: 1024,
            queue_max: 1000,
            queue_timeout: Duration::from_secs(5),
            ready_wait_timeout: Duration::from_secs(30),
            dial_timeout: Duration::from_secs(5),
            attempts_max: 3,
            replay_bytes_max: 64 * 1024,
            window_bytes: 256 * 1024,
            upstream_idle_max: 512,
            upstream_idle_timeout: Duration::from_secs(30),
        }
    }
}
