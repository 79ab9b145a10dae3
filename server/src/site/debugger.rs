//! The debugger's address: the application's script, a segment, and what is below.

use super::handlers::Handler;
use super::path;
use super::{Kinds, Rules};

/// Where the debugger is reached.
#[derive(Clone, Debug)]
pub struct DebugAddress {
    /// The segment behind the script, in any case.
    pub segment: String,
    /// The application's script below its folder, with slashes; empty where that is no file.
    pub script: String,
}

/// What is asked of the debugger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<'t> {
    /// Its address without the last slash: sent to the one with it.
    Redirect(String),
    /// What is below: the rest of the path, without slashes at its ends, and the query.
    Below(String, &'t str),
}

impl DebugAddress {
    /// What a target asks of the debugger, if it is its address.
    #[must_use]
    pub fn asked<'t>(&self, rules: Option<&Rules>, target: &'t str) -> Option<Asked<'t>> {
        let (raw, query) = target.split_once('?').unwrap_or((target, ""));
        let mut clean = String::new();
        let is_folder = path::decode(raw.as_bytes(), &mut clean).ok()?;
        let rest = self.behind(rules, &clean)?;
        if rest.is_empty() && !is_folder {
            return Some(Asked::Redirect(format!("/{}/", raw.trim_matches('/'))));
        }
        Some(Asked::Below(rest.to_owned(), query))
    }

    /// What follows the segment in a path.
    fn behind<'p>(&self, rules: Option<&Rules>, clean: &'p str) -> Option<&'p str> {
        let own = [Handler::new(&self.script)];
        let handlers: &[Handler] = match rules.map(|rules| &rules.kinds) {
            Some(Kinds::Iis { handlers, .. }) => handlers,
            Some(Kinds::Native) | None => &own,
        };
        let scripts = handlers.iter().filter_map(|handler| handler.script(clean)).map(str::len);
        // Natively the application answers everything below the root too.
        let all = rules.is_none_or(|rules| matches!(rules.kinds, Kinds::Native)).then_some(0);
        scripts.chain(all).find_map(|length| {
            let rest = clean[length..].trim_start_matches('/');
            let (segment, below) = rest.split_once('/').unwrap_or((rest, ""));
            segment.eq_ignore_ascii_case(&self.segment).then_some(below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address = DebugAddress { segment: "debug".into(), script: "bin/www".into() };
        let below = |rest: &str, query: &'static str| Some(Asked::Below(rest.into(), query));
        let redirect = |to: &str| Some(Asked::Redirect(to.into()));
        let table = [
            ("/bin/www/debug", redirect("/bin/www/debug/")),
            ("/bin/www/Debug?kill", redirect("/bin/www/Debug/")),
            ("/bin/www/debug/", below("", "")),
            ("/BIN/www/DEBUG/?brk", below("", "brk")),
            ("/debug", redirect("/debug/")),
            ("//elsewhere/debug", None),
            ("//debug", redirect("/debug/")),
            ("/debug/ws?token=1", below("ws", "token=1")),
            ("/debugger/", None),
            ("/a/debug/", None),
            ("/bin/debug/", None),
        ];
        for (target, expected) in table {
            assert_eq!(address.asked(None, target), expected, "{target}");
        }
    }
}
