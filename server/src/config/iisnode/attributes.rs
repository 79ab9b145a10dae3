//! The attributes of iisnode's schema: one table that reading, defaults, `forebay check` and the README come from.

/// What an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// An unsigned number of 32 bits.
    Number,
    /// The same, or `Infinite`.
    NumberOrInfinite,
    /// True or false.
    Switch,
    /// Text.
    Text,
}

/// How an attribute is honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As upstream.
    Supported,
    /// What it is for is done, in a better way.
    Better,
    /// There is nothing here that it could set; it is accepted, and `forebay check` says why.
    Explained,
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    /// Its name in web.config and iisnode.yml.
    pub(super) name: &'static str,
    /// The variable that sets it.
    pub(super) variable: &'static str,
    pub(super) form: Form,
    /// Upstream's default, as it would be written.
    pub(super) upstream: &'static str,
    /// The default on Azure App Service, where it is another.
    pub(super) azure: Option<&'static str>,
    /// Whether `%NAME%` in it stands for a variable.
    pub(super) expands: bool,
    pub(super) standing: Standing,
    /// The settings it becomes.
    pub(super) settings: &'static [&'static str],
    /// What happens here, in a sentence.
    pub(super) doc: &'static str,
    /// The test that holds it to that.
    pub(super) test: &'static str,
}

impl Attribute {
    const fn azure(self, default: &'static str) -> Self {
        Self { azure: Some(default), ..self }
    }

    const fn expands(self) -> Self {
        Self { expands: true, ..self }
    }
}

macro_rules! of {
    ($name:literal, $form:ident, $upstream:literal, $standing:ident, $settings:expr, $doc:literal, $test:literal) => {
        Attribute {
            name: $name,
            variable: concat!("IISNODE_", $name),
            form: Form::$form,
            upstream: $upstream,
            azure: None,
            expands: false,
            standing: Standing::$standing,
            settings: &$settings,
            doc: $doc,
            test: $test,
        }
    };
}

/// Where no test of its own is needed: the table of [`mapping`](super::mapping) is tested row by row.
const MAPPED: &str = "every_attribute_becomes_what_the_table_says";

macro_rules! mapped {
    ($name:literal, $form:ident, $upstream:literal, $standing:ident, $settings:expr, $doc:literal) => {
        Attribute { test: MAPPED, ..of!($name, $form, $upstream, $standing, $settings, $doc, "") }
    };
}

/// All of them, in the schema's order.
pub(super) static ATTRIBUTES: [Attribute; 34] = [
    of!(
        "node_env",
        Text,
        "%node_env%",
        Supported,
        ["app.env"],
        "NODE_ENV of the application. As upstream, `<appSettings>` wins, and over that the server's own environment.",
        "t111_node_env_without_logging_and_debugging"
    )
    .expands(),
    mapped!(
        "asyncCompletionThreadCount",
        Number,
        "0",
        Explained,
        [],
        "No threads wait for completions here: `shards.count` says how many rings there are, one per vCPU."
    ),
    of!(
        "nodeProcessCountPerApplication",
        Number,
        "1",
        Supported,
        ["workers.count"],
        "How many processes; 0 is one per vCPU that this process may use, cgroup and affinity respected.",
        "t124_yml_wins_over_web_config"
    ),
    of!(
        "nodeProcessCommandLine",
        Text,
        "node.exe",
        Better,
        ["app.node", "app.node_args"],
        "Program and flags. A node.exe of a Windows path that is not on this system is the node on PATH; any other \
         program that is missing is a failure to start a worker, as upstream.",
        "a_node_of_a_windows_path_is_the_one_on_path_with_its_flags"
    )
    .expands(),
    mapped!(
        "interceptor",
        Text,
        "%programfiles%\\iisnode\\interceptor.js",
        Better,
        ["app.node_args"],
        "A script of your own is loaded with `--require` before the application, which stays `require.main`. \
         iisnode's own is not needed: output is captured natively."
    )
    .expands(),
    mapped!(
        "maxConcurrentRequestsPerProcess",
        NumberOrInfinite,
        "1024",
        Better,
        ["limits.in_flight_max"],
        "Beyond it other workers get the request, then it waits in a bounded queue; 503 only when that is full or slow. \
         `Infinite` means a million, also in iisnode.yml; 0 refuses everything."
    )
    .azure("Infinite"),
    mapped!(
        "maxNamedPipeConnectionRetry",
        Number,
        "100",
        Better,
        ["limits.ready_wait_timeout"],
        "Times `namedPipeConnectionRetryDelay` it is how long a request waits for a worker to listen; the worker's \
         readiness wakes it at once, nothing is polled."
    )
    .azure("200"),
    mapped!(
        "namedPipeConnectionRetryDelay",
        Number,
        "250",
        Better,
        ["limits.ready_wait_timeout"],
        "In milliseconds; see `maxNamedPipeConnectionRetry`."
    ),
    mapped!(
        "maxNamedPipeConnectionPoolSize",
        Number,
        "512",
        Better,
        ["limits.upstream_idle_max"],
        "Idle HTTP connections to one worker. Workers that take frames need one connection and no pool."
    ),
    mapped!(
        "maxNamedPipePooledConnectionAge",
        Number,
        "30000",
        Better,
        ["limits.upstream_idle_timeout", "limits.upstream_idle_max"],
        "In milliseconds; a shorter `Keep-Alive: timeout` of the application is obeyed. 0 keeps none."
    ),
    mapped!(
        "initialRequestBufferSize",
        Number,
        "4096",
        Explained,
        [],
        "Buffers come from a pool in pieces and are never grown: `limits.window_bytes` bounds them."
    ),
    mapped!(
        "maxRequestBufferSize",
        Number,
        "65536",
        Supported,
        ["limits.head_bytes_max"],
        "Bytes of a request's head. 1 KiB to 255 KiB here."
    ),
    mapped!(
        "uncFileChangesPollingInterval",
        Number,
        "5000",
        Supported,
        ["watch.poll_interval"],
        "In milliseconds, for network shares; elsewhere the system tells of changes."
    ),
    mapped!(
        "gracefulShutdownTimeout",
        Number,
        "60000",
        Better,
        ["workers.drain_timeout", "workers.tunnel_drain_timeout"],
        "In milliseconds, for requests and WebSockets in flight; then SIGTERM, `workers.stop_timeout`, and only then \
         SIGKILL."
    ),
    mapped!(
        "logDirectory",
        Text,
        "iisnode",
        Supported,
        ["app_log.dir"],
        "Relative to the script's folder, or absolute. A Windows path on another system is the default."
    )
    .expands(),
    of!(
        "debuggingEnabled",
        Switch,
        "true",
        Better,
        ["debugger.enabled"],
        "Where it is not set, the debugger is open only while every address to listen on is a loopback one: who reaches \
         it can run any code.",
        "the_debugger_is_open_by_default_on_loopback_only"
    )
    .azure("false"),
    mapped!(
        "debuggerExtensionDll",
        Text,
        "iisnode-inspector-0.7.3.dll",
        Explained,
        [],
        "node-inspector has not worked since node 8; node's own inspector is bridged instead."
    ),
    mapped!(
        "debugHeaderEnabled",
        Switch,
        "false",
        Supported,
        ["response.debug_header"],
        "Adds `iisnode-debug` to responses."
    ),
    mapped!(
        "debuggerVirtualDir",
        Text,
        "",
        Explained,
        [],
        "The debugger's page is part of the binary: no files are unpacked anywhere."
    ),
    mapped!(
        "debuggerPathSegment",
        Text,
        "debug",
        Supported,
        ["debugger.path_segment"],
        "The segment behind the script's name."
    )
    .expands(),
    mapped!(
        "debuggerPortRange",
        Text,
        "5058-6058",
        Supported,
        ["debugger.ports"],
        "Loopback ports for inspectors. iisnode.yml may call it `debugPortRange`, as upstream, or this."
    )
    .expands(),
    mapped!(
        "maxLogFileSizeInKB",
        Number,
        "128",
        Supported,
        ["app_log.file_bytes_max"],
        "Beyond it the next file is begun."
    ),
    mapped!(
        "maxTotalLogFileSizeInKB",
        Number,
        "1024",
        Better,
        ["app_log.total_bytes_max"],
        "Beyond it the oldest are deleted; files of others in the folder are left alone."
    ),
    mapped!(
        "maxLogFiles",
        Number,
        "20",
        Better,
        ["app_log.files_max"],
        "Beyond it the oldest are deleted; files of others in the folder are left alone. 0 is 20, as upstream."
    ),
    of!(
        "loggingEnabled",
        Switch,
        "true",
        Better,
        ["app_log.dir"],
        "Writes files with the workers' output, captured natively: crashes of the engine and of addons are in it.",
        "t111_node_env_without_logging_and_debugging"
    ),
    of!(
        "devErrorsEnabled",
        Switch,
        "true",
        Supported,
        ["errors.dev_pages"],
        "Failures are answered with 200 and a page that explains them.",
        "t112_dev_errors"
    )
    .azure("false"),
    mapped!(
        "flushResponse",
        Switch,
        "false",
        Better,
        ["response.gather_bytes_max"],
        "Responses stream at once unless it is set to false or the profile is azure: then the handler's \
         `responseBufferLimit` (4 MiB) is gathered first, event streams excepted."
    ),
    mapped!(
        "watchedFiles",
        Text,
        "*.js;iisnode.yml",
        Better,
        ["watch.files"],
        "A change replaces the workers at once, without losing a request; `**`, `..` and `/` work too, and renames and \
         deletions are seen."
    )
    .expands(),
    of!(
        "enableXFF",
        Switch,
        "false",
        Better,
        ["forwarding.x_forwarded"],
        "Adds `X-Forwarded-For`, `-Proto` and `-Host`. Those that a peer on a loopback or private network sent are kept \
         and extended, those of anybody else replaced.",
        "x_forwarded_for_is_for_those_who_ask"
    ),
    mapped!(
        "promoteServerVars",
        Text,
        "",
        Better,
        ["forwarding.server_variables"],
        "Sent as `X-iisnode-NAME`; such fields of clients are removed, so that none can be forged."
    ),
    of!(
        "configOverrides",
        Text,
        "iisnode.yml",
        Supported,
        [],
        "The name of the overrides file, in the script's folder or in that of web.config.",
        "the_overrides_file_may_have_another_name"
    )
    .expands(),
    mapped!(
        "recycleSignalEnabled",
        Switch,
        "false",
        Better,
        ["workers.control_pipe"],
        "`recycle`, written to `IISNODE_CONTROL_PIPE`, replaces the workers, as often as it is written."
    ),
    mapped!(
        "idlePageOutTimePeriod",
        Number,
        "0",
        Supported,
        ["workers.page_out_after"],
        "In milliseconds, one second at least; 0 is never."
    ),
    mapped!(
        "nodeProcessStickySessions",
        Switch,
        "false",
        Better,
        ["workers.affinity"],
        "By the cookie `iisnode.session.cookie`, with attributes. Without it socket.io's long polling still finds its \
         worker."
    ),
];

/// Keys of old templates that current iisnode ignores, or refuses in web.config, and what there is instead.
pub(super) const LEGACY: [(&str, &str); 4] = [
    ("logDirectoryNameSuffix", "name the folder with logDirectory"),
    ("appendToExistingLog", "each process has files of its own, named by pid and time"),
    ("logFileFlushInterval", "lines are in the file at once"),
    ("maxPendingRequestsPerApplication", "limits.queue_max bounds what waits"),
];

/// The attribute of this name; upper and lower case are the same. `debugPortRange` is iisnode.yml's own name.
pub(super) fn find(name: &str) -> Option<&'static Attribute> {
    let name = if name.eq_ignore_ascii_case("debugPortRange") { "debuggerPortRange" } else { name };
    ATTRIBUTES.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// What to do about a name that is no attribute's.
pub(super) fn unknown(name: &str) -> Option<String> {
    if let Some((_, instead)) = LEGACY.iter().find(|(legacy, _)| legacy.eq_ignore_ascii_case(name)) {
        return Some(format!("iisnode dropped it long ago: {instead}"));
    }
    let lower: Vec<String> = ATTRIBUTES.iter().map(|attribute| attribute.name.to_lowercase()).collect();
    let near = super::super::error::nearest(name, lower.iter().map(String::as_str))?;
    find(near).map(|attribute| format!("did you mean {}?", attribute.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_schema() {
        let of = |form| ATTRIBUTES.iter().filter(|attribute| attribute.form == form).count();
        assert_eq!((of(Form::Text), of(Form::Switch)), (11, 8));
        assert_eq!(of(Form::Number) + of(Form::NumberOrInfinite), 15);
        let mut names: Vec<_> = ATTRIBUTES.iter().map(|attribute| attribute.name.to_lowercase()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 34);
    }

    #[test]
    fn names_are_found_and_guessed() {
        assert_eq!(find("LOGDIRECTORY").map(|it| it.name), Some("logDirectory"));
        assert_eq!(find("debugPortRange").map(|it| it.name), Some("debuggerPortRange"));
        assert_eq!(unknown("watchedFile").as_deref(), Some("did you mean watchedFiles?"));
        assert!(unknown("logFileFlushInterval").is_some_and(|hint| hint.contains("dropped")));
        assert_eq!(unknown("http"), None);
    }
}
