//! What of a request says who answers it.

use forebay_core::http1::Field;

/// A request's head, as far as it matters here.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// Its method.
    pub method: &'r str,
    /// Path and query as the client wrote them.
    pub target: &'r str,
    /// Whether the client came over HTTPS, as far as is known.
    pub https: bool,
    /// Its header fields.
    pub fields: &'r [Field<'r>],
}

impl<'r> Request<'r> {
    /// The value of the first header field of that name, in any case; empty if there is none, or it is not UTF-8.
    #[must_use]
    pub fn field(&self, name: &str) -> &'r str {
        let found = self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()));
        found.and_then(|field| std::str::from_utf8(field.value).ok()).unwrap_or_default()
    }
}
