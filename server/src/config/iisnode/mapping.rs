//! What iisnode's attributes are in Forebay's own settings.

use std::ffi::OsString;
use std::path::{Path, is_separator};

use super::super::error::Problem;
use super::super::layers::Layers;
use super::super::value::Raw;
use super::attributes::Standing;
use super::command_line::{self, file_name, is_windows_path, local};
use super::script::Choice;
use super::value::Values;
use super::web_config::WebConfig;
use super::{Profile, Remark};

/// The iisnode whose behaviour is offered; applications look at it to see where they run.
const IISNODE_VERSION: &str = "0.2.27";

/// What upstream sets since 0.2.21: pipes that node keeps listening on Windows. Elsewhere it means nothing.
const PENDING_PIPES: &str = "5000";

/// Networks of proxies in front, such as a load balancer of the same platform: upstream passes everybody's fields on.
const NEAR_NETWORKS: [&str; 8] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];

const DAY_MS: u64 = 86_400_000;

/// IIS gathers so much of a response unless the handler says otherwise.
const RESPONSE_BUFFER_BYTES: u64 = 4 << 20;

/// Everything the settings are made of.
pub(super) struct Mapping<'a> {
    pub(super) values: &'a Values,
    pub(super) config: &'a WebConfig,
    /// The script and its handler.
    pub(super) choice: Option<&'a Choice>,
    /// The script's folder.
    pub(super) folder: &'a Path,
    pub(super) env: fn(&str) -> Option<OsString>,
    pub(super) layers: &'a mut Layers,
}

impl Mapping<'_> {
    /// All of it: what the files say, and defaults for the rest.
    pub(super) fn apply(mut self) {
        self.remarks();
        self.application();
        self.environment();
        self.command();
        self.requests();
        self.settings();
    }

    /// Defaults alone, where there are no files of iisnode.
    pub(super) fn defaults(mut self) {
        self.settings();
    }

    fn settings(&mut self) {
        self.processes();
        self.connections();
        self.responses();
        self.log_files();
        self.debugger();
        self.forwarding();
    }

    /// Lays a value of this attribute under what is there.
    fn put(&mut self, attribute: &str, key: &str, raw: Raw) {
        let origin = self.values.origin(attribute);
        self.layers.fill(key, &raw, self.folder, &origin, attribute);
    }

    /// Lays what belongs to iisnode's ways as such under what is there.
    fn put_own(&mut self, key: &str, raw: Raw) {
        let origin = self.values.profile.origin();
        self.layers.fill(key, &raw, self.folder, &origin, "");
    }

    fn remark(&mut self, attribute: &str, text: impl std::fmt::Display) {
        let origin = self.values.origin(attribute);
        self.layers.remarks.push(Remark::new(origin, format!("{attribute}: {text}")));
    }

    /// A number, moved into what Forebay takes.
    fn within(&mut self, attribute: &str, least: u64, most: u64) -> u64 {
        let value = self.values.number(attribute);
        let taken = value.clamp(least, most);
        if taken != value && self.values.is_given(attribute) {
            let wrong = if taken < value { "more" } else { "less" };
            self.remark(attribute, format!("{value} is {wrong} than Forebay takes: {taken}"));
        }
        taken
    }

    /// One line for each attribute that was given and does something else here than upstream.
    fn remarks(&mut self) {
        let given: Vec<_> = self.values.given().map(|(attribute, _)| attribute).collect();
        for attribute in given {
            // These two tell what has become of the value itself.
            let tells = matches!(attribute.name, "nodeProcessCommandLine" | "interceptor");
            if attribute.standing != Standing::Supported && !tells {
                self.remark(attribute.name, attribute.doc);
            }
        }
    }

    fn application(&mut self) {
        let Some(choice) = self.choice else { return };
        let text = |path: &Path| Raw::Text(path.to_string_lossy().into_owned());
        self.layers.fill("app.script", &text(&choice.script), self.folder, &choice.origin, "handlers");
        self.layers.fill("app.cwd", &text(self.folder), self.folder, &choice.origin, "handlers");
    }

    /// Variables in upstream's order, in which the first of two with one name counts. What the server's own environment
    /// has is stronger than web.config: so an operator, or a platform, can override a file that was deployed.
    fn environment(&mut self) {
        let mut list: Vec<(String, String)> = vec![("IISNODE_VERSION".into(), IISNODE_VERSION.into())];
        let mut origin = None;
        if (self.env)("NODE_PENDING_PIPE_INSTANCES").is_none() {
            list.push(("NODE_PENDING_PIPE_INSTANCES".into(), PENDING_PIPES.into()));
        }
        let node_env = Some(self.values.text("node_env")).filter(|text| !matches!(text.as_str(), "" | "%node_env%"));
        let node_env = node_env.map(|text| ("NODE_ENV".to_owned(), text, self.values.origin("node_env")));
        let settings = self.config.settings.iter().map(|it| (it.name.clone(), it.value.clone(), it.origin.clone()));
        for (name, value, place) in settings.chain(node_env) {
            if (self.env)(&name).is_some() {
                let text = format!("{name}: the server's own environment has it, which wins");
                self.layers.remarks.push(Remark::new(place, text));
            } else if list.iter().any(|(earlier, _)| *earlier == name) {
                let text = format!("{name}: set before, by appSettings or by iisnode itself, which wins");
                self.layers.remarks.push(Remark::new(place, text));
            } else {
                list.push((name, value));
                origin.get_or_insert(place);
            }
        }
        if self.values.switch("loggingEnabled") {
            let number = |name: &str| self.values.number(name).to_string();
            let told = [
                ("IISNODE_LOGGINGENABLED", "1".to_owned()),
                ("IISNODE_LOGDIRECTORY", self.values.text("logDirectory")),
                ("IISNODE_MAXTOTALLOGFILESIZEINKB", number("maxTotalLogFileSizeInKB")),
                ("IISNODE_MAXLOGFILESIZEINKB", number("maxLogFileSizeInKB")),
                ("IISNODE_MAXLOGFILES", number("maxLogFiles")),
            ];
            list.extend(told.map(|(name, value)| (name.to_owned(), value)));
        }
        let table = list.into_iter().map(|(name, value)| (name, Raw::Text(value), 0)).collect();
        let origin = origin.unwrap_or(self.values.profile.origin());
        self.layers.fill("app.env", &Raw::Table(table), self.folder, &origin, "appSettings");
    }

    fn command(&mut self) {
        let line = self.values.text("nodeProcessCommandLine");
        let Some(command) = command_line::split(&line) else {
            let origin = self.values.origin("nodeProcessCommandLine");
            let problem = Problem::new(origin, "nodeProcessCommandLine", "empty, allowed: a program and its flags");
            return self.layers.problems.push(problem.hint("leave it out for the node on PATH"));
        };
        let is_node = matches!(file_name(&command.program).to_ascii_lowercase().as_str(), "node" | "node.exe");
        let is_path = command.program.contains(['/', '\\']);
        let is_there = self.folder.join(&command.program).is_file();
        // Upstream's searches the system's folders too; here a bare node.exe is the node on PATH, whatever its name.
        if is_node && (!is_path || (!is_there && is_windows_path(&command.program))) {
            if is_path {
                let text = format!("{} is not on this system: the node on PATH runs instead", command.program);
                self.remark("nodeProcessCommandLine", text);
            }
        } else {
            let program = if is_windows_path(&command.program) { command.program } else { local(&command.program) };
            self.put("nodeProcessCommandLine", "app.node", Raw::Text(program));
        }
        let mut flags = command.flags;
        let own_flags = flags.len();
        flags.extend(self.interceptor());
        if !flags.is_empty() {
            let attribute = if own_flags > 0 { "nodeProcessCommandLine" } else { "interceptor" };
            let list = flags.into_iter().map(|flag| (Raw::Text(flag), 0)).collect();
            self.put(attribute, "app.node_args", Raw::List(list));
        }
    }

    /// The flags that load an interceptor of one's own.
    fn interceptor(&mut self) -> Vec<String> {
        let text = self.values.text("interceptor");
        let Some(command) = command_line::split(&text).filter(|_| self.values.is_given("interceptor")) else {
            return Vec::new();
        };
        let script = local(&command.program);
        let path = self.folder.join(&script);
        let lower = script.to_ascii_lowercase();
        if !path.is_file()
            && (lower.contains("/iisnode") && lower.ends_with("/interceptor.js") || is_windows_path(&script))
        {
            self.remark("interceptor", format!("{script} is not on this system and not loaded"));
            return Vec::new();
        }
        self.remark("interceptor", "loaded with --require before the application, which stays require.main");
        vec!["--require".to_owned(), path.to_string_lossy().into_owned()]
    }

    /// What IIS itself bounds.
    fn requests(&mut self) {
        if let Some((bytes, origin)) = &self.config.content_length_max {
            let raw = Raw::Integer(i64::try_from(*bytes).unwrap_or(i64::MAX));
            self.layers.fill("limits.body_bytes_max", &raw, self.folder, origin, "maxAllowedContentLength");
        }
    }

    fn processes(&mut self) {
        let count = self.within("nodeProcessCountPerApplication", 0, 1024);
        let count = if count == 0 { Raw::Text("auto".into()) } else { number(count) };
        self.put("nodeProcessCountPerApplication", "workers.count", count);
        self.put_own("workers.dispatch", Raw::Text("round_robin".into()));
        if self.values.switch("nodeProcessStickySessions") {
            self.put("nodeProcessStickySessions", "workers.affinity", Raw::Text("cookie".into()));
        }
        let drain = self.within("gracefulShutdownTimeout", 1, DAY_MS);
        for key in ["workers.drain_timeout", "workers.tunnel_drain_timeout"] {
            self.put("gracefulShutdownTimeout", key, Raw::Text(format!("{drain}ms")));
        }
        let control = self.values.switch("recycleSignalEnabled");
        self.put("recycleSignalEnabled", "workers.control_pipe", Raw::Boolean(control));
        let idle = if self.values.number("idlePageOutTimePeriod") == 0 {
            "off".to_owned()
        } else {
            format!("{}ms", self.within("idlePageOutTimePeriod", 1000, DAY_MS))
        };
        self.put("idlePageOutTimePeriod", "workers.page_out_after", Raw::Text(idle));
        let files = self.values.text("watchedFiles");
        let files = files.split(';').map(|file| file.trim().replace('\\', "/")).filter(|file| !file.is_empty());
        let files = files.map(|file| (Raw::Text(file), 0)).collect();
        self.put("watchedFiles", "watch.files", Raw::List(files));
        let poll = self.within("uncFileChangesPollingInterval", 100, DAY_MS);
        self.put("uncFileChangesPollingInterval", "watch.poll_interval", Raw::Text(format!("{poll}ms")));
    }

    fn connections(&mut self) {
        let attribute = "maxConcurrentRequestsPerProcess";
        let most = if self.values.is_infinite(attribute) { 1_000_000 } else { self.within(attribute, 0, 1_000_000) };
        self.put(attribute, "limits.in_flight_max", number(most));
        if most == 0 {
            // Nobody will ever have room: waiting for it would only delay the refusal.
            self.put(attribute, "limits.queue_max", number(0));
        }
        let (retries, delay) = ("maxNamedPipeConnectionRetry", "namedPipeConnectionRetryDelay");
        let budget = (self.values.number(retries) * self.values.number(delay)).clamp(1, DAY_MS);
        let from = if self.values.is_given(retries) { retries } else { delay };
        self.put(from, "limits.ready_wait_timeout", Raw::Text(format!("{budget}ms")));
        let age = "maxNamedPipePooledConnectionAge";
        let keeps = self.values.number(age) > 0;
        let size = self.within("maxNamedPipeConnectionPoolSize", 0, 65_535);
        let (from, size) = if keeps { ("maxNamedPipeConnectionPoolSize", size) } else { (age, 0) };
        self.put(from, "limits.upstream_idle_max", number(size));
        if keeps {
            let ms = self.within(age, 1, DAY_MS);
            self.put(age, "limits.upstream_idle_timeout", Raw::Text(format!("{ms}ms")));
        }
        let head = self.within("maxRequestBufferSize", 1 << 10, 255 << 10);
        self.put("maxRequestBufferSize", "limits.head_bytes_max", number(head));
        // IIS compares the announced length; what is sent in chunks is not bounded by it.
        self.put_own("limits.chunked_body_bytes_max", number(0));
    }

    fn responses(&mut self) {
        let gathers = !self.values.switch("flushResponse")
            && (self.values.is_given("flushResponse") || self.values.profile == Profile::Azure);
        let limit = self.choice.and_then(|choice| choice.buffer_limit).unwrap_or(RESPONSE_BUFFER_BYTES);
        let bytes = if gathers { limit.min(1 << 30) } else { 0 };
        self.put("flushResponse", "response.gather_bytes_max", number(bytes));
        let header = self.values.switch("debugHeaderEnabled");
        self.put("debugHeaderEnabled", "response.debug_header", Raw::Boolean(header));
        self.put_own("errors.statuses", Raw::Text("iisnode".into()));
        let pages = self.values.switch("devErrorsEnabled");
        self.put("devErrorsEnabled", "errors.dev_pages", Raw::Boolean(pages));
    }

    fn log_files(&mut self) {
        self.put_own("app_log.line_ends", Raw::Text("crlf".into()));
        if self.values.switch("loggingEnabled") {
            let mut folder = self.values.text("logDirectory");
            if !is_separator('\\') && is_windows_path(&folder) {
                self.remark("logDirectory", format!("{folder} is not on this system: iisnode in the script's folder"));
                folder = "iisnode".to_owned();
            }
            let folder = if folder.is_empty() { ".".to_owned() } else { local(&folder) };
            self.put("logDirectory", "app_log.dir", Raw::Text(folder));
        }
        self.put_own("app_log.line_ends", Raw::Text("crlf".into()));
        for (attribute, key) in
            [("maxLogFileSizeInKB", "app_log.file_bytes_max"), ("maxTotalLogFileSizeInKB", "app_log.total_bytes_max")]
        {
            let kib = self.within(attribute, 0, 1 << 20);
            self.put(attribute, key, number(kib << 10));
        }
        let files = match self.values.number("maxLogFiles") {
            0 => 20,
            _ => self.within("maxLogFiles", 1, 100_000),
        };
        self.put("maxLogFiles", "app_log.files_max", number(files));
    }

    fn debugger(&mut self) {
        let is_given = self.values.is_given("debuggingEnabled");
        let is_near = self.layers.draft.listen.iter().all(|address| address.ip().to_canonical().is_loopback());
        let open = self.values.switch("debuggingEnabled") && (is_given || is_near);
        self.put("debuggingEnabled", "debugger.enabled", Raw::Boolean(open));
        let segment = self.values.text("debuggerPathSegment");
        self.put("debuggerPathSegment", "debugger.path_segment", Raw::Text(segment));
        let ports = self.values.text("debuggerPortRange");
        self.put("debuggerPortRange", "debugger.ports", Raw::Text(ports));
    }

    fn forwarding(&mut self) {
        let adds = self.values.switch("enableXFF");
        self.put("enableXFF", "forwarding.x_forwarded", Raw::Boolean(adds));
        let near = NEAR_NETWORKS.iter().map(|network| (Raw::Text((*network).to_owned()), 0)).collect();
        self.put_own("forwarding.trusted", Raw::List(near));
        let names = self.values.text("promoteServerVars");
        let names: Vec<_> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let names = names.into_iter().map(|name| (Raw::Text(name.to_owned()), 0)).collect();
        self.put("promoteServerVars", "forwarding.server_variables", Raw::List(names));
    }
}

fn number(value: u64) -> Raw {
    Raw::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
