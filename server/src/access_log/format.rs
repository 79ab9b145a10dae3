//! Records as lines.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::{Inline, Record};
use crate::config::AccessLogFormat;
use crate::date;

/// Makes lines. Remembers the last second as text: most lines share theirs with the line before.
#[derive(Debug)]
pub(super) struct Formatter {
    format: AccessLogFormat,
    second: u64,
    time: String,
}

#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    peer: std::net::IpAddr,
    method: Cow<'a, str>,
    target: Cow<'a, str>,
    #[serde(skip_serializing_if = "is_false")]
    target_cut: bool,
    protocol: &'a str,
    status: u16,
    bytes: u64,
    duration_ms: f64,
    worker: Option<u16>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    referer: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_agent: Cow<'a, str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Formatter {
    pub(super) fn new(format: AccessLogFormat) -> Self {
        Self { format, second: u64::MAX, time: String::new() }
    }

    /// Appends one line. Nothing that a client sent can end it, or pass for a field of ours.
    pub(super) fn line(&mut self, record: &Record, out: &mut Vec<u8>) {
        self.set_time(record.at);
        match self.format {
            AccessLogFormat::Text => self.text(record, out),
            AccessLogFormat::Json => self.json(record, out),
        }
        out.push(b'\n');
    }

    fn text(&self, record: &Record, out: &mut Vec<u8>) {
        push(out, format_args!("{}", record.peer.to_canonical()));
        append(out, &[b" - - [", self.time.as_bytes(), b"] \""]);
        if record.method.bytes().is_empty() {
            out.push(b'-');
        } else {
            escape(&record.method, out);
            out.push(b' ');
            escape(&record.target, out);
            out.extend_from_slice(b" ");
            out.extend_from_slice(protocol(record).as_bytes());
        }
        // Numbers without the usual formatting: they are most of a line.
        let (mut status, mut bytes) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (status, bytes) = (status.format(record.status), bytes.format(record.bytes));
        append(out, &[b"\" ", status.as_bytes(), b" ", bytes.as_bytes(), b" \""]);
        or_dash(&record.referer, out);
        out.extend_from_slice(b"\" \"");
        or_dash(&record.user_agent, out);
        out.extend_from_slice(b"\" ");
        out.extend_from_slice(&record.id.to_hex());
        match (record.worker, record.reason) {
            (Some(worker), "") => push(out, format_args!(" {worker}")),
            (Some(worker), reason) => push(out, format_args!(" {worker}:{reason}")),
            (None, "") => out.extend_from_slice(b" -"),
            (None, reason) => push(out, format_args!(" {reason}")),
        }
        let us = record.took.as_micros();
        let (mut whole, mut part) = (itoa::Buffer::new(), itoa::Buffer::new());
        let part = part.format(1000 + us % 1000);
        append(out, &[b" ", whole.format(us / 1000).as_bytes(), b".", &part.as_bytes()[1..]]);
    }

    fn json(&self, record: &Record, out: &mut Vec<u8>) {
        let id = record.id.to_hex();
        let line = Line {
            time: &self.time,
            peer: record.peer.to_canonical(),
            method: String::from_utf8_lossy(record.method.bytes()),
            target: String::from_utf8_lossy(record.target.bytes()),
            target_cut: record.target.is_cut(),
            protocol: protocol(record),
            status: record.status,
            bytes: record.bytes,
            duration_ms: record.took.as_micros() as f64 / 1000.0,
            worker: record.worker.map(|worker| worker.0),
            reason: record.reason,
            request_id: str::from_utf8(&id).unwrap_or_default(),
            referer: String::from_utf8_lossy(record.referer.bytes()),
            user_agent: String::from_utf8_lossy(record.user_agent.bytes()),
        };
        // A vector takes everything, and no map in the line has keys that are no text.
        let _infallible = serde_json::to_writer(out, &line);
    }

    /// Sets the time as each form wants it: `22/Nov/2026:18:24:01 +0000`, or RFC 3339.
    fn set_time(&mut self, at: SystemTime) {
        let second = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if second == self.second {
            return;
        }
        self.second = second;
        self.time = match self.format {
            AccessLogFormat::Text => date::common(at),
            AccessLogFormat::Json => date::rfc3339(at),
        };
    }
}

fn protocol(record: &Record) -> &'static str {
    if record.is_http10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

fn append(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _infallible = out.write_fmt(text);
}

fn or_dash<const N: usize>(text: &Inline<N>, out: &mut Vec<u8>) {
    if text.bytes().is_empty() {
        out.push(b'-');
    } else {
        escape(text, out);
    }
}

/// As Apache does: printable ASCII as it is, quote and backslash with a backslash, the rest as `\xHH`.
fn escape<const N: usize>(text: &Inline<N>, out: &mut Vec<u8>) {
    for &byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => push(out, format_args!("\\x{byte:02x}")),
        }
    }
    if text.is_cut() {
        out.extend_from_slice(b"...");
    }
}
