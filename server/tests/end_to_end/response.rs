//! Responses as a client saw them, read by a parser of its own.

use std::fmt;
use std::io;

/// A response as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: String,
    /// Informational ones before it.
    pub(crate) early: Vec<String>,
}

impl Response {
    /// The value of a field; the values, joined, where there are several.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        field(&self.head, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The value of a field in a block of lines.
pub(crate) fn field(head: &str, name: &str) -> Option<String> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let values: Vec<_> = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// A response that did not come, or not as a whole.
#[derive(Debug)]
pub(crate) struct Broken {
    /// What came of it.
    pub(crate) part: Vec<u8>,
    /// Whether its head was among that.
    pub(crate) begun: bool,
    pub(crate) error: Option<io::Error>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = String::from_utf8_lossy(&self.part[..self.part.len().min(300)]);
        match &self.error {
            Some(error) => write!(f, "{error} after {part:?}"),
            None => write!(f, "closed after {part:?}"),
        }
    }
}

/// The status in a head.
pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("status line of {head:?}"))
}
