//! PM2: ecosystem.config.js, evaluated by node, or the same as JSON.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::super::error::{Origin, Problem};
use super::super::resolve::Sources;
use super::super::value::Raw;
use super::{Carry, io_problem, json, plain_text, words};
use crate::app::node::Node;

/// Fields of an application that mean nothing here, with what there is instead.
const LOST: &[(&str, &str)] = &[
    (
        "max_memory_restart",
        "workers are not restarted for their memory; bound it with a cgroup or --max-old-space-size",
    ),
    (
        "cron_restart",
        "nothing restarts by the clock here; `kill -HUP` from cron replaces workers without losing a request",
    ),
    ("autorestart", "workers that end are always started again"),
    ("max_restarts", "restarts are spaced by workers.backoff_min and backoff_max, without an end"),
    ("min_uptime", "a worker that served for a second counts as started"),
    ("ignore_watch", "watch.files lists what is watched, not what is not"),
    ("watch_options", "watch.files and watch.poll_interval are what there is"),
    ("out_file", "app_log.dir has a file for each process and stream"),
    ("error_file", "app_log.dir has a file for each process and stream"),
    ("log_file", "app_log.dir has a file for each process and stream"),
    ("output", "app_log.dir has a file for each process and stream"),
    ("error", "app_log.dir has a file for each process and stream"),
    ("log_date_format", "lines are written as they come"),
    ("increment_var", "FOREBAY_WORKER has each worker's number"),
    ("instance_var", "FOREBAY_WORKER has each worker's number"),
    ("uid", "run Forebay as that user, with systemd's User= for instance"),
    ("gid", "run Forebay as that group"),
    ("post_update", "nothing is deployed here"),
];

/// Fields that need nothing, since it is so here anyway.
const NEEDLESS: [&str; 13] = [
    "name",
    "namespace",
    "exec_mode",
    "wait_ready",
    "merge_logs",
    "combine_logs",
    "time",
    "vizion",
    "pmx",
    "automation",
    "treekill",
    "shutdown_with_message",
    "windowsHide",
];

/// The file as JSON: a script is run by the node on PATH, as PM2 would.
///
/// # Errors
/// No node, or a file that fails.
pub(super) fn evaluate(path: &Path, sources: &Sources) -> Result<Value, Problem> {
    if path.extension().is_some_and(|extension| extension == "json") {
        return json(path);
    }
    let node = Node::find(None, &Origin::Default, (sources.env)("PATH").as_deref())?;
    let code = "import(require('url').pathToFileURL(process.argv[1]).href)
        .then((it) => process.stdout.write(JSON.stringify(it.default ?? it)))";
    let done = Command::new(node.path)
        .args(["-e", code])
        .arg(path)
        .current_dir(path.parent().unwrap_or(Path::new(".")))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| io_problem("node cannot be run", &error))?;
    let origin = || Origin::File { path: path.to_owned(), line: 1 };
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let is_told = |line: &&str| line.split([':', ' ']).next().is_some_and(|word| word.ends_with("Error"));
        let line = said.lines().find(is_told).unwrap_or("it failed").to_owned();
        return Err(
            Problem::new(origin(), "", format!("cannot be evaluated ({line})")).hint("run it with node to see why")
        );
    }
    serde_json::from_slice(&done.stdout)
        .map_err(|error| Problem::new(origin(), "", format!("does not export an object ({error})")))
}

/// Takes what the first application says.
pub(super) fn read(file: &Value, carry: &mut Carry<'_>) {
    let apps = match file.get("apps") {
        Some(Value::Array(apps)) => apps.clone(),
        Some(app @ Value::Object(_)) => vec![app.clone()],
        Some(_) | None => file.as_array().map_or_else(|| vec![file.clone()], Clone::clone),
    };
    if file.get("deploy").is_some() {
        carry.lose("deploy", "nothing is deployed here");
    }
    for app in apps.iter().skip(1) {
        let name = app.get("name").map_or("another application".to_owned(), plain_text);
        carry.lose(&name, "one Forebay runs one application: give it a configuration and a port of its own");
    }
    let Some(Value::Object(app)) = apps.first() else {
        return carry.lose("apps", "there is no application in it");
    };
    let folder = app.get("cwd").map(plain_text).unwrap_or_default();
    if let Some(script) = app.get("script") {
        // There it is relative to the working directory.
        carry.text("app.script", Path::new(&folder).join(plain_text(script)).to_string_lossy());
    }
    for (field, value) in app.iter().filter(|(field, _)| *field != "script") {
        field_of(field, value, carry);
    }
    if app.get("name").is_some() && apps.len() > 1 {
        carry.lose("apps", "the first application is the one that was carried over");
    }
}

fn field_of(field: &str, value: &Value, carry: &mut Carry<'_>) {
    let milliseconds = |carry: &mut Carry<'_>, key: &str| {
        let text = plain_text(value);
        let text = if text.bytes().all(|b| b.is_ascii_digit()) { format!("{text}ms") } else { text };
        carry.text(key, text);
    };
    match field {
        "cwd" => carry.text("app.cwd", plain_text(value)),
        "args" => carry.texts("app.args", words(value)),
        "node_args" | "interpreter_args" | "interpreterArgs" => carry.texts("app.node_args", words(value)),
        "interpreter" | "exec_interpreter" => match plain_text(value).as_str() {
            "node" => {}
            "none" => carry.lose(field, "programs other than node are not run"),
            other => carry.text("app.node", other),
        },
        "instances" => match value.as_i64() {
            Some(count @ 1..) => carry.set("workers.count", Raw::Integer(count)),
            Some(0) | None => carry.text("workers.count", "auto"),
            Some(..=-1) => {
                carry.text("workers.count", "auto");
                carry.lose(field, "all vCPUs but some is not a count here: it became auto, one per vCPU");
            }
        },
        "env" => carry.variables(value),
        "port" => carry.text("server.listen", plain_text(value)),
        "kill_timeout" => milliseconds(carry, "workers.stop_timeout"),
        "listen_timeout" => milliseconds(carry, "workers.start_timeout"),
        "restart_delay" | "exp_backoff_restart_delay" => milliseconds(carry, "workers.backoff_min"),
        "watch" => match value {
            Value::Bool(true) => carry.texts("watch.files", vec!["**/*.js".into(), "**/*.json".into()]),
            Value::Array(_) | Value::String(_) => {
                let below =
                    |path: String| if path.contains('*') || path.contains('.') { path } else { format!("{path}/**") };
                carry.texts("watch.files", words(value).into_iter().map(below).collect());
            }
            Value::Null | Value::Bool(false) | Value::Number(_) | Value::Object(_) => {}
        },
        "source_map_support" => {
            if value == &Value::Bool(true) {
                carry.texts("app.node_args", vec!["--enable-source-maps".to_owned()]);
            }
        }
        "autorestart" if value == &Value::Bool(true) => {}
        _ if NEEDLESS.contains(&field) => {}
        _ if field.starts_with("env_") => {
            carry.lose(field, "there is one environment: put what it says into [app.env] of a file of its own");
        }
        _ => {
            let why = LOST.iter().find(|(name, _)| *name == field).map_or("not known", |(_, why)| why);
            carry.lose(field, why);
        }
    }
}
