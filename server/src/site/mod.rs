//! The site: which requests are for the application, and which are answered without it.
//!
//! [`Rules`] are what was configured, in one of two ways. Natively, what is a file below a folder is served and everything
//! else is the application's. With a web.config it is as in IIS: rules rewrite the path; a path of the application's
//! script is the application's; else a folder has default documents, a file is served, and nothing else exists.
//!
//! A [`Site`] is rules and an [`Index`] of the files, swapped as a whole. Deciding is pure: it looks at nothing but the
//! request and these. What is to be served is said to the [origin](crate::origin) as an [`Instruction`].
//!
//! Invariants: a path is served in the form in which it was judged ([`path`]); a hidden name, or one below a hidden
//! folder, is never served; what a client wrote is data in an instruction, never the instruction.

mod debugger;
mod handlers;
mod index;
mod instruction;
pub mod path;
mod request;
mod rewrite;
#[cfg(test)]
mod tests;
mod web_config;
mod xml;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use debugger::{Asked, DebugAddress};
pub use handlers::Handler;
pub use index::{ENTRIES_MAX, Index, Kind};
pub use instruction::Instruction;
pub use request::Request;
use rewrite::{Ended, Rule};
pub use rewrite::{Rewriting, STEPS_MAX};
pub use web_config::read;
pub use xml::Notes;

/// How a client may keep what it got from files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// Not without asking.
    Never,
    /// For so long.
    For(Duration),
}

/// Who gets what no file is found for.
#[derive(Clone, Debug)]
enum Kinds {
    /// The application; files of GET and HEAD requests come first.
    Native,
    /// As in IIS.
    Iis { rules: Vec<Rule>, handlers: Vec<Handler> },
}

/// What is configured about who answers what.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The folder below which files are.
    pub root: PathBuf,
    kinds: Kinds,
    /// Files that stand for their folder, the first one that is there.
    defaults: Vec<String>,
    /// Names that are not served, and whose requests reach nobody.
    blocked: Vec<String>,
    /// Folders or files below the root that are not served, in the form of a path.
    hidden: Vec<String>,
    /// Whether what is in a folder called `bin` may be served.
    bin: bool,
    /// Types by a file name's extension, with its dot and in lower case.
    types: Vec<(String, String)>,
    /// What responses with files say about keeping them.
    pub caching: Caching,
}

impl Rules {
    /// Files below `root` are served, everything else is the application's.
    #[must_use]
    pub fn native(root: PathBuf, defaults: Vec<String>, max_age: Option<Duration>) -> Self {
        Self {
            root,
            kinds: Kinds::Native,
            defaults,
            blocked: Vec::new(),
            hidden: Vec::new(),
            bin: true,
            types: Vec::new(),
            caching: max_age.map_or(Caching::Unsaid, Caching::For),
        }
    }

    /// The same without what is in one more folder, where that is below the root.
    #[must_use]
    pub fn hiding(mut self, folder: &Path) -> Self {
        let below = folder.strip_prefix(&self.root).unwrap_or(folder);
        let mut clean = String::new();
        let below = below.to_string_lossy().replace('\\', "/");
        if !folder.is_absolute() || folder.starts_with(&self.root) {
            let has_form = path::clean(&below, &mut clean).is_ok();
            self.hidden.extend(Some(clean).filter(|clean| has_form && !clean.is_empty()));
        }
        self
    }

    /// The type that is configured for a file, if any.
    #[must_use]
    pub fn mime(&self, path: &str) -> Option<&str> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let extension = &name[name.rfind('.')?..];
        let known = self.types.iter().rev().find(|(own, _)| own.eq_ignore_ascii_case(extension));
        known.map(|(_, mime)| mime.as_str())
    }

    /// Whether a file or folder below the root is never served.
    #[must_use]
    pub fn is_hidden(&self, path: &str) -> bool {
        let is_name = |name: &str| {
            path::is_hidden(name)
                || !self.bin && name.eq_ignore_ascii_case("bin")
                || self.blocked.iter().any(|blocked| blocked.eq_ignore_ascii_case(name))
        };
        let is_below = |hidden: &String| {
            path.strip_prefix(hidden.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        path.split('/').any(is_name) || self.hidden.iter().any(is_below)
    }
}

/// Who answers a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// The application.
    Application,
    /// The origin, told so.
    Origin(Instruction<'a>),
    /// Nobody: the connection is closed.
    Abort,
}

/// Rules and the files that there are.
#[derive(Clone, Debug)]
pub struct Site {
    /// The rules.
    pub rules: Arc<Rules>,
    /// The files.
    pub index: Arc<Index>,
}

impl Site {
    /// Who answers a request. `work` is kept from one request to the next; what the decision refers to is in it.
    pub fn decide<'w>(&'w self, request: &Request<'_>, work: &'w mut Rewriting) -> Decision<'w> {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let formed = path::decode(path.as_bytes(), &mut work.path);
        work.is_rewritten = false;
        match &self.rules.kinds {
            Kinds::Native => match formed {
                Ok(is_folder) if matches!(request.method, "GET" | "HEAD") => {
                    self.file(work, is_folder).map_or(Decision::Application, Decision::Origin)
                }
                Ok(_) | Err(_) => Decision::Application,
            },
            Kinds::Iis { rules, handlers } => {
                // What has no form could be about any file: nobody gets to see it.
                let Ok(is_folder) = formed else { return answer(400) };
                work.is_folder = is_folder;
                work.query.clear();
                work.query.push_str(query);
                self.iis(rules, handlers, request, work)
            }
        }
    }

    fn iis<'w>(
        &'w self,
        rules: &'w [Rule],
        handlers: &[Handler],
        request: &Request<'_>,
        work: &'w mut Rewriting,
    ) -> Decision<'w> {
        let is_blocked = |name: &str| self.rules.blocked.iter().any(|own| own.eq_ignore_ascii_case(name));
        if !self.rules.blocked.is_empty() && work.path.split('/').any(is_blocked) {
            return answer(404);
        }
        match rewrite::apply(rules, request, &self.index, work) {
            Ended::Path => {}
            Ended::Odd => return answer(400),
            Ended::Abort => return Decision::Abort,
            Ended::Redirect(status) => {
                return Decision::Origin(Instruction::Redirect(status, work.target.as_str().into()));
            }
            Ended::Answer { status, reason, text } => {
                return Decision::Origin(Instruction::Answer(status, reason.into(), text.into()));
            }
        }
        let is_script = |path: &str| handlers.iter().any(|handler| handler.matches(request.method, path));
        if is_script(&work.path) {
            return Decision::Application;
        }
        if self.index.kind(&work.path) == Some(Kind::Folder) {
            // The script itself may be the folder's document. A root that has none is the script's,
            // where IIS would refuse to list it, unless documents are off.
            let script = match self.default_of(&mut *work) {
                None => work.path.is_empty() && !self.rules.defaults.is_empty(),
                Some(_) if is_script(&work.path) => true,
                Some(length) => {
                    work.path.truncate(length);
                    false
                }
            };
            if script {
                return Decision::Application;
            }
        }
        let is_folder = work.is_folder || work.is_rewritten;
        self.file(work, is_folder).map_or_else(|| answer(404), Decision::Origin)
    }

    /// Completes the path of a folder by its default document, if it has one. The length it had.
    fn default_of(&self, work: &mut Rewriting) -> Option<usize> {
        let length = work.path.len();
        for name in &self.rules.defaults {
            if length > 0 {
                work.path.push('/');
            }
            work.path.push_str(name);
            if self.index.kind(&work.path) == Some(Kind::File) && !self.rules.is_hidden(&work.path) {
                return Some(length);
            }
            work.path.truncate(length);
        }
        None
    }

    /// The file that the path names, or that stands for the folder it names.
    fn file<'w>(&self, work: &'w mut Rewriting, is_folder: bool) -> Option<Instruction<'w>> {
        match self.index.kind(&work.path)? {
            // A file has nothing below it, and a slash behind its name says that something is meant.
            Kind::File if is_folder && !work.is_rewritten => None,
            Kind::File if self.rules.is_hidden(&work.path) => None,
            Kind::File => Some(Instruction::File(work.path.as_str().into())),
            Kind::Folder => {
                let length = self.default_of(work)?;
                if is_folder || length == 0 {
                    return Some(Instruction::File(work.path.as_str().into()));
                }
                // Without the slash, relative links would lead elsewhere.
                work.path.truncate(length);
                let mut target = String::from("/");
                target.extend(percent_encoding::utf8_percent_encode(&work.path, path::SEGMENTS));
                target.push('/');
                Some(Instruction::Redirect(301, target.into()))
            }
        }
    }
}

fn answer<'a>(status: u16) -> Decision<'a> {
    Decision::Origin(Instruction::Answer(status, "".into(), "".into()))
}
