//! What a shard asks of the origin: the target of every request it sends there.
//!
//! A shard never passes a client's target on to the origin, it writes one of these; what came from the client is encoded
//! in a parameter. So nothing that a client can write is ever taken for an instruction.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but what is certain to mean itself.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// One of the things that the origin does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction<'a> {
    /// Serve a file below the site's root.
    File(Cow<'a, str>),
    /// Answer with a status, a reason phrase (empty: the usual one) and a text (empty: the status in words).
    Answer(u16, Cow<'a, str>, Cow<'a, str>),
    /// Send the client elsewhere.
    Redirect(u16, Cow<'a, str>),
    /// Say that the application is offline.
    Offline,
    /// Say why the configuration cannot be used.
    Misconfigured,
    /// Explain why the application failed.
    Failure {
        /// The cause's number, see [`Cause::from_number`](crate::status::Cause::from_number).
        cause: u8,
        /// The slot of the worker, if one had the request.
        worker: Option<u16>,
        /// Which of its processes.
        generation: u32,
    },
    /// Open the debugger's page, or what belongs to it: the path behind the debugger's segment, and the query.
    Debugger(Cow<'a, str>, Cow<'a, str>),
}

impl<'a> Instruction<'a> {
    /// Writes the target.
    pub fn write(&self, out: &mut String) {
        let add = |out: &mut String, parts: &[(&str, &str)]| {
            for (name, value) in parts {
                out.push_str(name);
                out.extend(utf8_percent_encode(value, ENCODED));
            }
        };
        match self {
            Self::File(path) => add(out, &[("/file?", path)]),
            Self::Answer(status, reason, text) => {
                add(out, &[("/answer?", &status.to_string()), ("&", reason), ("&", text)]);
            }
            Self::Redirect(status, location) => add(out, &[("/redirect?", &status.to_string()), ("&", location)]),
            Self::Offline => out.push_str("/offline"),
            Self::Misconfigured => out.push_str("/misconfigured"),
            Self::Failure { cause, worker, generation } => {
                let worker = worker.map(|worker| worker.to_string()).unwrap_or_default();
                add(out, &[("/failure?", &cause.to_string()), ("&", &worker), ("&", &generation.to_string())]);
            }
            Self::Debugger(path, query) => add(out, &[("/debugger?", path), ("&", query)]),
        }
    }

    /// Reads a target; none if it is no instruction.
    #[must_use]
    pub fn read(target: &'a str) -> Option<Self> {
        let (name, values) = target.split_once('?').unwrap_or((target, ""));
        let mut values = values.split('&');
        let mut text = || percent_decode_str(values.next()?).decode_utf8().ok();
        Some(match name {
            "/file" => Self::File(text()?),
            "/answer" => Self::Answer(text()?.parse().ok()?, text()?, text()?),
            "/redirect" => Self::Redirect(text()?.parse().ok()?, text()?),
            "/offline" => Self::Offline,
            "/misconfigured" => Self::Misconfigured,
            "/failure" => Self::Failure {
                cause: text()?.parse().ok()?,
                worker: text()?.parse().ok(),
                generation: text()?.parse().ok()?,
            },
            "/debugger" => Self::Debugger(text()?, text()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        let odd = "a/b c&d?e=%41#ü\"<>\r\n";
        for instruction in [
            Instruction::File(odd.into()),
            Instruction::Answer(403, odd.into(), "".into()),
            Instruction::Redirect(301, odd.into()),
            Instruction::Offline,
            Instruction::Misconfigured,
            Instruction::Failure { cause: 5, worker: Some(3), generation: 7 },
            Instruction::Failure { cause: 5, worker: None, generation: 0 },
            Instruction::Debugger("ws".into(), odd.into()),
        ] {
            let mut target = String::new();
            instruction.write(&mut target);
            assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target}");
            assert_eq!(Instruction::read(&target), Some(instruction), "{target}");
        }
    }

    #[test]
    fn other_targets_are_none() {
        for target in
            ["/", "/file", "/answer?x&&", "/answer?200", "/.forebay/error", "/failure?a&b&c", "*", "/file%3fa"]
        {
            assert!(
                !matches!(Instruction::read(target), Some(Instruction::Answer(..) | Instruction::Failure { .. })),
                "{target}"
            );
        }
        assert_eq!(Instruction::read("/server.js"), None);
    }
}
