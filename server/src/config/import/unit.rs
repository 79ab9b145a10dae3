//! NGINX Unit: the JSON that its control socket takes, often kept as unit.json.

use std::path::Path;

use serde_json::Value;

use super::super::value::Raw;
use super::{Carry, plain_text, words};

/// Times of `settings.http`, in seconds, and the settings that they are here.
const TIMES: [(&str, &str); 4] = [
    ("header_read_timeout", "limits.head_timeout"),
    ("body_read_timeout", "limits.body_idle_timeout"),
    ("send_timeout", "limits.send_timeout"),
    ("idle_timeout", "limits.keep_alive_timeout"),
];

/// Takes what there is for one application of node.
pub(super) fn read(file: &Value, carry: &mut Carry<'_>) {
    let empty = serde_json::Map::new();
    let object = |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&empty).clone();
    let applications = object(file.get("applications"));
    let is_nodes = |app: &Value| app.get("type").is_none_or(|kind| plain_text(kind).starts_with("external"));
    let chosen = applications.iter().find(|(_, app)| is_nodes(app));
    for (name, _) in applications.iter().filter(|(name, _)| chosen.is_none_or(|(it, _)| it != *name)) {
        carry.lose(&format!("applications.{name}"), "one Forebay runs one application of node");
    }
    listeners(&object(file.get("listeners")), chosen.map(|(name, _)| name.as_str()), carry);
    if file.get("routes").is_some() {
        carry.lose("routes", "every request goes to the application");
    }
    if file.get("upstreams").is_some() {
        carry.lose("upstreams", "there is no proxying to other servers");
    }
    if let Some(log) = file.get("access_log") {
        let path = log.get("path").unwrap_or(log);
        carry.text("access_log.path", plain_text(path));
        if log.get("format").is_some() {
            carry.lose("access_log.format", "a line is text in Apache's combined form, or JSON");
        }
    }
    let http = object(file.get("settings").and_then(|settings| settings.get("http")));
    for (name, value) in &http {
        match (TIMES.iter().find(|(time, _)| time == name), name.as_str()) {
            (Some((_, key)), _) => carry.text(key, format!("{}s", plain_text(value))),
            (None, "max_body_size") => carry.text("limits.body_bytes_max", plain_text(value)),
            (None, other) => carry.lose(&format!("settings.http.{other}"), "not known"),
        }
    }
    match chosen {
        Some((name, app)) => application(name, app, carry),
        None => carry.lose("applications", "none of them is one of node"),
    }
}

fn listeners(listeners: &serde_json::Map<String, Value>, app: Option<&str>, carry: &mut Carry<'_>) {
    let mut addresses = Vec::new();
    for (address, listener) in listeners {
        let pass = listener.get("pass").map(plain_text).unwrap_or_default();
        let is_ours = pass == "routes"
            || pass.starts_with("routes/")
            || app.is_some_and(|app| pass == format!("applications/{app}"));
        if listener.get("tls").is_some() {
            carry.lose(
                &format!("listeners.{address}"),
                "no TLS: put what terminates it in front, in forwarding.trusted",
            );
        } else if is_ours {
            addresses.push(address.clone());
        } else {
            carry.lose(&format!("listeners.{address}"), "it passes to something else");
        }
        let sources = listener.get("forwarded").and_then(|it| it.get("source")).map(words).unwrap_or_default();
        carry.texts("forwarding.trusted", sources);
    }
    carry.texts("server.listen", addresses);
}

fn application(name: &str, app: &Value, carry: &mut Carry<'_>) {
    let Value::Object(fields) = app else { return };
    let mut command: Vec<String> = fields.get("executable").map(plain_text).into_iter().collect();
    command.extend(fields.get("arguments").map(words).unwrap_or_default());
    let folder = fields.get("working_directory").map(plain_text).unwrap_or_default();
    command_line(command, &folder, carry);
    for (field, value) in fields {
        match field.as_str() {
            "type" | "executable" | "arguments" => {}
            "working_directory" => carry.text("app.cwd", plain_text(value)),
            "environment" => carry.variables(value),
            "processes" => match (value.as_i64(), value.get("max").and_then(Value::as_i64)) {
                (Some(count), _) => carry.set("workers.count", Raw::Integer(count)),
                (None, Some(count)) => {
                    carry.set("workers.count", Raw::Integer(count));
                    carry.lose("processes", "their number is fixed here: max was taken");
                }
                (None, None) => carry.lose("processes", "not understood"),
            },
            "limits" => {
                if let Some(timeout) = value.get("timeout") {
                    carry.text("limits.response_start_timeout", format!("{}s", plain_text(timeout)));
                }
                if value.get("requests").is_some() {
                    carry.lose("limits.requests", "workers are not replaced after a number of requests");
                }
            }
            "user" | "group" => carry.lose(field, "run Forebay as that user, with systemd's User= for instance"),
            "stdout" | "stderr" => carry.lose(field, "app_log.dir has a file for each process and stream"),
            "isolation" => carry.lose(field, "a container or systemd does that"),
            other => carry.lose(&format!("applications.{name}.{other}"), "not known"),
        }
    }
}

/// `env node --loader unit-http/loader.mjs app.js …`, `node app.js`, or `app.js` with a line that names node.
fn command_line(command: Vec<String>, folder: &str, carry: &mut Carry<'_>) {
    let mut rest = command.as_slice();
    if rest.first().is_some_and(|word| word == "env" || word.ends_with("/env")) {
        rest = &rest[1..];
    }
    if let Some(node) = rest.first().filter(|word| *word == "node" || word.ends_with("/node")) {
        if node != "node" {
            carry.text("app.node", node.clone());
        }
        rest = &rest[1..];
    }
    let mut flags = Vec::new();
    while let Some(flag) = rest.first().filter(|word| word.starts_with('-')) {
        let takes_next =
            matches!(flag.as_str(), "--loader" | "--require" | "-r" | "--import" | "--experimental-loader");
        let word = rest.get(1).filter(|_| takes_next);
        // Unit's own glue is not needed: the application's http is what it is.
        if !word.unwrap_or(flag).contains("unit-http") {
            flags.push(flag.clone());
            flags.extend(word.cloned());
        }
        rest = rest.get(if takes_next { 2 } else { 1 }..).unwrap_or_default();
    }
    carry.texts("app.node_args", flags);
    if let Some((script, args)) = rest.split_first() {
        // There it is relative to the working directory.
        carry.text("app.script", Path::new(folder).join(script).to_string_lossy());
        carry.texts("app.args", args.to_vec());
    }
}
