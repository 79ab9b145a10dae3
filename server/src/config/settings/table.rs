//! The table itself: every setting, by section.

use forebay_transports::HAS_MONOIO;

use std::time::Duration;

use super::super::value::Kind::{
    self, Addresses, Bytes, Count, CountOrAuto, Levels, Loopback, Networks, OneOf, Path, Ports, Program, Switch, Texts,
    Time, TimeOrOff, Variables, Word,
};
use super::super::value::Put;
use super::super::{AccessLogFormat, Dispatch, LineEnds, LogFormat, Statuses, iisnode};
use super::{Preset, Setting};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MOMENT: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

const fn of(key: &'static str, kind: Kind, preset: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, preset: Preset::Is(preset), env: &[], flag: None, doc }
}

const fn found(key: &'static str, kind: Kind, means: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, preset: Preset::Means(means), env: &[], flag: None, doc }
}

const fn time(put: Put<Duration>) -> Kind {
    Time(MOMENT, DAY, put)
}

/// A value whose range was checked against that of its type.
fn narrow<T: TryFrom<u64>>(value: u64, most: T) -> T {
    T::try_from(value).unwrap_or(most)
}

/// Every setting, by section.
pub(in crate::config) static SETTINGS: &[Setting] = &[
    of("server.listen", Addresses(|d, v| d.listen = v), "127.0.0.1:8080", "Client addresses to listen on.")
        .env(&["PORT", "FOREBAY_LISTEN"])
        .flag("--listen"),
    found(
        "server.engine",
        OneOf(&["monoio", "compio"], |d, v| d.set_engine(v)),
        if HAS_MONOIO { "monoio" } else { "compio" },
        "What drives the sockets. monoio: io_uring, or epoll where that is refused; Linux, and the default there. \
         compio: io_uring on Linux, IOCP on Windows, and the default elsewhere.",
    )
    .env(&["FOREBAY_ENGINE"])
    .flag("--engine"),
    of(
        "server.transport",
        OneOf(&["auto", "http", "pipe"], |d, v| d.set_transport(v)),
        "auto",
        "How workers are fed. pipe: frames that carry many requests at a time, and only those: a request waits for a \
         worker that takes them. http: HTTP/1.1, always. auto: frames where the application is eligible for them, \
         else HTTP.",
    )
    .env(&["FOREBAY_TRANSPORT"])
    .flag("--transport"),
    found(
        "server.metrics",
        Loopback(|d, v| d.metrics = Some(v)),
        "off",
        "Where Prometheus metrics are served, at `/metrics`.",
    ),
    found(
        "server.runtime_dir",
        Path(|d, v| d.runtime_dir = Some(v)),
        "forebay-PID in $XDG_RUNTIME_DIR or the temporary folder",
        "Folder for the workers' endpoints, made for this user alone (mode 0700).",
    ),
    found(
        "app.script",
        Path(|d, v| d.app.script = Some(v)),
        "the folder of the configuration file",
        "A script (.js, .cjs, .mjs, .ts, .mts) or a folder with an application. In a folder, `scripts.start` of \
         package.json wins, then its `main`, then server.js, app.js, index.js.",
    )
    .flag("APP"),
    found("app.node", Program(|d, v| d.app.node = Some(v)), "the first node on PATH", "The node to run, 18 or newer."),
    found("app.node_args", Texts(|d, v| d.app.node_args = v), "none", "Arguments for node, before the script."),
    found("app.args", Texts(|d, v| d.app.args = v), "none", "Arguments for the script."),
    found(
        "app.cwd",
        Path(|d, v| d.app.cwd = Some(v)),
        "the application's folder",
        "Working directory. The application's folder is the nearest one with a package.json, else the script's.",
    ),
    found(
        "app.env",
        Variables(|d, v| d.app.env = v),
        "none",
        "Variables for the workers, added to Forebay's own environment.",
    ),
    found(
        "app.profile",
        OneOf(&["native", "iisnode", "azure"], |d, v| d.profile = Some(iisnode::profile(v))),
        "iisnode beside a web.config or iisnode.yml, else native",
        "Whose defaults apply. native: those of this reference; web.config and iisnode.yml are not read. iisnode: those \
         of iisnode. azure: those of iisnode on Azure App Service.",
    )
    .env(&["FOREBAY_PROFILE"])
    .flag("--profile"),
    of(
        "workers.count",
        CountOrAuto(1024, |d, v| d.workers.count = v),
        "auto",
        "How many. auto: one per usable vCPU. A reload can raise it to 64, or to what it was at the start.",
    )
    .env(&["FOREBAY_WORKERS"])
    .flag("--workers"),
    of("workers.pin", Switch(|d, v| d.workers.pin = v), "true", "Pins worker i to the i-th usable vCPU."),
    of("workers.batch", Switch(|d, v| d.workers.batch = v), "true", "Runs workers under `SCHED_BATCH` (Linux)."),
    of(
        "workers.affinity",
        OneOf(&["auto", "address", "cookie", "off"], |d, v| d.set_affinity(v)),
        "auto",
        "Which requests always go to the same worker. auto: those of engine.io (socket.io), whose long polling needs it, \
         by client address. address: all, by client address. cookie: all, by a cookie that Forebay sets, `iisnode.session.cookie`; while its worker is not ready, \
         others serve. off: none.",
    ),
    of(
        "workers.dispatch",
        OneOf(&["local", "round_robin"], |d, v| {
            d.workers.dispatch = if v == "round_robin" { Dispatch::RoundRobin } else { Dispatch::Local };
        }),
        "local",
        "Which worker gets a request. local: the one beside the shard that read it, others when that one lags, which is \
         the fastest. round_robin: each in turn, over all shards; requests wait until the first set of \
         workers is complete, 5 s at most once one is ready.",
    ),
    of(
        "workers.preload",
        Switch(|d, v| d.workers.preload = v),
        "true",
        "Loads a preload that moves a hard-coded `listen(3000)` to the worker's endpoint.",
    ),
    of(
        "workers.start_timeout",
        time(|d, v| d.workers.start_timeout = v),
        "1m",
        "Time from start to listening. Beyond: killed, counts as failed.",
    ),
    of(
        "workers.drain_timeout",
        time(|d, v| d.workers.drain_timeout = v),
        "30s",
        "Time for requests in flight when a worker, or Forebay itself, stops.",
    ),
    of(
        "workers.tunnel_drain_timeout",
        time(|d, v| d.workers.tunnel_drain_timeout = v),
        "5m",
        "Time for upgraded connections when their worker is replaced.",
    ),
    of("workers.stop_timeout", time(|d, v| d.workers.stop_timeout = v), "10s", "Time from SIGTERM to SIGKILL."),
    of(
        "workers.stuck_after",
        TimeOrOff(DAY, |d, v| d.workers.stuck_after = v),
        "30s",
        "Time the event loop of a worker that takes frames may stand still. Beyond: its JavaScript stack is logged, and it \
         is killed and started again. off, or 0: never; so also while its inspector is open.",
    ),
    of(
        "workers.backoff_min",
        time(|d, v| d.workers.backoff_min = v),
        "100ms",
        "First delay before a failed worker is started again; doubles with each failure in a row.",
    ),
    of("workers.backoff_max", time(|d, v| d.workers.backoff_max = v), "30s", "Longest such delay."),
    of(
        "workers.control_pipe",
        Switch(|d, v| d.workers.control_pipe = v),
        "false",
        "Gives workers a pipe, named by `IISNODE_CONTROL_PIPE`, into which they write `recycle` to have the application \
         recycled.",
    ),
    of(
        "workers.page_out_after",
        TimeOrOff(DAY, |d, v| d.workers.page_out_after = v),
        "off",
        "Time without a request after which the memory of workers is paged out, and again after each such time.",
    ),
    of("shards.count", CountOrAuto(1024, |d, v| d.shards.count = v), "auto", "How many. auto: one per usable vCPU."),
    of("shards.pin", Switch(|d, v| d.shards.pin = v), "true", "Pins shard i to the i-th usable vCPU."),
    of("shards.batch", Switch(|d, v| d.shards.batch = v), "true", "Runs shards under `SCHED_BATCH` (Linux)."),
    of(
        "limits.head_bytes_max",
        Bytes(KIB, 255 * KIB, |d, v| d.limits.head_bytes_max = narrow(v, u32::MAX)),
        "16KiB",
        "Request head, request line to empty line. Beyond: 431, or 414 within the request line.",
    ),
    of(
        "limits.fields_max",
        Count(1, 1000, |d, v| d.limits.fields_max = narrow(v, u16::MAX)),
        "100",
        "Header fields in one request. Beyond: 431.",
    ),
    of(
        "limits.body_bytes_max",
        Bytes(0, 1024 * GIB, |d, v| d.limits.body_bytes_max = v),
        "30MB",
        "Request body; 0 is no bound. Beyond: 413.",
    ),
    found(
        "limits.chunked_body_bytes_max",
        Bytes(0, 1024 * GIB, |d, v| d.chunked_body_bytes_max = Some(v)),
        "as limits.body_bytes_max",
        "Request body whose length is not announced; 0 is no bound. Beyond: 413.",
    ),
    of(
        "limits.head_timeout",
        time(|d, v| d.limits.head_timeout = v),
        "1m",
        "Time from a request's first byte to the end of its head. Beyond: 408.",
    ),
    of(
        "limits.body_idle_timeout",
        time(|d, v| d.limits.body_idle_timeout = v),
        "1m",
        "Time between two reads of a request body that the worker is ready for. Beyond: 408.",
    ),
    of(
        "limits.keep_alive_timeout",
        time(|d, v| d.limits.keep_alive_timeout = v),
        "75s",
        "Time a client connection may rest between requests, and before its first. Beyond: closed.",
    ),
    of(
        "limits.send_timeout",
        time(|d, v| d.limits.send_timeout = v),
        "1m",
        "Time a client may take to accept pending response bytes. Beyond: aborted.",
    ),
    of(
        "limits.response_start_timeout",
        time(|d, v| d.limits.response_start_timeout = v),
        "2m",
        "Time from handing a request to a worker to the first byte of its response. Beyond: 504.",
    ),
    of(
        "limits.response_idle_timeout",
        time(|d, v| d.limits.response_idle_timeout = v),
        "2m",
        "Time between two reads of a response that has begun. Beyond: aborted.",
    ),
    of(
        "limits.tunnel_idle_timeout",
        time(|d, v| d.limits.tunnel_idle_timeout = v),
        "1h",
        "Time an upgraded connection may be silent both ways. Beyond: closed.",
    ),
    of(
        "limits.connections_max",
        Count(1, 1_000_000, |d, v| d.limits.connections_max = narrow(v, u32::MAX)),
        "16384",
        "Client connections per shard. Beyond: 503 and close.",
    ),
    of(
        "limits.in_flight_max",
        Count(0, 1_000_000, |d, v| d.limits.in_flight_max = narrow(v, u32::MAX)),
        "1024",
        "Exchanges in flight in one worker; 0 gives it none. Beyond: other workers, then the wait queue.",
    ),
    of(
        "limits.queue_max",
        Count(0, 1_000_000, |d, v| d.limits.queue_max = narrow(v, u32::MAX)),
        "1000",
        "Requests of one shard that may wait for a worker. Beyond: 503.",
    ),
    of(
        "limits.queue_timeout",
        time(|d, v| d.limits.queue_timeout = v),
        "5s",
        "Time a request may wait while workers are ready but full. Beyond: 503.",
    ),
    of(
        "limits.ready_wait_timeout",
        time(|d, v| d.limits.ready_wait_timeout = v),
        "30s",
        "Time a request may wait while no worker is ready. Beyond: 503.",
    ),
    of(
        "limits.dial_timeout",
        time(|d, v| d.limits.dial_timeout = v),
        "5s",
        "Time to connect to a worker. Beyond: that worker is left out for this request.",
    ),
    of(
        "limits.attempts_max",
        Count(1, 16, |d, v| d.limits.attempts_max = narrow(v, u8::MAX)),
        "3",
        "Attempts for one request, the first included.",
    ),
    of(
        "limits.replay_bytes_max",
        Bytes(0, 16 * MIB, |d, v| d.limits.replay_bytes_max = narrow(v, u32::MAX)),
        "64KiB",
        "Request bytes kept so that an exchange can be repeated; 0 keeps none. Beyond: no repeat.",
    ),
    of(
        "limits.window_bytes",
        Bytes(16 * KIB, 16 * MIB, |d, v| d.limits.window_bytes = narrow(v, u32::MAX)),
        "256KiB",
        "Memory for one direction of an exchange. Beyond: its source is paused.",
    ),
    of(
        "limits.upstream_idle_max",
        Count(0, 65_535, |d, v| d.limits.upstream_idle_max = narrow(v, u32::MAX)),
        "512",
        "Idle connections one shard keeps to one worker. Beyond: closed.",
    ),
    of(
        "limits.upstream_idle_timeout",
        time(|d, v| d.limits.upstream_idle_timeout = v),
        "30s",
        "Time an idle connection to a worker is kept, unless the worker announced less.",
    ),
    of(
        "forwarding.x_forwarded",
        Switch(|d, v| d.forwarding.x_forwarded = v),
        "true",
        "Adds `X-Forwarded-For`, `-Proto` and `-Host`.",
    ),
    of("forwarding.forwarded", Switch(|d, v| d.forwarding.forwarded = v), "true", "Adds `Forwarded` (RFC 7239)."),
    of("forwarding.request_id", Switch(|d, v| d.forwarding.request_id = v), "true", "Adds `X-Request-Id`."),
    found(
        "forwarding.trusted",
        Networks(|d, v| d.forwarding.trusted = v),
        "none",
        "Peers whose own forwarding headers are believed and added to; everybody else's are removed.",
    ),
    found(
        "forwarding.server_variables",
        Texts(|d, v| d.forwarding.server_variables = v),
        "none",
        "IIS server variables, such as REQUEST_METHOD, that are sent as `X-iisnode-NAME`; fields of clients that look like \
         them are dropped then. Those about a user, such as AUTH_USER, are known and never sent: Forebay authenticates \
         nobody.",
    ),
    found(
        "access_log.path",
        Path(|d, v| d.access_log_path = Some(v)),
        "off",
        "The file to append to; \"-\" is standard output. Opened again after SIGHUP and when it was moved.",
    ),
    of(
        "access_log.format",
        OneOf(&["text", "json"], |d, v| {
            d.access_log_format = if v == "json" { AccessLogFormat::Json } else { AccessLogFormat::Text };
        }),
        "text",
        "text: Apache's combined form, then request id, worker and milliseconds. json: one object a line.",
    ),
    found(
        "app_log.dir",
        Path(|d, v| d.app_log.dir = Some(v)),
        "off",
        "Folder for files with what workers write, one a process and stream, beside what is printed, and for \
         `logging-errors.txt` with the stack of each uncaught exception.",
    ),
    of(
        "app_log.file_bytes_max",
        Bytes(0, GIB, |d, v| d.app_log.file_bytes_max = v),
        "128KiB",
        "Size of a file beyond which the next one is begun.",
    ),
    of(
        "app_log.line_ends",
        OneOf(&["lf", "crlf"], |d, v| {
            d.app_log.line_ends = if v == "crlf" { LineEnds::Crlf } else { LineEnds::Lf };
        }),
        "lf",
        "How lines end in those files. lf: as they were written. crlf: as iisnode writes them.",
    ),
    of(
        "app_log.total_bytes_max",
        Bytes(0, 1024 * GIB, |d, v| d.app_log.total_bytes_max = v),
        "1MiB",
        "Size of all such files together. Beyond: the oldest are deleted.",
    ),
    of(
        "app_log.files_max",
        Count(1, 100_000, |d, v| d.app_log.files_max = narrow(v, u32::MAX)),
        "20",
        "Number of such files. Beyond: the oldest are deleted.",
    ),
    of("log.level", Levels(|d, v| d.log.levels = v), "info", "How much to say.").env(&["FOREBAY_LOG"]),
    of(
        "log.format",
        OneOf(&["text", "json"], |d, v| d.log.format = if v == "json" { LogFormat::Json } else { LogFormat::Text }),
        "text",
        "text: for people. json: one object a line.",
    )
    .flag("--log-format"),
    of(
        "response.gather_bytes_max",
        Bytes(0, GIB, |d, v| d.response.gather_bytes_max = v),
        "0B",
        "Bytes of a response that are gathered before the first of it is sent, up to limits.window_bytes and for a second \
         at most; 0 sends every fragment at once. Responses of streaming types, such as text/event-stream, are never \
         gathered. One that breaks off while it is gathered is answered with an error.",
    ),
    of(
        "response.debug_header",
        Switch(|d, v| d.response.debug_header = v),
        "false",
        "Adds `iisnode-debug` to each response: processes, memory, requests in flight, time. Not for production.",
    ),
    of(
        "errors.statuses",
        OneOf(&["gateway", "iisnode"], |d, v| {
            d.errors.statuses = if v == "iisnode" { Statuses::Iisnode } else { Statuses::Gateway };
        }),
        "gateway",
        "What a failure of the application is called. gateway: 502, 503, 504. iisnode: 500 and 503, with iisnode's \
         sub-statuses 1000 to 1018.",
    ),
    of(
        "errors.dev_pages",
        Switch(|d, v| d.errors.dev_pages = v),
        "false",
        "Answers failures of the application with status 200 and a page that has sub-status, the worker's last stderr \
         lines, cause and remedy. Not for production.",
    ),
    found(
        "watch.files",
        Texts(|d, v| d.watch.files = v),
        "none",
        "Patterns, relative to the application's folder; `*` and `?` stand for part of a name, `**` for any number of \
         folders, but not for `node_modules` and `.git`. A change of such a file, or of the configuration's own, recycles \
         the application.",
    ),
    of(
        "watch.poll_interval",
        time(|d, v| d.watch.poll_interval = v),
        "5s",
        "How often files are looked at where the file system does not tell of changes, as on network shares.",
    ),
    found(
        "site.files",
        Path(|d, v| d.site.files = Some(v)),
        "off",
        "Folder whose files are served without reaching a worker, to GET and HEAD; what is no file there is the \
         application's. Hidden files (`.env`), `package.json` and the like are never served.",
    ),
    of(
        "site.index",
        Word(|d, v| d.site.index = v),
        "index.html",
        "The file there that stands for its folder, where it exists.",
    ),
    of(
        "site.max_age",
        TimeOrOff(YEAR, |d, v| d.site.max_age = v),
        "off",
        "How long clients may keep files without asking again (`Cache-Control: max-age`). off: nothing is said; they ask.",
    ),
    of(
        "site.offline_page",
        Word(|d, v| d.site.offline_page = v),
        "app_offline.htm",
        "A file in the application's folder. While it is there every request is answered with it and status 503, and no \
         worker runs.",
    ),
    of(
        "debugger.enabled",
        Switch(|d, v| d.debugger.enabled = v),
        "false",
        "Opens the inspector at `SCRIPT/debug`. Who reaches it can run any code: not for production.",
    ),
    of("debugger.path_segment", Word(|d, v| d.debugger.path_segment = v), "debug", "The last segment of that address."),
    of("debugger.ports", Ports(|d, v| d.debugger.ports = v), "5058-6058", "Loopback ports for inspectors."),
];
