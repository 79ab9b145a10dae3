//! Rules in the manner of IIS URL Rewrite: a pattern on the path, conditions, and what to do with the request then.
//!
//! Rules are applied in order, each to what the ones before it have made of the path, until one ends it. Patterns look at
//! the decoded path without its first slash. What a pattern may cost is bounded ([`STEPS_MAX`]); one that would cost more
//! does not match.

mod read;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;

use fancy_regex::Regex;

use super::index::{Index, Kind};
use super::path;
use super::request::Request;
pub(super) use read::read;
use template::Template;
use template::{Found, Scope};

/// Steps back that a pattern with look-around may take. 10 000: a fraction of a millisecond.
pub const STEPS_MAX: usize = 10_000;

/// Bytes that rules may make of a target.
const TARGET_BYTES_MAX: usize = 16 * 1024;

/// How a text is looked at.
#[derive(Clone)]
enum Pattern {
    /// An expression.
    Regex(Box<Regex>),
    /// The text itself.
    Exact {
        /// What the text is compared with.
        text: String,
        /// Whether letters count as the same in either case.
        ignore_case: bool,
    },
    /// Anything.
    Any,
}

impl Pattern {
    /// What the pattern found; with `wants` what it found in its groups.
    fn find<'t>(&self, text: &'t str, wants: bool) -> Option<Found<'t>> {
        match self {
            Self::Any => Some(Found::whole(text)),
            Self::Exact { text: own, ignore_case: true } => own.eq_ignore_ascii_case(text).then(|| Found::whole(text)),
            Self::Exact { text: own, ignore_case: false } => (own == text).then(|| Found::whole(text)),
            // Too many steps are no match.
            Self::Regex(regex) if wants => regex.captures(text).ok().flatten().map(Found::Groups),
            Self::Regex(regex) => regex.is_match(text).unwrap_or(false).then(|| Found::whole(text)),
        }
    }
}

/// What a condition asks.
#[derive(Clone)]
enum Asks {
    /// Whether a pattern is found in the input.
    Pattern(Pattern),
    /// Whether the input names a file.
    File,
    /// Whether the input names a folder.
    Folder,
}

/// A condition of a rule.
#[derive(Clone)]
struct Condition {
    input: Template,
    asks: Asks,
    negate: bool,
}

/// What a rule does with a request.
#[derive(Clone, Debug)]
enum Action {
    None,
    Rewrite { url: Template, keeps_query: bool },
    Redirect { url: Template, status: u16, keeps_query: bool },
    Answer { status: u16, reason: String, text: String },
    Abort,
}

/// One rule.
#[derive(Clone)]
pub(super) struct Rule {
    name: String,
    pattern: Pattern,
    negate: bool,
    conditions: Vec<Condition>,
    /// Whether one condition is enough.
    any: bool,
    action: Action,
    stops: bool,
    /// Whether something refers to what patterns found.
    refers: bool,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).field("action", &self.action).finish_non_exhaustive()
    }
}

/// How rules ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended<'r> {
    /// The path, which rules may have changed, says who answers.
    Path,
    /// A redirection to what is in [`Rewriting::target`].
    Redirect(u16),
    /// An answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its reason phrase; empty for the usual one.
        reason: &'r str,
        /// Its text; may be empty.
        text: &'r str,
    },
    /// The connection is closed.
    Abort,
    /// A rule made a path that has no form.
    Odd,
}

/// What rules work on. Kept between requests, so that its texts need not be made each time.
#[derive(Debug, Default)]
pub struct Rewriting {
    /// The path, in the form of [`path::clean`].
    pub path: String,
    /// Whether the path ended with a slash.
    pub is_folder: bool,
    /// The query, without the question mark.
    pub query: String,
    /// Where a redirection leads.
    pub target: String,
    /// Whether a rule has changed the path.
    pub is_rewritten: bool,
    input: String,
}

/// Applies rules in order to what is in `work`.
pub(super) fn apply<'r>(rules: &'r [Rule], request: &Request<'_>, index: &Index, work: &mut Rewriting) -> Ended<'r> {
    for rule in rules {
        // Texts are taken out while the rule looks at the rest.
        let mut out = std::mem::take(&mut work.target);
        out.clear();
        let matched = rule.run(request, index, work, &mut out);
        work.target = out;
        let Some(action) = matched else { continue };
        match action {
            Action::None => {}
            Action::Rewrite { keeps_query, .. } => {
                if !work.take_target(*keeps_query) {
                    return Ended::Odd;
                }
            }
            Action::Redirect { status, keeps_query, .. } => {
                if *keeps_query && !work.query.is_empty() {
                    work.target.push(if work.target.contains('?') { '&' } else { '?' });
                    work.target.push_str(&work.query);
                }
                return Ended::Redirect(*status);
            }
            Action::Answer { status, reason, text } => return Ended::Answer { status: *status, reason, text },
            Action::Abort => return Ended::Abort,
        }
        if rule.stops {
            break;
        }
    }
    Ended::Path
}

impl Rewriting {
    /// Makes what a rule wrote the path and query; false if it is no path.
    fn take_target(&mut self, keeps_query: bool) -> bool {
        if self.target.len() > TARGET_BYTES_MAX {
            return false;
        }
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        match path::clean(path, &mut self.path) {
            Ok(is_folder) => (self.is_folder, self.is_rewritten) = (is_folder, true),
            Err(_) => return false,
        }
        if !keeps_query {
            self.query.clear();
        }
        if !query.is_empty() && query != self.query {
            if !self.query.is_empty() {
                self.query.insert(0, '&');
            }
            self.query.insert_str(0, query);
        }
        self.query.len() <= TARGET_BYTES_MAX
    }
}

impl Rule {
    /// What the rule does if it matches; where it leads is written to `out` then.
    fn run(&self, request: &Request<'_>, index: &Index, work: &mut Rewriting, out: &mut String) -> Option<&Action> {
        let mut input = std::mem::take(&mut work.input);
        let action = self.look(request, index, work, &mut input, out);
        work.input = input;
        action
    }

    fn look(
        &self,
        request: &Request<'_>,
        index: &Index,
        work: &Rewriting,
        input: &mut String,
        out: &mut String,
    ) -> Option<&Action> {
        // A folder's path has its slash, as the client wrote it.
        let slashed;
        let path = if work.is_folder && !work.path.is_empty() {
            slashed = format!("{}/", work.path);
            &slashed
        } else {
            &work.path
        };
        let found = self.pattern.find(path, self.refers);
        if found.is_some() == self.negate {
            return None;
        }
        let rule = found.unwrap_or(Found::Nothing);
        let mut last = Found::Nothing;
        let mut kept;
        let (mut met, mut failed) = (false, false);
        for condition in &self.conditions {
            let scope = Scope { request, path, query: &work.query, rule: &rule, condition: &last };
            input.clear();
            condition.input.write(&scope, input);
            let found = condition.look(input, index, self.refers);
            met |= found.is_some();
            failed |= found.is_none();
            // What the last condition that was met has found is what {C:n} is.
            if let Some(found) = found
                && self.refers
            {
                kept = found.to_owned();
                last = Found::Kept(kept);
            }
        }
        let holds = if self.any { met || self.conditions.is_empty() } else { !failed };
        if !holds {
            return None;
        }
        let scope = Scope { request, path, query: &work.query, rule: &rule, condition: &last };
        match &self.action {
            Action::Rewrite { url, .. } => url.write(&scope, out),
            Action::Redirect { url, .. } => {
                url.write(&scope, out);
                finish_location(out);
            }
            Action::None | Action::Answer { .. } | Action::Abort => {}
        }
        Some(&self.action)
    }
}

/// A redirection to a path is one from the root.
fn finish_location(out: &mut String) {
    let is_absolute =
        out.starts_with('/') || out.split_once(':').is_some_and(|(scheme, _)| !scheme.contains(['/', '?']));
    if !is_absolute {
        out.insert(0, '/');
    }
}

impl Condition {
    /// What the condition found if it is met.
    fn look<'i>(&self, input: &'i str, index: &Index, wants: bool) -> Option<Found<'i>> {
        let is = |kind| {
            let name = input.split('?').next().unwrap_or_default();
            let mut clean = String::new();
            path::clean(name, &mut clean).is_ok() && index.kind(&clean) == Some(kind)
        };
        let found = match &self.asks {
            Asks::Pattern(pattern) => pattern.find(input, wants),
            Asks::File => is(Kind::File).then(|| Found::whole(input)),
            Asks::Folder => is(Kind::Folder).then(|| Found::whole(input)),
        };
        match (found, self.negate) {
            (None, true) => Some(Found::Nothing),
            (Some(_), true) => None,
            (found, false) => found,
        }
    }
}
