//! What is wrong with a configuration, all of it in one go, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the default.
    Default,
    /// In the configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// In this environment variable.
    Environment(&'static str),
    /// In this flag or argument of the command line.
    Flag(&'static str),
    /// Nowhere: the default of this profile.
    Profile(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => f.write_str(name),
            Self::Profile(name) => write!(f, "default of {name}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written; [`Origin::Default`] where nobody wrote it.
    pub origin: Origin,
    /// The setting, as in `limits.fields_max`; empty if it is none.
    pub key: String,
    /// What is wrong, with the value in parentheses, and what is allowed.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    #[must_use]
    pub fn new(origin: Origin, key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { origin, key: key.into(), what: what.into(), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error: ")?;
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Something about a configuration that is worth knowing and not wrong, in one line: `forebay check` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where it was written.
    pub origin: Origin,
    /// What is worth knowing.
    pub text: String,
}

impl Remark {
    /// A remark about what was written there.
    #[must_use]
    pub fn new(origin: Origin, text: impl Into<String>) -> Self {
        Self { origin, text: text.into() }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Default => f.write_str(&self.text),
            Origin::File { .. } | Origin::Environment(_) | Origin::Flag(_) | Origin::Profile(_) => {
                write!(f, "{}: {}", self.origin, self.text)
            }
        }
    }
}

/// All that is wrong with a configuration: the operator's to put right, trying again does not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// `Ok` if nothing is wrong.
    ///
    /// # Errors
    /// All of `problems`, if there is any.
    pub fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// The problems, in the order in which they were found; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for ConfigErrors {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for ConfigErrors {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The candidate that `word` was probably meant to be: at most a third of its letters differ, two at least may.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&word.to_lowercase(), c), c))
        .filter(|&(distance, c)| distance <= far && distance < c.len())
        .min()
        .map(|(_, c)| c)
}
